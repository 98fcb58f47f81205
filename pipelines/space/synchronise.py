"""Which frames of several videos show one instant: by number, time stamps, light or motion."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# An offset is believed if its correlation is this much above the best one elsewhere.
_CLEAR = 1.15
# Lags beside the best that belong to its peak, and the fewest frames that must overlap.
_PEAK, _OVERLAP = 5, 30


class Instants(NamedTuple):
    """Frames of each instant.

    Attributes:
      frames: (instants,), their numbers in the first view's video.
      rows: (instants, views), rows of each view's table; -1 where it has none.
    """

    frames: np.ndarray
    rows: np.ndarray


class Lag(NamedTuple):
    """A view shows in frame + `frames` what the first one shows in a frame; `clear` is by how much
    better this fits than any other."""

    frames: int
    clear: float


def by_number(numbers: Sequence[np.ndarray], offsets: Sequence[int]) -> Instants:
    """Frames of one number, after each view's offset is taken off it.

    Raises:
      ValueError: no two views share a frame.
    """
    moved = [own - offset + offsets[0] for own, offset in zip(numbers, offsets, strict=True)]
    frames = np.unique(np.concatenate(moved))
    rows = np.stack([_rows(own, frames) for own in moved], axis=1)
    # What one other camera saw before or after the first one's film has no number and no point.
    kept = (rows[:, 0] >= 0) | ((rows >= 0).sum(axis=1) >= 2)
    return _shared(Instants(frames[kept], rows[kept]))


def by_time(
    numbers: Sequence[np.ndarray], times: Sequence[np.ndarray], offsets: Sequence[int]
) -> Instants:
    """The frames nearest in time to each of the first view's, within half of its frame's length.

    Args:
      times: of each view's video, seconds of every frame.
      offsets: frames that show the instant 0.

    Raises:
      ValueError: no two views share an instant, or an offset lies outside its video.
    """
    clocks = []
    # Of a view that is ahead, the instant 0 is its first frame.
    ahead = min(0, *offsets)
    for own, every, behind in zip(numbers, times, offsets, strict=True):
        offset = behind - ahead
        if not 0 <= offset < len(every) or (len(own) and own[-1] >= len(every)):
            raise ValueError(f"frame {max(offset, own.max(initial=0))} has no time stamp")
        clocks.append(every[own] - every[offset])
    first = clocks[0]
    apart = float(np.median(np.diff(first))) if len(first) > 1 else np.inf
    rows = np.full((len(first), len(clocks)), -1)
    rows[:, 0] = np.arange(len(first))
    for view, clock in enumerate(clocks[1:], 1):
        if not len(clock):
            continue
        after = np.searchsorted(clock, first).clip(1, max(len(clock) - 1, 1))
        before = after - 1
        after = np.minimum(after, len(clock) - 1)
        nearer = np.where(first - clock[before] <= clock[after] - first, before, after)
        near = np.abs(clock[nearer] - first) <= apart / 2
        rows[near, view] = nearer[near]
    return _shared(Instants(numbers[0], rows))


def lag(first: np.ndarray, other: np.ndarray, most: int) -> Lag:
    """The lag of a signal behind another, by their correlation where they overlap.

    Args:
      first, other: a number a frame; NaN = unknown.
      most: frames of the longest lag tried.
    """
    a, b = _standardised(first), _standardised(other)
    lags = np.arange(-most, most + 1)
    scores = np.array([_correlation(a, b, int(shift)) for shift in lags])
    best = int(scores.argmax())
    away = np.abs(lags - lags[best]) > _PEAK
    second = float(scores[away].max(initial=0.0))
    clear = float(scores[best] / max(second, 1e-9)) if scores[best] > 0 else 0.0
    return Lag(int(lags[best]), clear)


def check(found: Lag, name: str, by: str) -> None:
    """Raises ValueError where a lag is a guess."""
    if found.clear < _CLEAR:
        raise ValueError(
            f"The offset of the view {name} cannot be told by {by}: {found.frames} frames fit "
            f"only {found.clear:.2f} times as well as another offset. Give it: --offset "
            f"{name}=FRAMES."
        )


def motion(keypoints: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Speed (frames,) of the middle bodypart in pixels a frame; keypoints (rows, points, 2).

    It is on the scale of all frames from 0 on, NaN where no prediction is.
    """
    found = np.full(int(frames[-1]) + 1 if len(frames) else 0, np.nan)
    if len(frames) < 2:
        return found
    moved = np.linalg.norm(np.diff(keypoints, axis=0), axis=-1) / np.diff(frames)[:, None]
    known = np.isfinite(moved).any(axis=1)
    speed = np.full(len(moved), np.nan)
    speed[known] = np.nanmedian(moved[known], axis=1)
    found[frames[1:]] = speed
    return found


def _rows(own: np.ndarray, frames: np.ndarray) -> np.ndarray:
    at = np.searchsorted(own, frames).clip(0, max(len(own) - 1, 0))
    return np.where(own[at] == frames, at, -1) if len(own) else np.full(len(frames), -1)


def _shared(found: Instants) -> Instants:
    shared = (found.rows >= 0).sum(axis=1) >= 2
    if not shared.any():
        raise ValueError("no two views have a frame of one instant: are these one recording?")
    return found


def _standardised(signal: np.ndarray) -> np.ndarray:
    there = np.isfinite(signal)
    if not there.any():
        return np.zeros(len(signal))
    # A few jumps of the predictions must not be all that is compared.
    low, high = np.nanquantile(signal, [0.0, 0.995])
    kept = np.clip(signal, low, high)
    spread = float(np.nanstd(kept)) or 1.0
    return np.where(there, (kept - np.nanmean(kept)) / spread, 0.0)


def _correlation(a: np.ndarray, b: np.ndarray, shift: int) -> float:
    """Of a[i] and b[i + shift]."""
    start, stop = max(0, -shift), min(len(a), len(b) - shift)
    if stop - start < min(_OVERLAP, len(a), len(b)):
        return -1.0
    one, two = a[start:stop], b[start + shift : stop + shift]
    size = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float(one @ two) / size if size else 0.0
