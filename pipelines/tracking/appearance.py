"""Similar appearance of tracklets, which `stitch` weighs against places.

A tracklet is described by some detections spread over all of it. Two tracklets are as alike as
those of the one are to those of the other, on average; what that says about their being one animal
is learned from pairs of which it is known. An end alone, which DeepLabCut compares, is one
detection, and often the worst: it is where the animal went behind another.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core.wording import counted
from beampose.pipelines.tracking.tracklets import Tracklet
from beampose.trainer import scaling

# Detections a tracklet must have that anything is said about it.
_LEAST = 3
# No tracklets are so unlike, or alike, that places cannot say otherwise.
_SURE = 0.02
# Pairs of each kind that are compared to learn what a likeness says, and at least that many.
_PAIRS = 4000
_FEW = 4
# Frames that two tracklets share to be two animals, not one that was found twice for a moment.
_TOGETHER = 5
# What keeps the curve from becoming a step where all pairs can be told: in pairs of each kind.
_RIDGE = 0.05
# Rows of the matrix that are made together.
_AT_ONCE = 512


class Sample(NamedTuple):
    """Detections that stand for tracklets.

    Attributes:
      places: int (n, 2), frame and place in it: what to look up.
      owner: int (n,), number of a tracklet id in the order of `ids`.
      half: int (n,), 0 or 1: of the earlier or later half of what stands for the tracklet.
      ids: int (tracklet ids,), rising. Pieces of one id are one animal.
    """

    places: np.ndarray
    owner: np.ndarray
    half: np.ndarray
    ids: np.ndarray


class Calibration(NamedTuple):
    """Calibration of a similarity s: it means one animal with chance sigmoid(slope * s + offset).

    This holds where both kinds of pairs are equally frequent, so that 0.5 is undecided.

    Attributes:
      same, different: how many pairs it was learned from.
      accuracy: share of these pairs that are on their side of 0.5, the kinds weighing the same.
      reason: why it says 0.5 of everything; empty if it does not.
    """

    slope: float
    offset: float
    same: int = 0
    different: int = 0
    accuracy: float | None = None
    reason: str = ""

    def chance(self, likeness: np.ndarray) -> np.ndarray:
        """0.02 to 0.98."""
        found = 0.5 + 0.5 * np.tanh((self.slope * likeness + self.offset) / 2)
        return np.clip(found, _SURE, 1 - _SURE)


def sample(tracklets: Sequence[Tracklet], most: int = 32) -> Sample:
    """Of each tracklet some detections: one of each of `most` stretches, that with the most sure
    keypoints.

    Raises:
      ValueError: tracklets without `slots`, or `most` is not 2 or more.
    """
    if most < 2:
        raise ValueError(f"most must be 2 or more. Received: {most}")
    ids, owners = np.unique([one.id for one in tracklets], return_inverse=True)
    places, owner = [np.zeros((0, 2), int)], [np.zeros(0, int)]
    for one, number in zip(tracklets, owners, strict=True):
        if one.slots is None:
            raise ValueError(
                f"tracklet {one.id}: it is not known where its detections stood in their frames. "
                "Track the video again instead of reading tracklets from a file."
            )
        sure = np.where(np.isfinite(one.keypoints).all(axis=-1), one.keypoints[..., 2], 0.0)
        best = surest(sure.sum(axis=1), most)
        places.append(np.stack([one.frames[best], np.asarray(one.slots)[best]], axis=1))
        owner.append(np.full(len(best), number))
    every, owner = np.concatenate(places), np.concatenate(owner)
    order = np.lexsort((every[:, 0], owner))
    every, owner = every[order], owner[order]
    count = np.bincount(owner, minlength=len(ids))
    rank = np.arange(len(owner)) - (np.cumsum(count) - count)[owner]
    return Sample(every, owner, (rank >= count[owner] / 2).astype(int), ids)


def calibrate(tracklets: Sequence[Tracklet], chosen: Sample, described: np.ndarray) -> Calibration:
    """Learns what a likeness says from tracklets that no network has learned from.

    The same animal are the two halves of a tracklet, different ones two tracklets that share some
    frames. Halves follow each other in time, so they are rather more alike than two tracklets of an
    animal are.

    Args:
      chosen: `sample(tracklets)`.
      described: as of `similarity`.
    """
    halves = _Means(described, 2 * chosen.owner + chosen.half, 2 * len(chosen.ids))
    whole = _Means(described, chosen.owner, len(chosen.ids))
    number = np.arange(len(chosen.ids))
    same = halves.of_pairs(2 * number, 2 * number + 1, least=_LEAST - 1)
    different = whole.of_pairs(*_together(tracklets, chosen.ids), least=_LEAST)
    if min(len(same), len(different)) < _FEW:
        why = (
            f"{_FEW} tracklets with two halves to compare and {_FEW} pairs of tracklets that share "
            f"{_TOGETHER} frames are needed; there are {len(same)} and {len(different)}."
        )
        return Calibration(0.0, 0.0, len(same), len(different), reason=why)
    return fitted(same[:: -(-len(same) // _PAIRS)], different)


def similarity(chosen: Sample, described: np.ndarray, known: Calibration) -> np.ndarray:
    """Chances that two tracklet ids are one animal, float16 (ids, ids), in the order of
    `chosen.ids`.

    It is 0.5, undecided, where one has fewer than three detections that were described, or they
    share no bodypart.

    Args:
      described: of each detection of the sample either (n, dims), of length 1 or NaN (what a
        network says), or (n, bodyparts, dims), each bodypart so (see `plain`).

    Raises:
      ValueError: there are not as many as detections.
    """
    if len(described) != len(chosen.owner):
        raise ValueError(
            f"{counted(len(chosen.owner), 'detection')} must be described. Received: "
            f"{len(described)}"
        )
    means = _Means(described, chosen.owner, len(chosen.ids))
    found = np.full((len(chosen.ids),) * 2, 0.5, np.float16)
    for start, likeness in means.rows():
        told = known.chance(likeness)
        found[start : start + len(told)] = np.where(np.isnan(told), 0.5, told)
    return found


def by_tracklet(tracklets: Sequence[Tracklet], chosen: Sample, alike: np.ndarray) -> np.ndarray:
    """The matrix that `stitch.stitch` takes, by places in `tracklets`: pieces of one id share
    theirs."""
    where = np.searchsorted(chosen.ids, [one.id for one in tracklets])
    if len(where) == len(chosen.ids) and (where == np.arange(len(where))).all():
        return alike
    return alike[np.ix_(where, where)]


def plain(vectors: np.ndarray, present: np.ndarray, known: scaling.Scaling) -> np.ndarray:
    """Vectors of detections without training: each bodypart's vector, standardised and of
    length 1, (n, bodyparts, dims); NaN where there is none.

    Args:
      vectors: (n, bodyparts, dims), any floating point; present: bool (n, bodyparts).
      known: `scaling.of` many of them.
    """
    there = scaling.usable(vectors, present)
    found = np.where(there[..., None], vectors.astype(np.float32), known.mean) - known.mean
    found /= known.deviation
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    return np.where(there[..., None] & (length > 0), found / np.maximum(length, 1e-12), np.nan)


class _Means:
    """Mean vectors of groups of detections, bodypart by bodypart; NaN counts as nothing.

    Products of means are means of products: of all pairs of their detections, without looking at
    each. Unlike the cosine of means it does not grow with the number of detections.
    """

    def __init__(self, described: np.ndarray, owner: np.ndarray, groups: int):
        vectors = described if described.ndim == 3 else described[:, None]
        there = np.asarray(~np.isnan(vectors).any(axis=-1))
        shape = (groups, *vectors.shape[1:])
        total, number = np.zeros(shape, np.float32), np.zeros(shape[:2], np.float32)
        np.add.at(total, owner, np.where(there[..., None], vectors, 0.0))
        np.add.at(number, owner, there)
        self._mean = (total / np.maximum(number, 1)[..., None]).reshape(groups, -1)
        self._has = (number > 0).astype(np.float32)
        self._seen = np.bincount(owner[there.any(axis=1)], minlength=groups)

    def of_pairs(self, a: np.ndarray, b: np.ndarray, *, least: int) -> np.ndarray:
        """Likeness of groups of `least` detections at least that share a bodypart."""
        enough = np.minimum(self._seen[a], self._seen[b]) >= least
        a, b = a[enough], b[enough]
        shared = (self._has[a] * self._has[b]).sum(axis=1)
        found = (self._mean[a] * self._mean[b]).sum(axis=1)[shared > 0]
        return found / shared[shared > 0]

    def rows(self) -> Iterator[tuple[int, np.ndarray]]:
        """Likeness of all groups, some rows after the other; NaN where too little was seen."""
        few = self._seen < _LEAST
        for start in range(0, len(self._seen), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            shared = self._has[some] @ self._has.T
            found = self._mean[some] @ self._mean.T
            known = (shared > 0) & ~few[some, None] & ~few
            yield start, np.where(known, found / np.maximum(shared, 1), np.nan)


def surest(sure: np.ndarray, most: int) -> np.ndarray:
    """The place of the greatest of each of `most` stretches."""
    count = min(most, len(sure))
    stretch = np.arange(len(sure)) * count // len(sure)
    order = np.lexsort((-sure, stretch))
    return order[np.searchsorted(stretch[order], np.arange(count))]


def _together(tracklets: Sequence[Tracklet], ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of ids that share frames, some of them if there are many."""
    where = np.searchsorted(ids, [one.id for one in tracklets])
    first, last = np.full(len(ids), np.iinfo(int).max), np.full(len(ids), -1)
    np.minimum.at(first, where, [int(one.frames[0]) for one in tracklets])
    np.maximum.at(last, where, [int(one.frames[-1]) for one in tracklets])
    order = np.argsort(first, kind="stable")
    # Of those that begin after it, the ones that do before it has ended.
    after = np.searchsorted(first[order], last[order] - _TOGETHER + 1, side="right")
    number = np.maximum(after - np.arange(len(order)) - 1, 0)
    if not number.sum():
        return np.zeros(0, int), np.zeros(0, int)
    drawn = np.unique(np.linspace(0, number.sum() - 1, _PAIRS).round().astype(int))
    a = np.searchsorted(np.cumsum(number), drawn, side="right")
    b = a + 1 + drawn - (np.cumsum(number) - number)[a]
    a, b = order[a], order[b]
    shared = np.minimum(last[a], last[b]) - np.maximum(first[a], first[b]) + 1
    return a[shared >= _TOGETHER], b[shared >= _TOGETHER]


