"""Frames of SLEAP's files without an animal, as newer ones tell them from those not labeled yet."""

import math
from typing import NamedTuple, Protocol

import numpy as np

from beampose.core import h5

# What else may say that there is an animal in a frame: columns of a group, or a table.
_OTHERS = ("bboxes", "centroids", "masks", "rois", "label_images")


class Frame(Protocol):
    """The number that a frame names its video by, and its own."""

    @property
    def video(self) -> int: ...

    @property
    def index(self) -> int: ...


class Without(NamedTuple):
    """Which frames have no animal.

    Attributes:
      marked: (video, frame) of those that a person marked so; None if the file marks none.
      others: (video, frame) with a box, a centre or a mask; videos by their places in the list.
    """

    marked: frozenset[tuple[int, int]] | None
    others: frozenset[tuple[int, int]]

    def is_one(self, frame: Frame) -> bool:
        """Returns True for a frame that is known, or may be taken, to be without an animal."""
        place = (frame.video, frame.index)
        return place not in self.others and (self.marked is None or place in self.marked)


def read(file: h5.Group) -> Without:
    """What a file says besides its tables of animals.

    Raises:
      ValueError: it is damaged.
    """
    marked = _pairs(file, "negative_frames", "video_id")
    others = [_pairs(file, name, "video") or frozenset() for name in _OTHERS]
    return Without(marked, frozenset().union(*others))


def _pairs(file: h5.Group, name: str, video: str) -> frozenset[tuple[int, int]] | None:
    """(video, frame) of the rows of a table or of the columns of a group; None if it has none."""
    names = (video, "frame_idx")
    columns = file.group(name)
    if columns is not None:
        found = [columns.values(one) for one in names if columns.dataset(one) is not None]
    elif file.dataset(name) is not None:
        table = file.values(name)
        found = [table[one] for one in names if one in (table.dtype.names or ())]
    else:
        return None
    if len(found) < len(names) or any(one.dtype.kind not in "iuf" for one in found):
        return None
    pairs = zip(*(np.ravel(one).tolist() for one in found), strict=False)
    return frozenset(
        (int(one), int(other))
        for one, other in pairs
        if math.isfinite(one) and math.isfinite(other)
    )
