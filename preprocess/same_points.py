"""Says which labels seem to be copies: of another animal of the frame, or of another frame."""

from collections.abc import Sequence

import numpy as np

from beampose.core.wording import counted
from beampose.preprocess.labels import WARNING, LabeledCrop, LabeledFrame, Problem

# Two points may be the same by chance, as where an animal sleeps, if they are whole numbers.
_FEWEST = 3


def problems(items: Sequence[LabeledFrame | LabeledCrop], usable: Sequence[bool]) -> list[Problem]:
    """A line for frames in which two animals have the same points, and one for frames of a video
    whose points are all those of another.

    Args:
      items: with points outside their images taken out.
      usable: which of them are used; images with the same pixels are told elsewhere.
    """
    both = zip(items, usable, strict=True)
    frames = [one for one, use in both if use and isinstance(one, LabeledFrame)]
    found = []
    twins = [one for one in frames if _twins(one.keypoints)]
    if twins:
        what = (
            f"two animals have the very same points in {counted(len(twins), 'image')}: one that "
            "was labeled twice, or a copy that was not moved. Both are used"
        )
        found.append(_problem(twins[0], what))
    first: dict[tuple[str, bytes], LabeledFrame] = {}
    copies = []
    for one in frames:
        if np.isfinite(one.keypoints).all(axis=-1).sum() < _FEWEST:
            continue
        known = first.setdefault((one.video, one.keypoints.tobytes()), one)
        if known is not one:
            copies.append((one, known))
    if copies:
        one, known = copies[0]
        what = (
            f"all points are those of {known.name} to the last digit, in "
            f"{counted(len(copies), 'image')} of this kind: copied and not moved? They are used"
        )
        found.append(_problem(one, what))
    return found


def _twins(keypoints: np.ndarray) -> bool:
    """Returns True if two animals (individuals, bodyparts, 2) are labeled, and equal."""
    labeled = [one.tobytes() for one in keypoints if np.isfinite(one).any()]
    return len(set(labeled)) < len(labeled)


def _problem(frame: LabeledFrame, what: str) -> Problem:
    return Problem(WARNING, frame.file, frame.row, frame.name, what)