def fitted(same: np.ndarray, different: np.ndarray) -> Calibration:
    """Logistic regression of both kinds, each weighing 1, by Newton's method."""
    likeness = np.concatenate([same, different]).astype(float)
    truth = np.repeat([1.0, 0.0], [len(same), len(different)])
    weight = np.repeat([1 / len(same), 1 / len(different)], [len(same), len(different)])
    middle = (same.mean() + different.mean()) / 2
    spread = likeness.std() or 1.0
    design = np.stack([(likeness - middle) / spread, np.ones(len(likeness))], axis=1)
    ridge = np.diag([_RIDGE, 0.0])
    found = np.zeros(2)
    for _ in range(50):
        chance = 0.5 + 0.5 * np.tanh(design @ found / 2)
        slope = design.T @ (weight * (truth - chance)) - ridge @ found
        bend = (design.T * (weight * chance * (1 - chance))) @ design + ridge
        step = np.linalg.solve(bend + 1e-9 * np.eye(2), slope)
        found += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    # If the same animals look less alike than others do, nothing can be said.
    rising = max(found[0], 0.0) / spread
    offset = found[1] - rising * middle if rising else 0.0
    told = [(rising * e + offset > 0).mean() for e in (same, different)]
    accuracy = float(told[0] + 1 - told[1]) / 2
    why = "" if rising else "One animal looks no more like itself than different animals do."
    return Calibration(float(rising), float(offset), len(same), len(different), accuracy, why)
