"""Keypoints over time without their jitter: median, Savitzky-Golay, Kalman; gaps bridged."""

from typing import NamedTuple

import numpy as np
from scipy import interpolate, signal

from beampose.core.settings.experiment import Filter
from beampose.pipelines.results import rts_smoother


class Filtered(NamedTuple):
    """(rows, points, 3) x, y smoothed, likelihood as it was; how many points were bridged."""

    values: np.ndarray
    bridged: int


def filtered(
    values: np.ndarray, settings: Filter, *, pcutoff: float, frames: np.ndarray
) -> Filtered:
    """Smooths x and y of each point.

    Points that are missing, and those below `pcutoff` where the settings use likelihoods, do
    not take part. Gaps of up to `fill` rows get bridged, longer ones stay as predicted.

    Args:
      values: (rows, points, 3) x, y, likelihood; NaN = missing.
      frames: (rows,), numbers that rise.

    Raises:
      ValueError: savgol, and the rows are not evenly apart.
    """
    given = values[..., :2].reshape(len(values), -1)
    known = np.isfinite(given)
    if settings.method == "kalman" or settings.fill:
        known &= np.repeat(values[..., 2] >= pcutoff, 2, axis=1)
    short = gaps(known, settings.fill)
    series = np.where(known, given, np.nan)
    steps = np.diff(frames)
    if settings.method == "kalman":
        smoothed = rts_smoother.smooth(
            series, steps / max(np.median(steps), 1) if len(steps) else steps
        )
        smoothed = smoothed.places
    else:
        series = bridge(series, short, frames)
        if settings.method == "median":
            smoothed = median(series, settings.rows)
        else:
            _refuse_uneven(steps, frames)
            smoothed = savgol(series, settings.rows, settings.degree)
    replaced = (known | short) & np.isfinite(smoothed)
    result = values.astype(np.float64)
    result[..., :2] = np.where(replaced, smoothed, given).reshape(*values.shape[:2], 2)
    return Filtered(result, int((short & replaced)[:, ::2].sum()))


def median(series: np.ndarray, window: int) -> np.ndarray:
    """Running medians of (rows, series) over what is there; at both ends the window is cut."""
    found = np.full(series.shape, np.nan)
    half = window // 2
    for k in range(series.shape[1]):
        padded = np.pad(series[:, k], half, constant_values=np.nan)
        # NaN sorts after all numbers.
        ordered = np.sort(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)
        count = np.isfinite(ordered).sum(axis=1)
        low, high = np.maximum(count - 1, 0) // 2, count // 2
        each = np.arange(len(ordered))
        middle = (ordered[each, low] + ordered[each, np.minimum(high, window - 1)]) / 2
        found[:, k] = np.where(np.isfinite(series[:, k]), middle, np.nan)
    return found


def savgol(series: np.ndarray, window: int, order: int) -> np.ndarray:
    """Savitzky-Golay filter of each run without gaps; in runs that are shorter than the window, it
    is as wide as the run, and runs of no more rows than `order` stay as they are."""
    found = series.copy()
    for k in range(series.shape[1]):
        for start, stop in runs(np.isfinite(series[:, k])):
            width = min(window, (stop - start - 1) // 2 * 2 + 1)
            if width > order:
                part = series[start:stop, k]
                found[start:stop, k] = signal.savgol_filter(part, width, order)
    return found


def gaps(known: np.ndarray, most: int) -> np.ndarray:
    """Marks cells (rows, series) in a gap of at most `most` rows between two known ones."""
    found = np.zeros_like(known)
    if most:
        for k in range(known.shape[1]):
            for start, stop in runs(~known[:, k]):
                if start > 0 and stop < len(known) and stop - start <= most:
                    found[start:stop, k] = True
    return found


def bridge(series: np.ndarray, wanted: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Fills wanted cells by monotone cubics (Fritsch and Butland 1984), which overshoot nothing."""
    found = series.copy()
    for k in np.flatnonzero(wanted.any(axis=0)):
        there = np.isfinite(series[:, k])
        curve = interpolate.PchipInterpolator(frames[there], series[there, k])
        found[wanted[:, k], k] = curve(frames[wanted[:, k]])
    return found


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First index of each run of True in (n,), and the index after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _refuse_uneven(steps: np.ndarray, frames: np.ndarray) -> None:
    uneven = np.flatnonzero(steps != steps[:1])
    if len(uneven):
        i = uneven[0]
        raise ValueError(
            f"has rows that are not evenly spaced ({frames[0]}, {frames[1]} … {frames[i]}, "
            f"{frames[i + 1]}): savgol cannot smooth them, filter.method: kalman can"
        )
