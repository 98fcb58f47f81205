"""Frames whose predictions are likely wrong: those that jump, are unsure, do not fit or disagree.

The four rules are DeepLabCut's (outlier_frames.py) but for the last, and for `fitting`, which
compares with a Kalman smoother that has not seen the row instead of a SARIMAX model that has.
"""

from typing import NamedTuple

import numpy as np

from beampose.core.settings.experiment import Outliers
from beampose.pipelines.results import rts_smoother
from beampose.preprocess import select


class Suspects(NamedTuple):
    """Rows that are candidates, in order, and how suspicious every row is."""

    rows: np.ndarray
    score: np.ndarray


def suspects(
    values: np.ndarray,
    settings: Outliers,
    *,
    count: int,
    frames: np.ndarray,
    spread: np.ndarray | None = None,
) -> Suspects:
    """Candidates by `settings.method`; a row without any prediction is none.

    Args:
      values: (rows, points, 3) x, y, likelihood; NaN = missing.
      count: wanted. Where `fitting` and `spread` find nothing above epsilon, the 2 * count rows
        with the largest distance are the candidates.
      frames: (rows,).
      spread: (rows, points) pixels, of method spread.
    """
    if settings.method == "uncertain":
        lowest = _over(np.fmin, values[..., 2])
        return Suspects(np.flatnonzero(lowest < settings.p_bound), 1 - lowest)
    if settings.method == "jump":
        steps = np.linalg.norm(np.diff(values[..., :2], axis=0), axis=-1)
        score = np.concatenate([[np.nan], _over(np.fmax, steps)])
        return Suspects(np.flatnonzero(score > settings.epsilon), score)
    if settings.method == "fitting":
        score = _misfit(values, frames, settings.p_bound)
    elif spread is None:
        raise ValueError(
            "has no <video>…_spread.csv, which a model of several heads writes (train.ensemble)"
        )
    else:
        score = _over(np.fmax, spread)
    above = np.flatnonzero(score > settings.epsilon)
    if not len(above):
        known = np.flatnonzero(np.isfinite(score))
        above = np.sort(known[np.argsort(-score[known], kind="stable")[: 2 * count]])
    return Suspects(above, score)


def extreme(found: Suspects, allowed: np.ndarray, count: int) -> list[int]:
    """Allowed rows with the highest scores, in order; of neighbours only the higher one."""
    picked: list[int] = []
    for row in allowed[np.argsort(-found.score[allowed], kind="stable")].tolist():
        if len(picked) == count:
            break
        if row - 1 not in picked and row + 1 not in picked:
            picked.append(row)
    return sorted(picked)


def uniform(allowed: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    """Allowed rows, each as likely as the others, in order."""
    return [int(allowed[i]) for i in select.uniform(len(allowed), count, rng)]


def _misfit(values: np.ndarray, frames: np.ndarray, p_bound: float) -> np.ndarray:
    """Mean distance (rows,) of the points from where the other rows say they should be.

    Points below `p_bound` do not count as evidence, but are compared.
    """
    given = values[..., :2].reshape(len(values), -1)
    known = np.isfinite(given) & np.repeat(values[..., 2] >= p_bound, 2, axis=1)
    steps = np.diff(frames)
    usual = max(float(np.median(steps)), 1.0) if len(steps) else 1.0
    fit = rts_smoother.smooth(np.where(known, given, np.nan), steps / usual)
    # What a row itself contributed is taken out: the error of leaving it out, in closed form.
    own = np.where(known, np.minimum(fit.leverage, 0.999), 0.0)
    residual = ((given - fit.places) / (1 - own)).reshape(*values.shape[:2], 2)
    distance = np.linalg.norm(residual, axis=-1)
    there = np.isfinite(distance)
    total = np.where(there, distance, 0).sum(axis=1)
    return np.where(there.any(axis=1), total / np.maximum(there.sum(axis=1), 1), np.nan)


def _over(function: np.ufunc, values: np.ndarray) -> np.ndarray:
    """The extreme of each row over what is there; NaN where nothing is."""
    return function.reduce(values, axis=1) if values.shape[1] else np.full(len(values), np.nan)
