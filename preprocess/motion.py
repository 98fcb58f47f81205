"""Candidate boxes by motion: what differs from the background, in DeepMeerkat's steps.

A thing that keeps still is foreground for log(background_ratio) / log(1 - learning_rate) frames:
17 with the settings here, one with those of DeepMeerkat (0.1 and 0.95), which sees only
what changes between two frames.
"""

from typing import NamedTuple

import cv2
import numpy as np

# A frame of noise may hold thousands of specks; the largest are used.
MOST = 1000


class Motion(NamedTuple):
    """Settings for turning motion into boxes.

    Attributes:
      learning_rate: share of a new frame in the background.
      variance: squared distance, in variances of a pixel, from which it is foreground.
      background_ratio: share of the mixture that counts as background.
      roi: x1, x2, y1, y2 in pixels, the part of the frame that is analysed; None = all.
      min_size: a box's smallest area as a share of the frame's.
      merge: boxes closer than this many pixels become one.
      opening: side of the ellipse that removes specks; 0 = none.
      min_area: pixels a contour has at least.
      burn_in: frames that are only learned from, all alike, before boxes count.
    """

    learning_rate: float = 0.02
    variance: float = 20.0
    background_ratio: float = 0.7
    roi: tuple[int, int, int, int] | None = None
    min_size: float = 0.01
    merge: float = 75.0
    opening: int = 9
    min_area: float = 50.0
    burn_in: int = 50


class Detector:
    """Finds boxes in frames shown in order; every detector begins without a background."""

    def __init__(self, settings: Motion):
        self._settings = settings
        self._seen = 0
        self._model = cv2.createBackgroundSubtractorMOG2(
            varThreshold=settings.variance, detectShadows=False
        )
        self._model.setBackgroundRatio(settings.background_ratio)

    def boxes(self, pixels: np.ndarray) -> np.ndarray:
        """Boxes int32 (boxes, 4) x, y, width, height of a frame (height, width, 3), sorted."""
        wanted = self._settings
        x1, x2, y1, y2 = wanted.roi or (0, pixels.shape[1], 0, pixels.shape[0])
        self._seen += 1
        rate = wanted.learning_rate
        if self._seen <= wanted.burn_in:
            # An animal in the very first frame would else be background for long.
            rate = max(rate, 1 / self._seen)
        mask = self._model.apply(np.ascontiguousarray(pixels[y1:y2, x1:x2]), learningRate=rate)
        if self._seen <= wanted.burn_in:
            return np.empty((0, 4), np.int32)
        whole = np.zeros(pixels.shape[:2], np.uint8)
        whole[y1:y2, x1:x2] = mask
        return boxes_of(whole, wanted)


def boxes_of(mask: np.ndarray, wanted: Motion) -> np.ndarray:
    """Boxes int32 (boxes, 4) x, y, width, height of what is not 0 in the region of interest.

    Args:
      mask: uint8 (height, width) of a whole frame.
    """
    x1, x2, y1, y2 = wanted.roi or (0, mask.shape[1], 0, mask.shape[0])
    inside = mask[y1:y2, x1:x2]
    if wanted.opening:
        side = wanted.opening
        ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        inside = cv2.morphologyEx(inside, cv2.MORPH_OPEN, ellipse)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    areas = sorted(((cv2.contourArea(c), i) for i, c in enumerate(contours)), reverse=True)
    large = [contours[i] for area, i in areas[:MOST] if area > wanted.min_area]
    found = merged(np.array([cv2.boundingRect(c) for c in large]), wanted.merge)
    smallest = wanted.min_size * mask.shape[0] * mask.shape[1]
    found = found[found[:, 2] * found[:, 3] > smallest] + np.array([x1, y1, 0, 0], np.int32)
    return found[np.lexsort((found[:, 0], found[:, 1]))]


def merged(boxes: np.ndarray, distance: float) -> np.ndarray:
    """Boxes (n, 4) x, y, width, height; those nearer than a distance joined until none are."""
    boxes = np.asarray(boxes, np.int32).reshape(-1, 4)
    while len(boxes) > 1 and distance > 0:
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        gaps = np.maximum(low[:, None] - high[None], low[None] - high[:, None])
        near = (np.maximum(gaps, 0) ** 2).sum(axis=-1) < distance**2
        groups = _components(near)
        if groups.max() + 1 == len(boxes):
            break
        count = int(groups.max()) + 1
        lows = np.full((count, 2), np.iinfo(np.int32).max, np.int32)
        highs = np.full((count, 2), np.iinfo(np.int32).min, np.int32)
        np.minimum.at(lows, groups, low)
        np.maximum.at(highs, groups, high)
        boxes = np.concatenate([lows, highs - lows], axis=1)
    return boxes


def _components(near: np.ndarray) -> np.ndarray:
    """The group, from 0, of each of n things, from who is near whom (n, n)."""
    smallest = np.arange(len(near))
    while True:
        # Each takes the lowest number among its neighbours until nothing changes.
        lower = np.where(near, smallest[None], len(near)).min(axis=1)
        if (lower == smallest).all():
            return np.unique(smallest, return_inverse=True)[1]
        smallest = lower
