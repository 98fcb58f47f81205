"""Triplets of detections to learn from who is who: one animal twice, and its neighbour once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.pipelines.tracking import similarity
from beampose.pipelines.tracking.tracklets import Tracklet

# Of so many other frames of a tracklet drawn for a positive the one farthest in time is taken.
_DRAWN = 3
# Neighbours whose bodyparts lie so near each other, in sizes of the animal, are one animal that was
# found twice: it would teach that an animal does not look like itself.
_TWICE = 0.1
# Ways to hold tracklets out, of which the one that loses the fewest neighbours is taken.
_TRIED = 16
# Of the held-out frames so many again are used by neither side: their neighbours are too similar.
_APART = 0.1
# Anchors whose neighbours are searched together, so that memory is bounded.
_AT_ONCE = 4096


class Triplets(NamedTuple):
    """n triplets of detections, each an int (n, 2): its frame and its place in it.

    Attributes:
      anchor: a detection.
      positive: of the same tracklet, in another frame.
      negative: of another tracklet, in the frame of the anchor, the nearest one.
      reason: why there are none; empty if there are some.
    """

    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    reason: str = ""

    def detections(self) -> tuple[np.ndarray, np.ndarray]:
        """Detections to look up, each once: places (m, 2), sorted by frame, and the rows
        of the triplets among them, (n, 3): anchor, positive, negative."""
        every = np.stack([self.anchor, self.positive, self.negative], axis=1).reshape(-1, 2)
        places, rows = np.unique(every, axis=0, return_inverse=True)
        return places, rows.reshape(-1, 3)


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


class _Detections(NamedTuple):
    """All that have a keypoint, in the order of their frames.

    Attributes:
      frame, slot, owner: int (n,); owners are numbers of tracklet ids from 0.
      starts: int (n,), how many belong to earlier frames; `stops`, how many up to its frame.
      ids: of each owner.
      keypoints, row: float32 (all, bodyparts, 2), not in that order, and the row of each.
    """

    frame: np.ndarray
    slot: np.ndarray
    owner: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    ids: np.ndarray
    keypoints: np.ndarray
    row: np.ndarray

    def points(self, which: np.ndarray) -> np.ndarray:
        """float32 (n, bodyparts, 2)."""
        return self.keypoints[self.row[which]]


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
    found = _detections(tracklets)
    rng = np.random.default_rng(seed)
    held = _by_tracklet(found, share, rng)
    if held is not None:
        out = set(found.ids[held].tolist())
        train = [one for one in tracklets if one.id not in out]
        return Split(train, [one for one in tracklets if one.id in out], "tracklets")
    why = "No tracklets can be held out so that two of them, and two of the others, are ever seen "
    return _by_time(tracklets, found, share, rng, why + "in the same frame")


def mine(tracklets: Sequence[Tracklet], count: int, rng: np.random.Generator) -> Triplets:
    """Draws triplets.

    Anchors are drawn from all detections with a neighbour, so tracklets count by their length.
    Positives are the farthest in time of three drawn: frames that follow each other teach little.
    A neighbour on the very spot of the anchor is the same animal found twice, and is no negative.

    Args:
      count: how many; a detection is an anchor twice only where there are fewer.

    Raises:
      ValueError: tracklets without `slots`.
    """
    found = _detections(tracklets)
    able = _able(found)
    if not len(able):
        none = np.zeros((0, 2), int)
        return Triplets(none, none, none, _why_not(found))
    anchor, negative = _anchors(found, rng.permutation(able), count)
    if not len(anchor):
        none = np.zeros((0, 2), int)
        return Triplets(none, none, none, "All neighbours are the same animals, found twice.")
    if len(anchor) < count:
        again = np.concatenate([np.arange(len(anchor)), rng.integers(0, len(anchor), count)])
        anchor, negative = anchor[again[:count]], negative[again[:count]]
    places = np.stack([found.frame, found.slot], axis=1)
    return Triplets(places[anchor], places[_positives(found, anchor, rng)], places[negative])


def _detections(tracklets: Sequence[Tracklet]) -> _Detections:
    for one in tracklets:
        if one.slots is None:
            raise ValueError(
                f"tracklet {one.id}: it is not known where its detections stood in their frames. "
                "Track the video anew instead of reading tracklets from a file."
            )
    ids, owners = np.unique([one.id for one in tracklets], return_inverse=True)
    parts = tracklets[0].keypoints.shape[1] if tracklets else 1
    empty, points = np.zeros(0, int), np.zeros((0, parts, 2), np.float32)
    frame = np.concatenate([empty, *(one.frames for one in tracklets)])
    slot = np.concatenate([empty, *(np.asarray(one.slots) for one in tracklets)])
    owner = np.concatenate(
        [empty, *(np.full(len(t.frames), o) for t, o in zip(tracklets, owners, strict=True))]
    )
    points = np.concatenate(
        [points, *(one.keypoints[..., :2].astype(np.float32) for one in tracklets)]
    )
    points[~np.isfinite(points).all(axis=-1)] = np.nan
    there = np.asarray(~np.isnan(points[..., 0]).all(axis=1))
    order = np.lexsort((slot, frame))
    order = order[there[order]]
    frame = frame[order]
    starts, stops = (np.searchsorted(frame, frame, side=side) for side in ("left", "right"))
    return _Detections(frame, slot[order], owner[order], starts, stops, ids, points, order)


def _able(found: _Detections) -> np.ndarray:
    """Detections with a neighbour, of tracklets seen in more than one frame."""
    seen = np.bincount(found.owner, minlength=len(found.ids))
    return np.flatnonzero((found.stops - found.starts > 1) & (seen[found.owner] > 1))


def _anchors(found: _Detections, order: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first of some detections that have a neighbour who is another animal, and the nearest."""
    anchors, negatives, done = [order[:0]], [order[:0]], 0
    for start in range(0, len(order), _AT_ONCE):
        if done >= count:
            break
        some = order[start : start + _AT_ONCE]
        nearest = _nearest(found, some)
        anchors.append(some[nearest >= 0])
        negatives.append(nearest[nearest >= 0])
        done += len(anchors[-1])
    return np.concatenate(anchors)[:count], np.concatenate(negatives)[:count]


