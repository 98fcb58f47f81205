"""Distances between bodyparts, and labels that put a bodypart where it does not belong."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# A distance is odd from this many robust standard deviations on; of a normal distribution one in
# 15,000 is.
ODD = 4.0
# The spread of distances of few labels says nothing.
FEWEST = 8
# A median absolute deviation times this is the standard deviation of a normal distribution.
_NORMAL = 1.4826
# Labels of one point by one person differ by about this many pixels.
_HAND = 1.0


class Bodypart(NamedTuple):
    """Figures of the labels of a bodypart.

    Attributes:
      labeled, missing: labels, and animals without one.
      nearest: the bodypart it is usually nearest to, None without any pair.
      median, low, high: pixels between the two: the middle, and 5 and 95 in 100 are below.
    """

    name: str
    labeled: int
    missing: int
    nearest: str | None
    median: float
    low: float
    high: float


class Oddity(NamedTuple):
    """A bodypart of an animal that is too far from the others or too near.

    Attributes:
      score: how many robust standard deviations, the median over the other bodyparts.
      other: the bodypart whose distance is the oddest; `distance` to it, and the `usual` one.
    """

    bodypart: int
    score: float
    other: int
    distance: float
    usual: float


def distances(keypoints: np.ndarray) -> np.ndarray:
    """(animals, bodyparts, 2) to pixels between all pairs, (animals, bodyparts, bodyparts)."""
    return np.linalg.norm(keypoints[:, :, None] - keypoints[:, None], axis=-1)


def figures(keypoints: np.ndarray, names: Sequence[str]) -> list[Bodypart]:
    """Figures of each bodypart; (animals, bodyparts, 2), NaN = not labeled."""
    between = distances(keypoints)
    found = []
    for i, name in enumerate(names):
        labeled = int(np.isfinite(keypoints[:, i]).all(axis=-1).sum())
        missing = len(keypoints) - labeled
        typical = {
            j: float(np.nanmedian(between[:, i, j]))
            for j in range(len(names))
            if j != i and np.isfinite(between[:, i, j]).any()
        }
        if not typical:
            found.append(Bodypart(name, labeled, missing, None, np.nan, np.nan, np.nan))
            continue
        nearest = min(typical, key=typical.__getitem__)
        low, high = np.nanpercentile(between[:, i, nearest], [5, 95])
        middle = typical[nearest]
        found.append(
            Bodypart(name, labeled, missing, names[nearest], middle, float(low), float(high))
        )
    return found


def oddities(keypoints: np.ndarray) -> list[Oddity | None]:
    """The oddest bodypart of each animal; None where all distances are as usual."""
    between = distances(keypoints)
    score, usual = _deviations(between)
    found: list[Oddity | None] = []
    for animal, own in enumerate(score):
        # A bodypart that is out of place is odd to most others; one beside it only to that one.
        known = np.isfinite(own).any(axis=1)
        size = np.full(len(own), -1.0)
        size[known] = np.nanmedian(own[known], axis=1)
        worst = int(size.argmax()) if len(size) else 0
        if not len(size) or size[worst] < ODD:
            found.append(None)
            continue
        other = int(np.nanargmax(own[worst]))
        pair = (worst, other)
        found.append(
            Oddity(worst, float(size[worst]), other, float(between[animal][pair]), usual[pair])
        )
    return found


def _deviations(between: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deviation of each distance, NaN where it is unknown; and the usual distances."""
    score = np.full(between.shape, np.nan)
    usual = np.full(between.shape[1:], np.nan)
    for i, j in np.ndindex(*usual.shape):
        column = between[:, i, j]
        known = np.isfinite(column)
        if i == j or known.sum() < FEWEST:
            continue
        usual[i, j] = np.median(column[known])
        off = np.abs(column - usual[i, j])
        score[:, i, j] = off / max(_NORMAL * float(np.median(off[known])), _HAND)
    return score, usual
