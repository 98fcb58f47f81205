"""Similarity of a detection to an expected animal: by ellipses, boxes or keypoints."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from beampose.pipelines.tracking.motion_filter import Noise

# What one point stands for, in pixels, where animals have one bodypart: DeepLabCut's slack.
ONE_POINT = 40.0
# DeepLabCut's: two standard deviations, and what its two parts count.
_DEVIATIONS = 2.0
_POINTS = 3
_BY_PLACE, _BY_ANGLE = 0.8, 0.2


class Kind(NamedTuple):
    """A way to compare.

    Attributes:
      threshold: similarity, 0 to 1, below which two are not the same animal, by default.
      observe: of keypoints (n, bodyparts, 2) what is filtered, (n, coordinates), NaN = unknown.
      noise: of a number of bodyparts.
      compare: of predicted (n, coordinates), observed (m, coordinates), and the sizes of both, in
        pixels, their similarity (n, m).
      angle: which coordinate is one; None = none.
    """

    threshold: float
    observe: Callable[[np.ndarray], np.ndarray]
    noise: Callable[[int], Noise]
    compare: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    angle: int | None = None


def sizes(keypoints: np.ndarray) -> np.ndarray:
    """Diagonals of the boxes around keypoints (n, bodyparts, 2), (n,); each has one at least."""
    high = np.where(np.isnan(keypoints), -np.inf, keypoints).max(axis=1)
    low = np.where(np.isnan(keypoints), np.inf, keypoints).min(axis=1)
    return np.hypot(*(high - low).T)


def centres(keypoints: np.ndarray) -> np.ndarray:
    """Means of the keypoints that are there: (n, bodyparts, 2) to (n, 2)."""
    there = ~np.isnan(keypoints)
    total = np.where(there, keypoints, 0.0).sum(axis=-2)
    return total / np.where(there.any(axis=-2), there.sum(axis=-2), np.nan)


def ellipses(keypoints: np.ndarray) -> np.ndarray:
    """Ellipses of two standard deviations, (n, 5): x, y, width, height in pixels, angle in radians.

    Width and angle are those of the long axis, in (-pi/2, pi/2]. Fewer than three points have
    no axes, only a centre. Source: DeepLabCut, lib/trackingutils.py.
    """
    there = np.asarray(~np.isnan(keypoints).any(axis=-1))
    count = there.sum(axis=1)
    middle = centres(keypoints)
    x, y = np.moveaxis(np.where(there[..., None], keypoints - middle[:, None], 0.0), -1, 0)
    rest = np.maximum(count - 1, 1)
    xx, yy, xy = ((a * b).sum(axis=1) / rest for a, b in ((x, x), (y, y), (x, y)))
    spread = np.hypot((xx - yy) / 2, xy)
    axes = [2 * _DEVIATIONS * np.sqrt(np.maximum((xx + yy) / 2 + s, 0)) for s in (spread, -spread)]
    angle = np.arctan2(2 * xy, xx - yy) / 2
    found = np.stack([*middle.T, *axes, angle], axis=1)
    found[count < _POINTS, 2:] = np.nan
    return found


def by_ellipse(one: np.ndarray, two: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """DeepLabCut's: 0.8 c1 + 0.2 c1 c2, of the distance of centres over the longest axis, c1, and
    the cosine between the long axes, c2 (1 where one has none); the longest axis is a size at
    least."""
    longest = [np.fmax(np.fmax(e[:, 2], e[:, 3]), size) for e, size in ((one, a), (two, b))]
    reach = np.maximum(longest[0][:, None], longest[1])
    apart = np.linalg.norm(one[:, None, :2] - two[:, :2], axis=-1)
    near = 1 - np.minimum(apart / reach, 1)
    along = np.abs(np.cos(one[:, None, 4] - two[:, 4]))
    return near * (_BY_PLACE + _BY_ANGLE * np.where(np.isnan(along), 1.0, along))


def boxes(keypoints: np.ndarray) -> np.ndarray:
    """Boxes around keypoints, (n, 4): x, y of the centre, width, height in pixels."""
    high = np.where(np.isnan(keypoints), -np.inf, keypoints).max(axis=1)
    low = np.where(np.isnan(keypoints), np.inf, keypoints).min(axis=1)
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def by_box(one: np.ndarray, two: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union. No side is shorter than a fourth of the animal's size: points in a
    line have no box to speak of."""
    extent = [np.maximum(e[:, 2:], size[:, None] / 4) for e, size in ((one, a), (two, b))]
    low = np.maximum((one[:, :2] - extent[0] / 2)[:, None], two[:, :2] - extent[1] / 2)
    high = np.minimum((one[:, :2] + extent[0] / 2)[:, None], two[:, :2] + extent[1] / 2)
    shared = np.maximum(high - low, 0).prod(axis=-1)
    return shared / (extent[0].prod(axis=1)[:, None] + extent[1].prod(axis=1) - shared)


def by_keypoints(one: np.ndarray, two: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 - mean distance of the bodyparts both have, over the larger size; 0 at least. Without such
    a bodypart, the distance of the centres."""
    first, second = (e.reshape(len(e), e.shape[1] // 2, 2) for e in (one, two))
    apart = np.linalg.norm(first[:, None] - second, axis=-1)
    both = ~np.isnan(apart)
    count = both.sum(axis=-1)
    mean = np.where(both, apart, 0.0).sum(axis=-1) / np.maximum(count, 1)
    middles = np.linalg.norm(centres(first)[:, None] - centres(second), axis=-1)
    reach = np.maximum(a[:, None], b)
    return 1 - np.minimum(np.where(count > 0, mean, middles) / reach, 1)


def turned(angle: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """The angle of the same axis that is nearest to another: an axis has two, half a turn apart."""
    return angle + np.pi * np.round((towards - angle) / np.pi)


def _flat(keypoints: np.ndarray) -> np.ndarray:
    return keypoints.reshape(len(keypoints), 2 * keypoints.shape[1])


def _noise(measured: list[float], accelerated: list[float], speed: list[float]) -> Noise:
    return Noise(np.array(measured), np.array(accelerated), np.array(speed))


def _ellipse_noise(_: int) -> Noise:
    # Of the angle, in radians: it is filtered with a scale of its own, 1 (see `tracklets`).
    return _noise([0.05, 0.05, 0.1, 0.1, 0.1], [0.05, 0.05, 0.01, 0.01, 0.05], [0.3, 0.3, 0, 0, 0])


def _box_noise(_: int) -> Noise:
    return _noise([0.05, 0.05, 0.1, 0.1], [0.05, 0.05, 0.01, 0.01], [0.3, 0.3, 0, 0])


def _keypoints_noise(bodyparts: int) -> Noise:
    count = 2 * bodyparts
    return _noise([0.05] * count, [0.05] * count, [0.3] * count)


KINDS = {
    "ellipse": Kind(0.5, ellipses, _ellipse_noise, by_ellipse, angle=4),
    "box": Kind(0.2, boxes, _box_noise, by_box),
    "skeleton": Kind(0.5, _flat, _keypoints_noise, by_keypoints),
}