def _why_not(found: _Detections) -> str:
    if not len(found.frame):
        return "There are no detections."
    if len(found.ids) < 2:
        return "There is only one tracklet, and no other to tell it from."
    if not (found.stops - found.starts > 1).any():
        return "No two tracklets are ever in the same frame."
    return "Every tracklet that has a neighbour was seen in one frame only."


def _nearest(found: _Detections, anchor: np.ndarray) -> np.ndarray:
    """The nearest detection in each anchor's frame that is another animal; -1 = none."""
    count = found.stops[anchor] - found.starts[anchor]
    row = np.repeat(np.arange(len(anchor)), count)
    begin = np.cumsum(count) - count
    other = found.starts[anchor][row] + np.arange(len(row)) - begin[row]
    one, two = found.points(anchor)[row], found.points(other)
    apart = _apart(one, two)
    size = np.fmax(similarity.sizes(one), similarity.sizes(two))
    twice = apart <= _TWICE * np.where(size > 0, size, similarity.ONE_POINT)
    apart[twice | (found.owner[other] == found.owner[anchor][row])] = np.inf
    first = np.lexsort((apart, row))[begin]
    return np.where(np.isfinite(apart[first]), other[first], -1)


def _apart(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Mean distances of the bodyparts both have, or of the centres if there are none, (n,)."""
    apart = np.linalg.norm(one - two, axis=-1)
    both = ~np.isnan(apart)
    count = both.sum(axis=1)
    mean = np.where(both, apart, 0.0).sum(axis=1) / np.maximum(count, 1)
    middles = np.linalg.norm(similarity.centres(one) - similarity.centres(two), axis=1)
    return np.where(count > 0, mean, middles)


def _positives(found: _Detections, anchor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # By owner, then by frame: the detections of one tracklet are neighbours.
    order = np.argsort(found.owner, kind="stable")
    where = np.empty(len(order), int)
    where[order] = np.arange(len(order))
    number = np.bincount(found.owner, minlength=len(found.ids))
    begin = (np.cumsum(number) - number)[found.owner[anchor]]
    number = number[found.owner[anchor]]
    step = rng.integers(1, number[:, None], (len(anchor), _DRAWN))
    own = (where[anchor] - begin)[:, None]
    drawn = order[begin[:, None] + (own + step) % number[:, None]]
    far = np.abs(found.frame[drawn] - found.frame[anchor][:, None]).argmax(axis=1)
    return drawn[np.arange(len(anchor)), far]


def _by_tracklet(found: _Detections, share: float, rng: np.random.Generator) -> np.ndarray | None:
    """The owners held out; None if no choice leaves neighbours on both sides."""
    able = _able(found)
    if not len(able):
        return None
    total = len(found.frame)
    best, least = None, np.inf
    for seed in rng.choice(able, min(_TRIED, len(able)), replace=False):
        held = _around(found, int(seed), share)
        inside = held[found.owner]
        kept = [_useful(found, inside), _useful(found, ~inside)]
        # Neighbours that the cut parts teach nobody; and a share too large or too small.
        lost = (1 - sum(kept) / len(able)) + abs(inside.sum() / total - share)
        if min(kept) and inside.sum() <= 0.5 * total and lost < least:
            best, least = held, lost
    return best


def _around(found: _Detections, seed: int, share: float) -> np.ndarray:
    """Owners of a detection's frame and the frames nearest to it, as many as make up the share."""
    number = np.bincount(found.owner, minlength=len(found.ids))
    away = np.abs(found.frame - found.frame[seed])
    first = np.full(len(number), np.iinfo(away.dtype).max)
    np.minimum.at(first, found.owner, away)
    # Of those equally near the shorter ones: a tracklet of the whole video is near to everything.
    order = np.lexsort((number, first))
    fits = np.cumsum(number[order]) <= share * len(found.frame)
    # A tracklet alone has nobody it could be told from.
    fits[:2] = True
    held = np.zeros(len(number), bool)
    held[order[fits]] = True
    return held


def _useful(found: _Detections, inside: np.ndarray) -> int:
    """Detections among some that can be anchors there."""
    number = np.concatenate([[0], np.cumsum(inside)])
    beside = number[found.stops] - number[found.starts] > 1
    seen = np.bincount(found.owner[inside], minlength=len(found.ids)) > 1
    return int((inside & beside & seen[found.owner]).sum())


def _by_time(
    tracklets: Sequence[Tracklet],
    found: _Detections,
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
