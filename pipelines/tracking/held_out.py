"""Held-out tracklets, by which re-identification is judged on unseen animals or frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.pipelines.tracking import tracklet_rows
from beampose.pipelines.tracking.tracklet_rows import Detections
from beampose.pipelines.tracking.tracklets import Tracklet

# Ways to hold tracklets out, of which the one that loses the fewest neighbours is taken.
_TRIED = 16
# Share of held-out frames left unused between the sides: their neighbours are too similar.
_APART = 0.1


class Split(NamedTuple):
    """Tracklets to learn from and tracklets to judge by.

    Attributes:
      train, test: no detection is in both.
      by: `tracklets`: no tracklet is in both; `time`: no frame is, where tracklets cannot be told
        apart so; `nothing`: there is no test.
      reason: why it is not `tracklets`; empty if it is.
    """

    train: list[Tracklet]
    test: list[Tracklet]
    by: str
    reason: str = ""


def split(tracklets: Sequence[Tracklet], share: float, seed: int) -> Split:
    """Holds whole tracklets out, with their neighbours, to measure accuracy on unseen ones.

    Pieces of one id stay together. Held out are tracklets of about one stretch of the video, since
    triplets need two in the same frame. Where this cannot be, as of two animals that were never
    lost, a stretch of time is held out instead.

    Args:
      share: of all detections, 0 (nothing is held out) to 0.5.
      seed: the same gives the same.

    Raises:
      ValueError: a share out of range, or tracklets without `slots`.
    """
    if not 0 <= share <= 0.5:
        raise ValueError(f"The share held out must be from 0 to 0.5. Received: {share}")
    if share == 0:
        return Split(list(tracklets), [], "nothing", "No share of the tracklets is held out.")
    found = tracklet_rows.of_tracklets(tracklets)
    rng = np.random.default_rng(seed)
    held = _by_tracklet(found, share, rng)
    if held is not None:
        out = set(found.ids[held].tolist())
        train = [one for one in tracklets if one.id not in out]
        return Split(train, [one for one in tracklets if one.id in out], "tracklets")
    why = "No tracklets can be held out so that two of them, and two of the others, are ever seen "
    return _by_time(tracklets, found, share, rng, why + "in the same frame")


def _by_tracklet(found: Detections, share: float, rng: np.random.Generator) -> np.ndarray | None:
    """The owners held out; None if no choice leaves neighbours on both sides."""
    able = tracklet_rows.with_neighbours(found)
    if not len(able):
        return None
    total = len(found.frame)
    best, least = None, np.inf
    for seed in rng.choice(able, min(_TRIED, len(able)), replace=False):
        held = _around(found, int(seed), share)
        inside = held[found.owner]
        kept = [_useful(found, inside), _useful(found, ~inside)]
        # Neighbours that the cut separates are of no use; and a share too large or too small.
        lost = (1 - sum(kept) / len(able)) + abs(inside.sum() / total - share)
        if min(kept) and inside.sum() <= 0.5 * total and lost < least:
            best, least = held, lost
    return best


def _around(found: Detections, seed: int, share: float) -> np.ndarray:
    """Owners of a detection's frame and the frames nearest to it, as many as make up the share."""
    number = np.bincount(found.owner, minlength=len(found.ids))
    away = np.abs(found.frame - found.frame[seed])
    first = np.full(len(number), np.iinfo(away.dtype).max)
    np.minimum.at(first, found.owner, away)
    # Of those equally near the shorter ones: a tracklet of the whole video is near to everything.
    order = np.lexsort((number, first))
    fits = np.cumsum(number[order]) <= share * len(found.frame)
    # A tracklet alone has no other to be told from.
    fits[:2] = True
    held = np.zeros(len(number), bool)
    held[order[fits]] = True
    return held


def _useful(found: Detections, inside: np.ndarray) -> int:
    """Detections among some that can be anchors there."""
    number = np.concatenate([[0], np.cumsum(inside)])
    beside = number[found.stops] - number[found.starts] > 1
    seen = np.bincount(found.owner[inside], minlength=len(found.ids)) > 1
    return int((inside & beside & seen[found.owner]).sum())


def _by_time(
    tracklets: Sequence[Tracklet],
    found: Detections,
    share: float,
    rng: np.random.Generator,
    why: str,
) -> Split:
    """Holds a stretch out that begins at one of some places, the one with the most anchors."""
    count = len(found.frame)
    length = round(share * count)
    best, most = None, 0
    for start in rng.integers(0, max(count - length, 1), _TRIED) if length > 1 else ():
        low, high = found.frame[start], found.frame[start + length - 1]
        gap = max(round(_APART * float(high - low + 1)), 1)
        inside = (found.frame >= low) & (found.frame <= high)
        outside = (found.frame < low - gap) | (found.frame > high + gap)
        useful = min(_useful(found, inside), _useful(found, outside))
        if useful > most:
            best, most = (low, high, gap), useful
    if best is None:
        return Split(list(tracklets), [], "nothing", f"{why}, nor any frames held out instead.")
    low, high, gap = best
    train = _parts(tracklets, lambda f: (f < low - gap) | (f > high + gap))
    test = _parts(tracklets, lambda f: (f >= low) & (f <= high))
    return Split(train, test, "time", f"{why}: frames {low} to {high} are held out instead.")


def _parts(tracklets: Sequence[Tracklet], choose) -> list[Tracklet]:
    found = [one.part(np.flatnonzero(choose(one.frames))) for one in tracklets]
    return [one for one in found if len(one.frames)]
