"""What a kind of model makes of frames, and which files a video gets; the steps know no more."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from upath import UPath

from pipelines.predict.infer import FramePredictor, SavedModelHandler
from pipelines.predict.manifest import Range
from preprocess.videos import Frame, Video


class Result(NamedTuple):
    """What came out of a range, or of all ranges of a video joined.

    Attributes:
      arrays: by name; those of the ranges of a video are joined along the first axis, in order.
      failures: frames without a result, and why.
    """

    arrays: dict[str, np.ndarray]
    failures: list[tuple[int, str]]


class Kind(Protocol):
    """A kind of model, such as `pipelines.predict.pose`. It travels to workers by pickle.

    Attributes:
      endings: of the files that every video gets, behind the stem of its summary.
      lead: chosen frames before a range that `infer` is shown as well, to warm up.
    """

    @property
    def endings(self) -> tuple[str, ...]: ...

    @property
    def lead(self) -> int: ...

    def check(self, video: Video) -> None:
        """Raises ValueError if a video cannot be looked at, such as one without boxes."""
        ...

    def depends(self, path: str) -> str:
        """What else the results of a video depend on, such as a file beside it, as a digest."""
        ...

    def infer(
        self,
        part: Range,
        frames: Iterator[Frame],
        handler: SavedModelHandler,
        model: FramePredictor,
    ) -> Result:
        """Runs the model on a range.

        Args:
          frames: those of `part.before` and `part.frames` in order, each once, some without
            pixels; the former have no place in the result.
        """
        ...

    def write(
        self, stem: UPath, video: Video, frames: np.ndarray, result: Result
    ) -> dict[str, Any]:
        """Writes the files of a video, each whole or not at all; repeatable.

        Args:
          stem: what their names begin with.
          frames: int64 (frames,), the numbers of the frames that were looked at.
          result: all ranges joined.

        Returns:
          What the summary of the video says beside what all kinds say.
        """
        ...

    def conclude(
        self, folder: str, summaries: list[dict[str, Any]], failures: list[tuple[str, str]]
    ) -> None:
        """Writes what a run has one of for all its videos.

        Args:
          summaries: of the videos.
          failures: paths of the others, and why.
        """
        ...
