"""What is made of predictions: suggestions, doubts, the order of frames, a promise. Arrays only."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from beampose.trainer import cross_validation

# A label is doubted from so many pixels on, and from so many times the median error of its
# bodypart: of few labels a wrong one would decide any higher quantile, and hide itself.
LEAST_DOUBT, TIMES = 4.0, 4.0
# Two labels look swapped where the exchange leaves less than this share of the distance.
SWAPPED = 0.35
# Predictions that contradict a label are this sure at least.
SURE = 0.5
# Weight of a frame of which the model is sure.
_LEAST_UNSURE = 0.15
# Share of an improvement that is worth a sentence.
_WORTH = 0.03


class Doubt(NamedTuple):
    """A label that the model contradicts.

    Attributes:
      point: individual and bodypart.
      distance: pixels from the label to where the model sees it.
      other: the point whose label lies there, if the two look swapped.
    """

    frame: str
    point: tuple[int, int]
    distance: float
    other: tuple[int, int] | None


def by_slots(
    predicted: np.ndarray, labeled: np.ndarray, before: np.ndarray | None, animals: int
) -> np.ndarray:
    """Predicted animals in the rows of the labels that they fit, else of those of a frame before.

    Args:
      predicted: (individuals, bodyparts, 3), NaN = missing.
      labeled: (individuals, bodyparts, 2) of the same frame.
      before: the same of another frame nearby.
      animals: rows of animals; one of the scene follows and stays.
    """
    cost = np.zeros((animals, animals))
    for slot in range(animals):
        known = labeled[slot]
        if np.isnan(known).all() and before is not None:
            known = before[slot]
        apart = np.linalg.norm(predicted[:animals, :, :2] - known, axis=-1)
        seen = np.isfinite(apart)
        total = np.where(seen, apart, 0).sum(axis=1)
        # What has nothing to be compared by costs what is usual.
        cost[:, slot] = np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)
    usual = np.nanmean(cost) if np.isfinite(cost).any() else 0.0
    rows, columns = linear_sum_assignment(np.where(np.isnan(cost), usual, cost))
    found = predicted.copy()
    found[columns] = predicted[rows]
    return found


def judged(frames: Sequence[str], labeled: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Figures of predictions of heads that never saw the frames; empty where nothing is known.

    Args:
      labeled, predicted: as of `doubts`.
    """
    apart = np.linalg.norm(predicted[..., :2] - labeled, axis=-1)
    if not np.isfinite(apart).any():
        return {}
    errors = apart.reshape(-1, apart.shape[-1])
    radius = cross_validation.radii(errors)
    known = [column[np.isfinite(column)] for column in errors.T]
    usual = np.array([np.median(one) if len(one) else np.nan for one in known])
    return {
        "error_px": round(float(np.nanmean(apart)), 2),
        "median_px": round(float(np.nanmedian(apart)), 2),
        "radius": [None if np.isnan(one) else round(float(one), 2) for one in radius],
        "doubts": [one._asdict() for one in doubts(frames, labeled, predicted, usual)],
    }


def doubts(
    frames: Sequence[str], labeled: np.ndarray, predicted: np.ndarray, usual: np.ndarray
) -> list[Doubt]:
    """Labels far from predictions of heads that never saw them, the farthest first.

    Args:
      labeled: (frames, individuals, bodyparts, 2).
      predicted: (frames, individuals, bodyparts, 3), in the rows of the labels.
      usual: (bodyparts,), median error of each; NaN = not known.
    """
    limit = np.fmax(TIMES * usual, LEAST_DOUBT)
    distance = np.linalg.norm(predicted[..., :2] - labeled, axis=-1)
    far = (distance > limit) & (predicted[..., 2] >= SURE)
    found = []
    for frame, i, b in np.argwhere(far).tolist():
        other = _swapped(labeled[frame], predicted[frame], (i, b))
        found.append(Doubt(frames[frame], (i, b), float(distance[frame, i, b]), other))
    return sorted(found, key=lambda one: -one.distance)


def _swapped(
    labeled: np.ndarray, predicted: np.ndarray, point: tuple[int, int]
) -> tuple[int, int] | None:
    """The point that changed places with another one, if the exchange would mend both."""
    own = np.linalg.norm(labeled[point] - predicted[point][:2])
    for i, b in np.argwhere(np.isfinite(labeled).all(axis=-1)).tolist():
        if (i, b) == point or (i != point[0] and b != point[1]):
            continue
        there = np.linalg.norm(labeled[i, b] - predicted[point][:2])
        back = np.linalg.norm(labeled[point] - predicted[i, b][:2])
        apart = np.linalg.norm(labeled[i, b] - predicted[i, b][:2])
        if max(there, back) < SWAPPED * min(own, apart):
            return i, b
    return None


def order(unsure: np.ndarray, vectors: np.ndarray, known: np.ndarray, most: int) -> list[int]:
    """Frames to label next: with each of them the others become most like what is labeled.

    Greedy facility location: the distance of every frame from the nearest labeled or chosen one, in
    units of how unsure it is, falls as far as one more frame can make it. A frame that is only
    unlike all others stands for nothing but itself: by distance and doubt alone such frames came
    first, which taught less (docs/label.md).

    Args:
      unsure: (frames,), 0 to 1.
      vectors: (frames, dims) of the frames.
      known: (images, dims) of labeled ones.
      most: how many are chosen.
    """
    if not len(vectors):
        return []
    spread = np.maximum(vectors.std(axis=0), 1e-6)
    scaled = vectors / spread
    apart = cdist(scaled, scaled)
    # Where nothing is labeled, all is as far as it can be.
    nearest = cdist(scaled, known / spread).min(axis=1) if len(known) else apart.max(axis=1)
    weights = _LEAST_UNSURE + unsure
    chosen: list[int] = []
    for _ in range(min(most, len(vectors))):
        gain = weights @ np.maximum(nearest[:, None] - apart, 0)
        gain[chosen] = -1.0
        best = int(np.argmax(gain))
        chosen.append(best)
        nearest = np.minimum(nearest, apart[best])
    return chosen


def promise(curve: Sequence[tuple[int, float]], more: int = 10) -> str:
    """What more frames would bring, by the learning curve so far; empty if that is not known.

    Args:
      curve: labeled frames and held-out error in pixels.
    """
    known = [(n, error) for n, error in curve if n > 0 and error > 0]
    if len(known) < 3 or known[-1][0] < 1.4 * known[0][0]:
        return ""
    counts, errors = np.log(np.array(known, float)).T
    slope, _ = np.polyfit(counts, errors, 1)
    last, error = known[-1]
    gain = error * (1 - ((last + more) / last) ** min(slope, 0.0))
    if gain < _WORTH * error:
        return f"{more} more frames of this kind would bring little."
    return f"{more} more frames bring about {gain:.1f} px."


def plain(predicted: np.ndarray, points: Sequence[tuple[int, int]]) -> list:
    """Suggestions of a frame as the page takes them: x, y, likelihood or None of each point."""
    shown = set(map(tuple, points))
    return [
        [
            None
            if (i, b) not in shown or not np.isfinite(one).all()
            else [round(float(one[0]), 2), round(float(one[1]), 2), round(float(one[2]), 3)]
            for b, one in enumerate(row)
        ]
        for i, row in enumerate(predicted)
    ]
