"""Photographs that an earlier run has results of: of a folder that grew, new ones are predicted.

An image is the same where its name, its content and its boxes are; where boxes come from bursts,
where those of its burst are, too. The results of a set are kept in
its ranges, which an image is looked up in by its number among the images of that run.
"""

import bisect
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import artefacts, storage
from beampose.core.answering import Unanswered
from beampose.core.infos import PredictionInfo
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import commit, earlier_bursts, still_ranges
from beampose.pipelines.predict.predictor import Result
from beampose.pipelines.results.result_names import Predictions
from beampose.pipelines.still_sets import Recall, Recalled
from beampose.preprocess import stills
from beampose.preprocess.stills import Still, Stills

_RANGE = re.compile(r"(\d{9,})-(\d{9,})\.npz")
# Arrays with a row for each image where others have one for each box, whose images `_FRAMES` says.
_FRAMES = "frames"
_BY_IMAGE = ("looked", *still_ranges.FACTS)


class _Former(NamedTuple):
    """A set of the same path: its results, and by name of its images their numbers and codes.

    `rows` are all its images, in order.
    """

    summary: PredictionInfo
    numbers: dict[str, tuple[int, str]]
    failed: frozenset[str]
    rows: Sequence[still_ranges.Image]


def recall(output: commit.Output, known: Predictions) -> Recall:
    """What the results in a folder know of a set of images."""

    def find(path: str, images: list[Still]) -> Recalled:
        every = known.everything()
        names = dict.fromkeys(name for name, owner in every if owner.video == path)
        found = [_recalled(output, one, images) for n in names if (one := _former(output, n))]
        # The set that this one goes on with, else the one that knows most of it.
        best = max(found, key=lambda one: (bool(one.owns), _count(one.images)), default=None)
        return best or Recalled(images)

    return find


def _count(images: Sequence[Still]) -> int:
    return sum(still.before >= 0 for still in images)


def _former(output: commit.Output, name: str) -> _Former | None:
    """A set of a name; None where it is not known what of its images its results were made of."""
    file = commit.summary_file(output, name)
    try:
        summary = artefacts.find_info(file, PredictionInfo)
        if summary is None or not summary.images:
            return None
        stem = commit.stem_of(file)
        rows = list(still_ranges.read(stem.with_name(stem.name + still_ranges.TABLE)))
    except Unanswered:
        raise
    except (OSError, ValueError):
        # Of damaged results nothing is taken; where they would be replaced they are refused.
        return None
    if not any(row.fingerprint for row in rows):
        return None
    numbers = {row.name: (i, row.fingerprint) for i, row in enumerate(rows) if not row.failure}
    return _Former(summary, numbers, frozenset(row.name for row in rows if row.failure), rows)


def _recalled(output: commit.Output, former: _Former, images: list[Still]) -> Recalled:
    there = {still.name: still.code for still in images if still.code and not still.failure}
    grown = all(there.get(name) == code for name, (_, code) in former.numbers.items())
    owns = former.summary.name if grown else ""
    if not commit.same(output, former.summary):
        return Recalled(images, owns=owns)
    folder = commit.kept_ranges(output, former.summary)
    spans = _spans(str(folder))
    burst, found = output.predictor.burst, []
    alike = burst and earlier_bursts.unchanged(former.rows, images, burst.seconds)
    for now, still in enumerate(images):
        number, code = former.numbers.get(still.name, (-1, ""))
        same = bool(code) and there.get(still.name) == code and (alike is None or now in alike)
        found.append(still._replace(before=number) if same and spans.holds(number) else still)
    return Recalled(found, str(folder), owns)


class _Spans(NamedTuple):
    """First number and the one after the last of each range that is kept, in order."""

    starts: list[int]
    stops: list[int]
    names: list[str]

    def at(self, number: int) -> int:
        """Place of the range with a number; -1 if there is none."""
        place = bisect.bisect_right(self.starts, number) - 1
        return place if place >= 0 and number < self.stops[place] else -1

    def holds(self, number: int) -> bool:
        return self.at(number) >= 0


def _spans(folder: str) -> _Spans:
    place = storage.place(folder)
    names = sorted(storage.names(place)) if place.is_dir() else []
    found = [(int(m[1]), int(m[2]), name) for name in names if (m := _RANGE.fullmatch(name))]
    return _Spans([one[0] for one in found], [one[1] for one in found], [one[2] for one in found])


class Earlier:
    """Results of an earlier run by the numbers of its images; a range in memory at a time."""

    def __init__(self, folder: str):
        self._folder = folder
        self._spans = _spans(folder)
        self._loaded: tuple[int, Result | None] = (-1, None)

    def row(self, number: int, now: int) -> dict[str, np.ndarray] | None:
        """Arrays of an image, whose number is now another; None where they cannot be read."""
        place = self._spans.at(number)
        if place < 0:
            return None
        if self._loaded[0] != place:
            file = storage.place(self._folder, self._spans.names[place])
            self._loaded = (place, commit.load_range(file))
        result = self._loaded[1]
        if result is None or any(number == lost for lost, _ in result.failures):
            return None
        return _row(result.arrays, number - self._spans.starts[place], number, now)


def rows(part: Range) -> dict[int, dict[str, np.ndarray]]:
    """Arrays of the images of a range that are known, by their numbers."""
    source = part.video
    assert isinstance(source, Stills)
    known = {n: source.still(n).before for n in part.frames if source.still(n).before >= 0}
    if not known:
        return {}
    earlier = Earlier(source.earlier)
    found = {number: earlier.row(before, number) for number, before in known.items()}
    return {number: row for number, row in found.items() if row is not None}


def joined(
    part: Range, fresh: Result | None, todo: Sequence[int], known: dict[int, dict[str, np.ndarray]]
) -> Result:
    """A result of all images of a range from that of some and the known rows of the others."""
    if fresh is None:
        return Result(_stacked([known[number] for number in part.frames]), [], len(known))
    if not known:
        return fresh
    own = {n: _row(fresh.arrays, i, n, n) for i, n in enumerate(todo)}
    each = own | known
    return Result(_stacked([each[number] for number in part.frames]), fresh.failures, len(known))


def _stacked(each: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


def _row(arrays: dict[str, Any], at: int, number: int, now: int) -> dict[str, np.ndarray]:
    """What arrays of a range say of one image."""
    if _FRAMES not in arrays:
        return {name: values[at : at + 1] for name, values in arrays.items()}
    first, last = np.searchsorted(arrays[_FRAMES], [number, number + 1])
    found = {
        name: values[at : at + 1] if name in _BY_IMAGE else values[first:last]
        for name, values in arrays.items()
    }
    return {**found, _FRAMES: np.full(last - first, now, np.int64)}


def numbers(source: Stills) -> Iterator[tuple[int, int]]:
    """Numbers of the images that an earlier run knows, there and in this set."""
    for now, still in enumerate(stills.listed(source.listing)):
        if still.before >= 0:
            yield still.before, now
