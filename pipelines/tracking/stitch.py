"""Tracklets to as many tracks as there are animals, at the least cost of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from beampose.core.wording import counted
from beampose.pipelines.tracking import costs
from beampose.pipelines.tracking.costs import Appearance, Weights
from beampose.pipelines.tracking.tracklets import Tracklet

# Tracklets that begin after another ended, of which each is weighed against it; the nearest.
_NEXT = 100
# A tracklet of this share of the video is worth a track, however short the video.
_WORTH = 0.25
# Cost of continuing as the tracker, which saw every frame, decided: less than the best other's.
_SAME = -1.0


@dataclass(frozen=True)
class Settings:
    """Settings for joining tracklets.

    Attributes:
      tracks: animals there are, at most; None: as many as are there at once in any frame.
      max_gap: frames an animal may be away for; None: any number.
      min_length: detections a tracklet must have; shorter ones are left out.
      leave: cost of each detection that is left out, in the unit of `costs`; more in a video of
        few frames.
      begin: cost of a track, without which each tracklet might be one of its own.
      weights: of what costs.
    """

    tracks: int | None = None
    max_gap: int | None = None
    min_length: int = 1
    leave: float = 0.5
    begin: float = 2.0
    weights: Weights = Weights()

    def __post_init__(self):
        for name in ("tracks", "max_gap", "min_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more. Received: {value}")
        for name in ("leave", "begin"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be 0 or more. Received: {getattr(self, name)}")


class Link(NamedTuple):
    """A join: of a track, two tracklets by their ids, the first frame after it, and its cost."""

    track: int
    before: int
    after: int
    frame: int
    cost: float


class Tracks(NamedTuple):
    """All frames.

    Attributes:
      keypoints: float64 (frames, tracks, bodyparts, 3), x, y, likelihood; NaN = missing. Tracks are
        in the order they begin; unused ones come last and are empty.
      ids: int32 (frames, tracks), the tracklet a detection is of, -1 = there is none.
      left: what stands in no track, by its first frame.
      links: joins of different tracklets, the least certain first: what a person should look at.
    """

    keypoints: np.ndarray
    ids: np.ndarray
    left: list[Tracklet]
    links: list[Link]


def stitch(
    tracklets: Sequence[Tracklet],
    settings: Settings = Settings(),
    *,
    frames: int | None = None,
    bodyparts: int | None = None,
    appearance: Appearance | None = None,
) -> Tracks:
    """Joins tracklets so that the sum of all costs is least (min-cost flow).

    A tracklet costs one unit of flow; where more live than there are animals they are cut at those
    frames, so that only what is too much is left out. The same tracklets in any order give the same
    tracks.

    Args:
      frames: how many there are; None: as far as tracklets go.
      bodyparts: how many; needed where there may be no tracklet.
      appearance: similarity of tracklets, 0 to 1: a matrix by their places in `tracklets`, or a
        function of two, the earlier first (it may get pieces, and gets each pair once).

    Raises:
      ValueError: tracklets do not fit each other, or into the frames.
    """
    count = max((int(one.frames[-1]) + 1 for one in tracklets), default=0)
    if frames is not None and count > frames:
        raise ValueError(
            f"A tracklet ends in frame {count - 1}, but there are {counted(frames, 'frame')}."
        )
    order = sorted(range(len(tracklets)), key=lambda i: _place(tracklets[i]))
    parts = bodyparts or (tracklets[0].keypoints.shape[1] if tracklets else 1)
    _check([tracklets[i] for i in order], parts)
    kept, left = _long_enough(tracklets, order, settings.min_length)
    alive = _crowd([tracklets[i] for i in kept], count)
    most = settings.tracks or int(alive.max(initial=1))
    pieces, origin = _cut(tracklets, kept, alive, most)
    chains, costly = _flow(pieces, origin, most, settings, appearance)
    empty = np.full((count if frames is None else frames, most, parts, 3), np.nan)
    return _tracks(pieces, chains, costly, left, empty)


def _tracks(
    pieces: Sequence[Tracklet],
    chains: list[list[int]],
    costly: list[np.ndarray],
    left: list[Tracklet],
    keypoints: np.ndarray,
) -> Tracks:
    ids = np.full(keypoints.shape[:2], -1, np.int32)
    for track, chain in enumerate(chains):
        for number in chain:
            keypoints[pieces[number].frames, track] = pieces[number].keypoints
            ids[pieces[number].frames, track] = pieces[number].id
    used = {number for chain in chains for number in chain}
    unused = [one for number, one in enumerate(pieces) if number not in used]
    return Tracks(keypoints, ids, sorted(left + unused, key=_place), _joins(pieces, chains, costly))


def _place(one: Tracklet) -> tuple:
    """Sort key of tracklets, which does not depend on the order they come in."""
    return int(one.frames[0]), int(one.frames[-1]), one.id, one.keypoints.tobytes()


def _check(tracklets: Sequence[Tracklet], bodyparts: int) -> None:
    ends: dict[int, int] = {}
    for one in tracklets:
        if one.keypoints.shape != (len(one.frames), bodyparts, 3) or not len(one.frames):
            raise ValueError(
                f"tracklet {one.id}: keypoints must be (frames, bodyparts, 3), here "
                f"{(len(one.frames), bodyparts, 3)}. Received: {one.keypoints.shape}"
            )
        if one.frames[0] < 0 or (np.diff(one.frames) <= 0).any():
            raise ValueError(f"tracklet {one.id}: frames must increase from 0 or later.")
        if one.frames[0] <= ends.get(one.id, -1):
            raise ValueError(f"tracklet {one.id}: another one with this id is in the same frames.")
        ends[one.id] = int(one.frames[-1])


def _long_enough(
    tracklets: Sequence[Tracklet], order: list[int], least: int
) -> tuple[list[int], list[Tracklet]]:
    """Places of those of `least` detections, pieces of one together, and the others."""
    length: dict[int, int] = {}
    for one in tracklets:
        length[one.id] = length.get(one.id, 0) + len(one.frames)
    kept = [i for i in order if length[tracklets[i].id] >= least]
    return kept, [tracklets[i] for i in order if length[tracklets[i].id] < least]


def _crowd(tracklets: Sequence[Tracklet], count: int) -> np.ndarray:
    """Tracklets that live in each frame, (count,)."""
    change = np.zeros(count + 1, int)
    np.add.at(change, [one.frames[0] for one in tracklets], 1)
    np.add.at(change, [one.frames[-1] + 1 for one in tracklets], -1)
    return np.cumsum(change)[:-1]


def _cut(
    tracklets: Sequence[Tracklet], kept: list[int], alive: np.ndarray, most: int
) -> tuple[list[Tracklet], np.ndarray]:
    """Pieces in the order they begin, and the places in `tracklets` of what they are of.

    What lives in crowded frames only can be left out as it is; cuts are made where that is not
    enough.
    """
    before = np.concatenate([[0], np.cumsum(alive <= most)])
    free = [i for i in kept if _span(tracklets[i], before) > 0]
    crowded = _crowd([tracklets[i] for i in free], len(alive)) > most
    borders = np.flatnonzero(np.diff(crowded)) + 1
    found = []
    for i in kept:
        one = tracklets[i]
        for part in np.split(np.arange(len(one.frames)), np.searchsorted(one.frames, borders)):
            if len(part):
                found.append((one.part(part), i))
    found.sort(key=lambda piece: _place(piece[0]))
    return [piece for piece, _ in found], np.array([i for _, i in found], int)


def _span(one: Tracklet, before: np.ndarray) -> int:
    return int(before[one.frames[-1] + 1] - before[one.frames[0]])


def _flow(
    pieces: Sequence[Tracklet],
    origin: np.ndarray,
    most: int,
    settings: Settings,
    appearance: Appearance | None,
) -> tuple[list[list[int]], list[np.ndarray]]:
    """The pieces of each track, in time, and what each of their joins costs.

    The flow is solved as the assignment it is: the end of each piece is given the beginning of
    another, a sink, or, if the piece is left out, its own beginning; `most` sources begin tracks.
    """
    n = len(pieces)
    if not n:
        return [], []
    a, b, cost = _links(pieces, origin, settings, appearance)
    number, track = np.arange(n), np.arange(most)
    sources, starts = np.repeat(track, n), np.tile(number, most)
    length = np.array([len(one.frames) for one in pieces])
    worth = settings.begin / (_WORTH * max(int(one.frames[-1]) + 1 for one in pieces))
    parts = [
        (a, b, cost),
        (number, number, max(settings.leave, worth) * length),
        (n + sources, starts, np.full(len(starts), settings.begin)),
        (starts, n + sources, np.zeros(len(starts))),
        (n + track, n + track, np.zeros(most)),
    ]
    rows, columns, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    # A sparse matrix holds no zeros. There are always as many pairs: more for each changes nothing.
    value = value + 1.0 - value.min()
    graph = coo_array((value, (rows, columns)), shape=(n + most, n + most)).tocsr()
    given = min_weight_full_bipartite_matching(graph)[1]
    begun = sorted(int(i) for i in given[n:] if i < n)
    chains = []
    for start in begun:
        chain = [start]
        while given[chain[-1]] < n:
            chain.append(int(given[chain[-1]]))
        chains.append(chain)
    # Links are ordered by a, then b: the cost of each that was taken is where its number stands.
    taken = [np.array(chain[:-1]) * n + chain[1:] for chain in chains]
    return chains, [cost[np.searchsorted(a * n + b, pairs)] for pairs in taken]


def _links(
    pieces: Sequence[Tracklet],
    origin: np.ndarray,
    settings: Settings,
    appearance: Appearance | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Links of pieces that may continue as another, and their costs, (links,) each."""
    known = costs.ends(pieces)
    ids = np.array([one.id for one in pieces])
    low = np.searchsorted(known.first, known.last, side="right")
    a = np.repeat(np.arange(len(pieces)), np.minimum(len(pieces) - low, _NEXT))
    b = low[a] + np.arange(len(a)) - np.searchsorted(a, a)
    same = ids[a] == ids[b]
    if settings.max_gap is not None:
        near = (known.first[b] - known.last[a] - 1 <= settings.max_gap) | same
        a, b, same = a[near], b[near], same[near]
    cost = costs.links(known, a, b, settings.weights)
    if appearance is not None and len(a):
        other = ~same
        unlike = costs.unlike(pieces, origin, a[other], b[other], appearance)
        # What is undecided says nothing: a join is neither dearer nor cheaper for it.
        cost[other] += settings.weights.appearance * (unlike - 0.5)
    cost[same] = _SAME + min(float(cost.min(initial=0.0)), 0.0)
    return a, b, cost


def _joins(
    pieces: Sequence[Tracklet], chains: list[list[int]], costly: list[np.ndarray]
) -> list[Link]:
    found = []
    for track, (chain, costs_of) in enumerate(zip(chains, costly, strict=True)):
        for one, two, cost in zip(chain[:-1], chain[1:], costs_of, strict=True):
            before, after = pieces[one], pieces[two]
            if before.id != after.id:
                frame = int(after.frames[0])
                found.append(Link(track, before.id, after.id, frame, float(cost)))
    return sorted(found, key=lambda link: (-link.cost, link))
