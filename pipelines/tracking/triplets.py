"""Triplets of detections to learn identities from: one animal twice, and its neighbour once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.pipelines.tracking import similarity, tracklet_rows
from beampose.pipelines.tracking.tracklet_rows import Detections
from beampose.pipelines.tracking.tracklets import Tracklet

# Other frames of a tracklet drawn for a positive, of which the farthest in time is taken.
_DRAWN = 3
# Neighbours whose bodyparts lie so near each other, in sizes of the animal, are one animal that was
# found twice: it would teach that an animal does not look like itself.
_TWICE = 0.1
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
    found = tracklet_rows.of_tracklets(tracklets)
    able = tracklet_rows.with_neighbours(found)
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


def _anchors(found: Detections, order: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
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


def _why_not(found: Detections) -> str:
    if not len(found.frame):
        return "There are no detections."
    if len(found.ids) < 2:
        return "There is only one tracklet, and no other to tell it from."
    if not (found.stops - found.starts > 1).any():
        return "No two tracklets are ever in the same frame."
    return "Every tracklet that has a neighbour was seen in one frame only."


def _nearest(found: Detections, anchor: np.ndarray) -> np.ndarray:
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


def _positives(found: Detections, anchor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
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
