"""A Kalman smoother (Rauch, Tung and Striebel 1965) of points that move steadily, many at a time.

Each coordinate has a place and a speed, which drifts at random (Bar-Shalom 2001, section 6.2.2);
a prediction is the place and noise. How strong the drift is against the noise is what makes the
series itself likeliest. It stands where DeepLabCut fits a SARIMAX model.
"""

from typing import NamedTuple

import numpy as np

# Variance of the drift of speed per row, in variances of the noise.
_RATIOS = np.logspace(-5, 2, 15)
# Rows from which the ratio is found.
_JUDGED = 4000
# A row takes as long for one series as for hundreds: parts of this many rows are smoothed side by
# side, with as many more at both ends, which a smoother forgets (the stiffest within 100 rows).
_CHUNK, _AROUND, _AT_ONCE = 2000, 500, 768
# Before the first prediction: pixels squared, and pixels squared a row squared.
_VAGUE = 1e6

# Of place and speed, arrays (series,); of the covariance the three that differ.
_Means = tuple[np.ndarray, np.ndarray]
_Covariance = tuple[np.ndarray, np.ndarray, np.ndarray]


class Smoothed(NamedTuple):
    """(rows, series) smoothed places, and `leverage`: how much of each is its own prediction."""

    places: np.ndarray
    leverage: np.ndarray


def smooth(series: np.ndarray, steps: np.ndarray, *, dimensions: int = 2) -> Smoothed:
    """Smooths series of coordinates, also where they are missing.

    Args:
      series: (rows, series) pixels, NaN = missing; neighbours are the coordinates of
        a point, x and y.
      steps: (rows - 1,), time from each row to the next, 1 = the usual.
      dimensions: coordinates of a point.

    Returns:
      NaN throughout where a series has less than two values.
    """
    found = np.full(series.shape, np.nan), np.full(series.shape, np.nan)
    ratios = _likeliest(series[:_JUDGED], steps[: _JUDGED - 1], dimensions)
    parts = [(k, row) for k in range(series.shape[1]) for row in range(0, len(series), _CHUNK)]
    for first in range(0, len(parts), _AT_ONCE):
        _parts(series, steps, ratios, parts[first : first + _AT_ONCE], found)
    short = np.isfinite(series).sum(axis=0) < 2
    for out in found:
        out[:, short] = np.nan
    return Smoothed(*found)


def _parts(
    series: np.ndarray,
    steps: np.ndarray,
    ratios: np.ndarray,
    parts: list[tuple[int, int]],
    found: tuple[np.ndarray, np.ndarray],
) -> None:
    """Smooths parts (series, first row) side by side, each with what is around it."""
    length = min(len(series), _CHUNK + 2 * _AROUND)
    block, apart = np.full((length, len(parts)), np.nan), np.ones((length - 1, len(parts)))
    for column, (k, start) in enumerate(parts):
        low = max(start - _AROUND, 0)
        given = series[low : start + _CHUNK + _AROUND, k]
        block[: len(given), column] = given
        apart[: len(given) - 1, column] = steps[low : low + len(given) - 1]
    got = _smooth(block, apart, ratios[[k for k, _ in parts]])
    for column, (k, start) in enumerate(parts):
        low, stop = max(start - _AROUND, 0), min(start + _CHUNK, len(series))
        for out, values in zip(found, got, strict=True):
            out[start:stop, k] = values[start - low : stop - low, column]


def _likeliest(series: np.ndarray, steps: np.ndarray, dimensions: int) -> np.ndarray:
    """The best ratio of each series, the same for all coordinates of a point."""
    tried = np.repeat(series, len(_RATIOS), axis=1)
    fit = _Forward(tried, steps[:, None], np.tile(_RATIOS, series.shape[1]), keep=False)
    score = fit.likelihood.reshape(-1, dimensions, len(_RATIOS)).sum(axis=1)
    return np.repeat(_RATIOS[score.argmax(axis=1)], dimensions)


