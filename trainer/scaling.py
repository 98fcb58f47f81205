"""Scaling of the vectors under keypoints, so that what is special about one stands out."""

from typing import NamedTuple

import numpy as np

# Detections a bodypart needs for statistics of its own; with fewer it gets those of all.
_ENOUGH = 10
# Detections that are processed together, so that memory is bounded.
_AT_ONCE = 4096


class Scaling(NamedTuple):
    """Means and standard deviations, float32 (bodyparts, dims) each."""

    mean: np.ndarray
    deviation: np.ndarray


def usable(vectors: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Marks usable bodyparts: those present whose numbers are all finite, (n, bodyparts).

    Raises:
      ValueError: shapes do not fit.
    """
    if vectors.ndim != 3 or present.shape != vectors.shape[:2]:
        raise ValueError(
            "vectors must be (n, bodyparts, dims) and present (n, bodyparts). "
            f"Received: {vectors.shape} and {present.shape}"
        )
    return present.astype(bool) & np.isfinite(vectors.astype(np.float32)).all(axis=-1)


def of(vectors: np.ndarray, present: np.ndarray) -> Scaling:
    """Of each bodypart by itself: what all animals' noses have in common tells no animals apart.

    Args:
      vectors: (n, bodyparts, dims); present: (n, bodyparts).

    Raises:
      ValueError: shapes do not fit, or nothing is present.
    """
    parts = vectors.shape[1:]
    count, total, squares = np.zeros(parts[:1]), np.zeros(parts), np.zeros(parts)
    shift = None
    for start in range(0, len(vectors), _AT_ONCE):
        some = vectors[start : start + _AT_ONCE].astype(np.float32)
        there = usable(some, present[start : start + _AT_ONCE])
        some = np.where(there[..., None], some, 0.0).astype(np.float64)
        if shift is None and there.any():
            shift = some.sum(axis=(0, 1)) / there.sum()
        some = np.where(there[..., None], some - (0.0 if shift is None else shift), 0.0)
        count += there.sum(axis=0)
        total += some.sum(axis=0)
        squares += (some**2).sum(axis=0)
    if shift is None:
        raise ValueError("No vector is present: there is nothing to learn from.")
    few = count < _ENOUGH
    count[few], total[few], squares[few] = count.sum(), total.sum(axis=0), squares.sum(axis=0)
    mean = total / count[:, None]
    deviation = np.sqrt(np.maximum(squares / count[:, None] - mean**2, 0.0))
    # A number that never changes tells nothing, and must not be blown up.
    deviation = np.where(deviation > 1e-6, deviation, 1.0)
    return Scaling((mean + shift).astype(np.float32), deviation.astype(np.float32))
