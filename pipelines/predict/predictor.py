"""Contract of predictors: what a model makes of frames, and the files that a video gets."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from upath import UPath

from beampose.core.infos import PredictionInfo
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict.view import View
from beampose.preprocess.motion import Motion
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Frame, Video

if TYPE_CHECKING:
    from beampose.pipelines.predict.inference import SavedModelHandler
    from beampose.trainer.frame_predictor import FramePredictor


class Result(NamedTuple):
    """Result for a range of frames.

    Attributes:
      arrays: by name; along the first axis those of the ranges of a video follow each other.
      failures: frames without a result, and why.
      known: images whose results an earlier run had.
    """

    arrays: dict[str, np.ndarray]
    failures: list[tuple[int, str]]
    known: int = 0


class Results(NamedTuple):
    """Results for a video, range after range, loaded on demand.

    Attributes:
      count: of ranges, one at least.
      load: the result of a range by its number.
    """

    count: int
    load: Callable[[int], Result]

    def each(self) -> Iterator[Result]:
        """One range after the other, of which one is held at a time."""
        return (self.load(i) for i in range(self.count))

    def joined(self, *names: str) -> dict[str, np.ndarray]:
        """Arrays of all ranges, joined along the first axis, by name."""
        pieces = [{name: one.arrays[name] for name in names} for one in self.each()]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in names}

    @property
    def names(self) -> list[str]:
        """Of the arrays that a range has."""
        return list(self.load(0).arrays)


class Burst(NamedTuple):
    """How photographs of a burst are looked for, see `preprocess.bursts`."""

    seconds: float
    motion: Motion


class Predictor(Protocol):
    """Of one model; see `pipelines.predict.predictors`. It travels to workers by pickle.

    Attributes:
      endings: of the files that every video gets, after the stem of its summary.
      still_endings: of those that every set of images gets.
      lead: chosen frames before a range that `infer` is shown as well, to warm up.
      signature: of the SavedModel, that is called with frames.
      burst: where photographs of a burst are compared; None where each stands for itself.
    """

    @property
    def endings(self) -> tuple[str, ...]: ...

    @property
    def still_endings(self) -> tuple[str, ...]: ...

    @property
    def lead(self) -> int: ...

    @property
    def signature(self) -> str: ...

    @property
    def burst(self) -> Burst | None: ...

    def check(self, video: Video) -> None:
        """Raises ValueError if a video cannot be analysed, such as one without boxes."""
        ...

    def depends(self, path: str) -> str:
        """Digest of what else the results of a video depend on, such as a file beside it."""
        ...

    def infer(
        self,
        part: Range,
        frames: Iterator[Frame],
        handler: "SavedModelHandler",
        model: "FramePredictor",
    ) -> Result:
        """Runs the model on a range.

        Args:
          frames: those of `part.before` and `part.frames` in order, each once, some without
            pixels; the former have no place in the result.
        """
        ...

    def write(
        self, stem: UPath, video: Video, frames: np.ndarray, results: Results
    ) -> dict[str, Any]:
        """Writes the files of a video, each whole or not at all; repeatable.

        Args:
          stem: what their names begin with.
          frames: int64 (frames,), the numbers of the analysed frames.
          results: of all ranges.

        Returns:
          What the summary of the video says beside what all of them say.
        """
        ...

    def write_stills(self, stem: UPath, stills: Stills, results: Results) -> dict[str, Any]:
        """As `write`, of a set of images; results hold what `still_ranges.Reader` adds, too."""
        ...

    def conclude(
        self, folder: str, summaries: list[PredictionInfo], failures: list[tuple[str, str]]
    ) -> None:
        """Writes what a run has one of for all its videos.

        Args:
          summaries: of the videos.
          failures: paths of the others, and why.
        """
        ...


class Described(NamedTuple):
    """What an experiment and its model make a predictor of.

    Attributes:
      label: what stands behind a video's name in those of its files.
      settings: everything that results depend on, beside the model; plain values.
      view: what of a frame the model sees.
    """

    predictor: Predictor
    label: str
    settings: dict[str, Any]
    view: View
