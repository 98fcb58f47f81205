"""Candidate boxes in a video, found by motion or read from a file."""

import functools
import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import files
from beampose.core.settings.experiment import Boxes
from beampose.core.wording import agreed, counted
from beampose.formats import box_files
from beampose.formats.box_files import FileBoxes
from beampose.pipelines.still_sets import FindBoxes
from beampose.preprocess.cut import Rule
from beampose.preprocess.motion import Detector, Motion
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Video

LOG = logging.getLogger(__name__)
# A frame's number and pixels to its boxes int32 (n, 4) and the detector's confidence (n,).
Find = Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Candidates(NamedTuple):
    """Boxes by motion, or from files; one of both.

    `burst` are seconds from one photograph of a burst to the next; 0 where there are none.
    """

    motion: Motion | None = None
    file: FileBoxes | None = None
    burst: float = 0.0

    @property
    def lead(self) -> int:
        """Frames that warm up before a range."""
        return self.motion.burn_in if self.motion else 0

    def detector(self, *, stills: bool = False) -> str:
        """What finds boxes in videos or in photographs, for other programs."""
        if self.motion is None:
            return files.name(self._file.path)
        if not stills:
            return "motion (MOG2)"
        return "motion between photographs of a burst" if self.burst else "none: whole photographs"

    def check(self, video: Video) -> None:
        """Raises ValueError if a video cannot be searched."""
        if self.motion is None:
            found = self._file.read(video.path)
            if found.remark:
                LOG.warning("NOTE %s: %s", video.path, found.remark)
            if flat := int((found.places[:, 2:] <= 0).any(axis=1).sum()):
                said = f"{counted(flat, 'box')} without width or height {agreed(flat, 'are')}"
                LOG.warning("NOTE %s: %s left out", video.path, said)
        elif self.motion.roi is not None:
            x1, x2, y1, y2 = self.motion.roi
            if x2 > video.width or y2 > video.height:
                raise ValueError(
                    f"{video.path}: boxes.roi {[x1, x2, y1, y2]} does not fit frames of "
                    f"{video.width}x{video.height}."
                )

    def unsure(self, paths: Sequence[str]) -> dict[str, str]:
        """Videos whose boxes may be those of another of them, and why."""
        return {} if self.motion is not None else self._file.unsure(paths)

    def digest(self, path: str) -> str:
        """Of the file of boxes of a video; nothing for motion."""
        if self.motion is not None:
            return ""
        file = self._file.file_of(path)
        return _digest(file, files.stamp(file))

    def of(self, video: Video | Stills) -> Find:
        """The search in frames of a video, which are shown in order, or in images."""
        if isinstance(video, Stills):
            return functools.partial(_in_still, video)
        if self.motion is not None:
            detector = Detector(self.motion)

            def moving(number: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                found = detector.boxes(pixels)
                return found, np.full(len(found), np.nan)

            return moving
        read = self._file.read(video.path)
        return lambda number, pixels: read.of(number, *pixels.shape[:2])

    def of_stills(self) -> FindBoxes | None:
        """Boxes of photographs from a file; None where whole images are taken."""
        return None if self.motion is not None else self._file.of_stills

    def describe(self) -> dict[str, Any]:
        """Its settings, for DeepMeerkat's parameters.csv."""
        values = (self.motion or self._file)._asdict()
        burst = {"burst": self.burst} if self.burst else {}
        return {"boxes": "motion" if self.motion else "file", **values, **burst}

    @property
    def _file(self) -> FileBoxes:
        assert self.file is not None
        return self.file


def of_config(boxes: Boxes) -> Candidates:
    """Reads the section `boxes`."""
    if boxes.by == "file":
        assert boxes.path is not None
        return Candidates(file=FileBoxes(boxes.path, boxes.min_confidence, tuple(boxes.categories)))
    roi = None if boxes.roi is None else (boxes.roi[0], boxes.roi[1], boxes.roi[2], boxes.roi[3])
    return Candidates(
        motion=Motion(
            learning_rate=boxes.learning_rate,
            variance=boxes.variance,
            background_ratio=boxes.background_ratio,
            roi=roi,
            min_size=boxes.min_size,
            merge=boxes.merge,
            opening=boxes.opening,
            min_area=boxes.min_area,
            burn_in=boxes.burn_in,
        ),
        burst=boxes.burst,
    )


def rule_of(boxes: Boxes, known: dict[str, Any] | None) -> tuple[Rule, str]:
    """Rule for cutting crops, and a remark if it may differ from the rule in training.

    Args:
      known: `crop_rule` of the model's info.json; None of a model of foreign crops.
    """
    trained = Rule() if known is None else Rule(known["pad"], known["square"])
    rule = Rule(
        trained.pad if boxes.pad is None else boxes.pad,
        trained.square if boxes.square is None else boxes.square,
    )
    if known is None and boxes.pad is None and boxes.square is None:
        return rule, (
            f"how the model's training crops were cut is not known: {rule.pad:g} of a box's sides "
            "is added around it. If they were wider or tighter, set boxes.pad"
        )
    if known is not None and rule != trained:
        return rule, (
            f"crops are cut with pad {rule.pad:g}, square {rule.square}; the model learned from "
            f"pad {trained.pad:g}, square {trained.square}"
        )
    return rule, ""


def _in_still(stills: Stills, number: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of an image, as they were listed; all of it where nobody was asked for any."""
    boxes = stills.still(number).boxes
    height, width = pixels.shape[:2]
    if boxes is None:
        return np.array([[0, 0, width, height]], np.int32), np.array([np.nan])
    return box_files.relative([box[:5] for box in boxes]).of(0, height, width)


@functools.lru_cache(maxsize=1024)
def _digest(path: str, stamp: tuple[int, str]) -> str:
    return hashlib.sha256(files.read_bytes(path)).hexdigest()[:16]