def _smooth(
    series: np.ndarray, steps: np.ndarray, ratio: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places and leverage (rows, series); `steps` (rows - 1, series or 1)."""
    fit = _Forward(series, steps, ratio, keep=True)
    places, leverage = np.empty_like(series), np.empty_like(series)
    # After the last row there is nothing more to learn.
    means, covariance = fit.means[-1], fit.covariances[-1]
    places[-1], leverage[-1] = means[0], covariance[0]
    for row in range(len(series) - 2, -1, -1):
        before = fit.means[row], fit.covariances[row]
        means, covariance = _behind(*before, means, covariance, steps[row], ratio)
        places[row], leverage[row] = means[0], covariance[0]
    return places, leverage


def _behind(
    means: np.ndarray,
    covariance: np.ndarray,
    next_means: np.ndarray,
    next_covariance: np.ndarray,
    dt: np.ndarray,
    ratio: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """What a row is by all rows, from what it is by those before it and the next by all."""
    x0, v0 = means
    xx0, xv0, vv0 = covariance
    px, pv = x0 + dt * v0, v0
    pxx, pxv, pvv = _ahead(xx0, xv0, vv0, dt, ratio)
    # The gain C = P F' (F P F' + Q)^-1.
    a, b, c, d = xx0 + dt * xv0, xv0, xv0 + dt * vv0, vv0
    inverse = 1 / (pxx * pvv - pxv**2)
    cxx, cxv = (a * pvv - b * pxv) * inverse, (b * pxx - a * pxv) * inverse
    cvx, cvv = (c * pvv - d * pxv) * inverse, (d * pxx - c * pxv) * inverse
    dx, dv = next_means[0] - px, next_means[1] - pv
    exx, exv, evv = next_covariance - (pxx, pxv, pvv)
    tx, ty = cxx * exx + cxv * exv, cxx * exv + cxv * evv
    ux, uy = cvx * exx + cvv * exv, cvx * exv + cvv * evv
    return (
        np.stack((x0 + cxx * dx + cxv * dv, v0 + cvx * dx + cvv * dv)),
        np.stack(
            (
                xx0 + tx * cxx + ty * cxv,
                xv0 + tx * cvx + ty * cvv,
                vv0 + ux * cvx + uy * cvv,
            )
        ),
    )


def _ahead(
    xx: np.ndarray, xv: np.ndarray, vv: np.ndarray, dt: np.ndarray, ratio: np.ndarray
) -> _Covariance:
    """Covariance of place and speed after a time."""
    return (
        xx + dt * (2 * xv + dt * vv) + ratio * dt**3 / 3,
        xv + dt * vv + ratio * dt**2 / 2,
        vv + ratio * dt,
    )


def _corrected(
    means: _Means,
    covariance: _Covariance,
    surprise: np.ndarray,
    spread: np.ndarray,
    there: np.ndarray,
) -> tuple[_Means, _Covariance]:
    """What a row is by those before it and its own prediction, where there is one."""
    (x, v), (xx, xv, vv) = means, covariance
    gain_x, gain_v = np.where(there, xx / spread, 0), np.where(there, xv / spread, 0)
    return (
        (x + gain_x * surprise, v + gain_v * surprise),
        (xx - gain_x * xx, xv - gain_x * xv, vv - gain_v * xv),
    )


class _Forward:
    """The filter; variances in those of the noise.

    Attributes:
      means: (rows, 2, series), covariances: (rows, 3, series), if they are kept.
      likelihood: (series,) logarithm, of the noise that fits best.
    """

    def __init__(self, series: np.ndarray, steps: np.ndarray, ratio: np.ndarray, *, keep: bool):
        rows, count = series.shape
        known = np.isfinite(series)
        means: _Means = np.zeros(count), np.zeros(count)
        vague, none = np.full(count, _VAGUE), np.zeros(count)
        covariance: _Covariance = vague, none, vague
        if known.any():
            # Where each begins.
            first = series[known.argmax(axis=0), np.arange(count)]
            means = np.where(np.isfinite(first), first, 0.0), none
        self.means = np.empty((rows if keep else 0, 2, count))
        self.covariances = np.empty((rows if keep else 0, 3, count))
        squares, logs, used = np.zeros(count), np.zeros(count), np.zeros(count)
        for row in range(rows):
            if row:
                dt = steps[row - 1]
                means = means[0] + dt * means[1], means[1]
                covariance = _ahead(*covariance, dt, ratio)
            there = known[row]
            surprise = np.where(there, series[row] - means[0], 0.0)
            spread = covariance[0] + 1
            # The first two say where and how fast it starts.
            counts = there & (used >= 2)
            squares += np.where(counts, surprise**2 / spread, 0)
            logs += np.where(counts, np.log(spread), 0)
            used += there
            means, covariance = _corrected(means, covariance, surprise, spread, there)
            if keep:
                self.means[row], self.covariances[row] = means, covariance
        n = np.maximum(used - 2, 1)
        self.likelihood = -0.5 * (n * np.log(squares / n + 1e-6) + logs)
