"""Which labels are most likely wrong, and why. Arrays in, suspicions out.

A label is judged by what does not know it: the prediction of a head that never saw the frame, the
labels of frames that look nearly the same, and the labeled points of other frames that look alike.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

SWAP, FAR, NEIGHBOURS, CLASS = "swap", "far", "neighbours", "class"
# Frames compared with, and points compared with.
_FRAMES, _POINTS = 3, 7
# A frame is nearly the same as another when it is nearer than this share of frames' nearest others.
_SAME = 0.5
# An error counts by how many times it is the usual one of its bodypart, but errors below a pixel
# or so are a person's hand.
_LEAST = 1.0


class Evidence(NamedTuple):
    """What is known of the labels of one experiment.

    Attributes:
      records: labeled images.
      names: bodyparts, or classes.
      truth: (images, bodyparts, 2) labels, NaN = not labeled; or (images,) classes.
      predicted: (images, bodyparts, 3) or (images, classes), by heads that never saw the image.
      frames: (images, dims), what each image looks like.
      points: (images, bodyparts, dims), what each labeled point looks like; empty for crops.
    """

    records: Sequence[Any]
    names: Sequence[str]
    truth: np.ndarray
    predicted: np.ndarray
    frames: np.ndarray
    points: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """(images, bodyparts) pixels between label and prediction."""
        return np.linalg.norm(self.predicted[..., :2] - self.truth, axis=-1)
