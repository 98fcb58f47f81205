"""Calibration of likelihoods. NumPy only."""

from typing import NamedTuple

import numpy as np

# Ten bins of equal width, as Guo et al. 2017, "On Calibration of Modern Neural Networks".
BINS = 10
# A bin of fewer answers says little: it is drawn, but as hollow.
ENOUGH = 10
# Below this number of answers no calibration error is given: chance alone makes it large.
FEWEST = 30
# Cutoffs whose figures are listed; the curve has all of them.
CUTOFFS = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)


THRESHOLDS = np.array([0.1, 0.3, 0.5, 0.7, 0.9])


class Bin(NamedTuple):
    """Answers whose score lies in [low, high), the last one closed.

    Attributes:
      score: their mean score.
      share: how many of them are right; `least`, `most`: its 95 % interval (Wilson).
    """

    low: float
    high: float
    count: int
    score: float
    share: float
    least: float
    most: float


class Kept(NamedTuple):
    """Predictions that a cutoff keeps: their share, their errors, and what else it lets through.

    Attributes:
      mean, median: errors of the kept answers; NaN if none is kept.
      right: share of the kept answers within the tolerance; NaN if none is kept.
      invented: of the answers for unlabeled points, the share that is kept; NaN if none.
    """

    cutoff: float
    count: int
    share: float
    mean: float
    median: float
    right: float
    invented: float


class Rate(NamedTuple):
    """Rates at a threshold: the number called positive, precision and recall.

    A rate is NaN where there is nothing to divide by.
    """

    threshold: float
    called: int
    precision: float
    recall: float


def rates(score: np.ndarray, positive: np.ndarray, thresholds: np.ndarray) -> list[Rate]:
    """Precision and recall at each threshold, which itself counts as positive.

    Args:
      score: (n,) of the positive class.
      positive: (n,) bool, what is true.
    """
    found = []
    for threshold in thresholds:
        called = score >= threshold
        hits, size = int((called & positive).sum()), int(called.sum())
        of = int(positive.sum())
        found.append(
            Rate(
                float(threshold), size, hits / size if size else np.nan, hits / of if of else np.nan
            )
        )
    return found


def bins(score: np.ndarray, right: np.ndarray, count: int = BINS) -> list[Bin]:
    """The bins that hold something.

    Args:
      score: (n,) from 0 to 1.
      right: (n,) bool.
    """
    place = _places(score, count)
    found = []
    for number in np.unique(place).tolist():
        chosen = place == number
        hits, size = int(right[chosen].sum()), int(chosen.sum())
        least, most = wilson(hits, size)
        mean = float(score[chosen].mean())
        low, high = number / count, (number + 1) / count
        found.append(Bin(low, high, size, mean, hits / size, least, most))
    return found


def expected_error(score: np.ndarray, right: np.ndarray, count: int = BINS) -> float | None:
    """Expected calibration error: the mean of |share right - score| over bins, by their size.

    None for fewer than FEWEST answers.
    """
    if len(score) < FEWEST:
        return None
    place = _places(score, count)
    gap = np.bincount(place, weights=right - score, minlength=count)
    return float(np.abs(gap).sum() / len(score))


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share of `count` draws; by Wilson 1927, which holds for few draws too."""
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * np.sqrt(share * (1 - share) / count + spread / (4 * count))
    # Rounding must not put a share outside its interval.
    return float(np.clip(middle - half, 0.0, share)), float(np.clip(middle + half, share, 1.0))


def kept(
    likelihood: np.ndarray,
    error: np.ndarray,
    unlabeled: np.ndarray,
    cutoffs: np.ndarray,
    *,
    tolerance: float,
) -> list[Kept]:
    """Predictions that each cutoff keeps and loses.

    Args:
      likelihood, error: (n,) of the labeled points.
      unlabeled: likelihoods of answers for unlabeled points.
      tolerance: pixels within which an answer is right.
    """
    found = []
    for cutoff in cutoffs:
        chosen = error[likelihood >= cutoff]
        some = bool(len(chosen))
        found.append(
            Kept(
                float(cutoff),
                len(chosen),
                len(chosen) / len(error) if len(error) else np.nan,
                float(chosen.mean()) if some else np.nan,
                float(np.median(chosen)) if some else np.nan,
                float((chosen <= tolerance).mean()) if some else np.nan,
                float((unlabeled >= cutoff).mean()) if len(unlabeled) else np.nan,
            )
        )
    return found


def listed(cutoff: float) -> np.ndarray:
    """The cutoffs of the table, with the one that is set."""
    return np.unique([*CUTOFFS, cutoff])


def _places(score: np.ndarray, count: int) -> np.ndarray:
    return np.clip((score * count).astype(int), 0, count - 1)
