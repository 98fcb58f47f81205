"""Images of a range for the model, and what each says of itself: its size, turn and time."""

import csv
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from upath import UPath

from beampose.core import csv_cells, storage
from beampose.pipelines import manifest
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict.predictor import Burst, Result, Results
from beampose.pipelines.predict.view import View
from beampose.preprocess import bursts, stills
from beampose.preprocess.stills import Facts, Picture, Still, Stills
from beampose.preprocess.videos import Frame

# Of a set, beside its other files: a row an image.
TABLE = "_images.csv"
COLUMNS = ("image", "taken", "width", "height", "orientation", "bytes", "failure", "fingerprint")
# As versions before wrote them.
_FORMER = COLUMNS[:-1]
# Of a range, beside what the model says; `taken` as text of this length.
_NUMBERS = ("height", "width", "orientation")
_TIME = "U19"
FACTS = (*_NUMBERS, "taken")


class Reader:
    """Reads the images of a range, and keeps what they say of themselves."""

    def __init__(self, part: Range, view: View, depth: int, burst: Burst | None = None):
        assert isinstance(part.video, Stills)
        self._stills, self._part, self._view, self._depth = part.video, part, view, depth
        self._burst = burst
        self._facts: dict[int, Facts] = {}

    def frames(self) -> Iterator[Frame]:
        for frame, facts in self._pictures():
            self._facts[frame.index] = facts
            problem = frame.pixels is not None and self._view.problem(facts.height, facts.width)
            yield Frame(frame.index, None, problem) if problem else frame

    def _pictures(self) -> Iterator[Picture]:
        if self._burst is None:
            return stills.read(self._stills, self._part.frames, self._depth)
        first = self._stills.first
        every = range(first, first + len(self._stills.images))
        pictures = stills.read(self._stills, every, self._depth)
        return bursts.found(pictures, self._stills, *self._burst)

    def with_facts(self, result: Result) -> Result:
        """A result of the range, and the facts of its images, a row each."""
        every = [self._facts.get(number, Facts()) for number in self._part.frames]
        arrays = {name: np.array([getattr(f, name) for f in every], np.int32) for name in _NUMBERS}
        arrays["taken"] = np.array([facts.taken for facts in every], _TIME)
        return result._replace(arrays={**result.arrays, **arrays})


class Row(NamedTuple):
    """An image of a set, with what was found out about it."""

    number: int
    still: Still
    facts: Facts
    failure: str


def rows(source: Stills, results: Results) -> Iterator[Row]:
    """A row an image, a range in memory at a time."""
    listed = enumerate(stills.listed(source.listing))
    for result in results.each():
        arrays, why = result.arrays, dict(result.failures)
        for i in range(len(arrays["taken"])):
            number, still = next(listed)
            height, width, turn = (int(arrays[name][i]) for name in _NUMBERS)
            facts = Facts(height, width, turn, str(arrays["taken"][i]))
            yield Row(number, still, facts, why.get(number, ""))


def write(file: UPath, every: Iterator[Row]) -> dict[str, int]:
    """Writes the table of images. Returns how many were turned, and how many say their time."""
    said = {"images_turned": 0, "images_with_time": 0}
    with (
        storage.replacing(file) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv_cells.Writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for _, still, facts, failure in every:
            size = (facts.width or "", facts.height or "", facts.orientation)
            writer.writerow((still.name, facts.taken, *size, still.bytes, failure, still.code))
            said["images_turned"] += facts.orientation != 1
            said["images_with_time"] += bool(facts.taken)
    return said


class Image(NamedTuple):
    """A row of the table of images; sizes are 0 where it could not be read."""

    name: str
    taken: str
    width: int
    height: int
    bytes: int
    failure: str
    fingerprint: str = ""


def read(file: UPath) -> Iterator[Image]:
    """The rows of a table of images, one in memory at a time.

    Raises:
      ValueError: it is another table.
    """
    with file.open("r", encoding="utf-8", newline="") as stream:
        table = csv.reader(stream)
        if tuple(next(table, ())) not in (COLUMNS, _FORMER):
            raise ValueError(f"{file} is not a table of images.")
        for row in table:
            name, taken, width, height, _, size, *rest = (csv_cells.plain(cell) for cell in row)
            yield Image(name, taken, int(width or 0), int(height or 0), int(size), *rest)


def ranges(
    name: str, source: Stills, chunk: int, *, burst: bool = False
) -> Iterator[tuple[Range, ...]]:
    """The images of a set in ranges, each with its own part of the listing.

    Args:
      burst: whether images beside a range are looked at as well, see `bursts`.
    """
    for numbers, piece in stills.windows(source, chunk, bursts.MOST if burst else 0):
        yield (manifest.Range(piece, name, numbers),)
