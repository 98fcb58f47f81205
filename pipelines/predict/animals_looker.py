"""Asks a model who is in the frames of a range, by windows where they say the same as the frame."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from beampose.core.names import DESCRIPTORS, WINDOW
from beampose.pipelines.predict import regions
from beampose.pipelines.predict.follow import BATCH, Following, Window, whole_batch
from beampose.pipelines.predict.regions import Regions
from beampose.trainer import assemble
from beampose.trainer.assemble import Rules

if TYPE_CHECKING:
    from beampose.trainer.frame_predictor import FramePredictor


class Look(NamedTuple):
    """What was found in a frame.

    Attributes:
      outputs: of the model's signature `descriptors`, without the axis of the batch.
      chosen: of `assemble.choose`.
      by_windows: whether windows of the frame said so.
    """

    outputs: dict[str, np.ndarray]
    chosen: np.ndarray
    by_windows: bool = False


class AnimalsLooker:
    """See above.

    Args:
      batch_size: frames of a call that looks at whole frames.
      rules: of assembly.
    """

    def __init__(
        self, following: Following, batch_size: int, model: "FramePredictor", rules: Rules
    ):
        self._following = following
        self._batch_size = batch_size
        self._shared = min(BATCH, batch_size)
        self._model = model
        self._rules = rules
        self._regions: Regions | None = None
        # Of a model of a version before only whole frames can be asked for.
        self._follows = following.share > 0 and model.knows(WINDOW)

    def found(self, frames: Sequence[np.ndarray]) -> list[Look]:
        """Of the next frames of a range, of one size."""
        if not self._follows:
            return list(self._whole(frames))
        size = frames[0].shape[:2]
        if self._regions is None or self._regions.size != size:
            self._regions = Regions(self._following, (size[0], size[1]))
        found: list[Look] = []
        while len(found) < len(frames):
            count = len(frames) if self._regions.lost else self._shared
            found += self._follow(self._regions, frames[len(found) : len(found) + count])
        return found

    def _follow(self, known: Regions, frames: Sequence[np.ndarray]) -> list[Look]:
        """As `found`, of frames that share windows."""
        windows = known.windows()
        looks = list(self._whole(frames) if windows is None else self._in(windows, frames))
        places = []
        for i, frame in enumerate(frames):
            boxes, levels, by = self._boxes(known, looks[i]), known.levels(frame), windows
            if windows is not None and known.unsure(boxes, levels, windows):
                looks[i], by = next(self._whole(frames[i : i + 1], size=1)), None
                boxes = self._boxes(known, looks[i])
            known.saw(boxes, levels, by)
            places.append(boxes)
        again = sum(not look.by_windows for look in looks)
        known.follow(places, windows is not None, again)
        return looks

    def _boxes(self, known: Regions, look: Look) -> list[regions.Box]:
        return known.boxes(assemble.gather(look.outputs, look.chosen))

    def _whole(self, frames: Sequence[np.ndarray], size: int = 0) -> Iterator[Look]:
        many = size or whole_batch(len(frames), self._batch_size, follows=self._follows)
        yield from self._looks([self._asked(frames, many, DESCRIPTORS)], len(frames), False)

    def _in(self, windows: Sequence[Window], frames: Sequence[np.ndarray]) -> Iterator[Look]:
        parts = [self._asked(frames, self._shared, WINDOW, **one.inputs()) for one in windows]
        yield from self._looks(parts, len(frames), True)

    def _asked(
        self, frames: Sequence[np.ndarray], size: int, signature: str, **more: np.ndarray
    ) -> dict[str, np.ndarray]:
        from beampose.trainer.frame_predictor import outputs

        return outputs(self._model, frames, size, signature, **more)

    def _looks(
        self, parts: Sequence[dict[str, np.ndarray]], count: int, by_windows: bool
    ) -> Iterator[Look]:
        """Of each frame, by what the model said of each part of it."""
        for i in range(count):
            each = [{name: value[i] for name, value in one.items()} for one in parts]
            one = each[0] if len(each) == 1 else regions.joined(each, self._rules.edges)
            yield Look(one, assemble.choose(one, self._rules), by_windows)
