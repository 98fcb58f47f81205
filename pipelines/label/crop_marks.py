"""Where marks on crops stand: `sorted.csv` of a folder, or the csv of dismissed detections."""

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from beampose.core import csv_cells, files, storage, texts
from beampose.pipelines.curation import repeats_page
from beampose.pipelines.curation.sorting_page import SAVED

# What recurring detections are marked as: those of the first kind are dismissed.
REPEAT, ANIMAL = "repeat", "animal"
KEPT = "kept.csv"


class MarksFile(Protocol):
    """Marks of crops by their names."""

    @property
    def what(self) -> str:
        """What holds the marks, for a person."""
        ...

    def read(self) -> dict[str, str]:
        """The class of each marked crop. Raises ValueError: it is another table."""
        ...

    def write(self, marks: Mapping[str, str]) -> None:
        """Replaces all marks. Raises OSError."""
        ...

    def stamp(self) -> Sequence[tuple[int, str]]:
        """What changes whenever somebody writes the marks."""
        ...


class SortedMarks:
    """`sorted.csv` beside crops, which experiments read as `format: csv`."""

    what = SAVED

    def __init__(self, folder: str):
        self._file = storage.place(folder, SAVED)

    def read(self) -> dict[str, str]:
        if not self._file.is_file():
            return {}
        rows = csv_cells.Rows(texts.decode(self._file.read_bytes(), texts.WINDOWS))
        found = {}
        for row in filter(None, rows):
            if len(row) != 2:
                raise ValueError(
                    f"{self._file}:{rows.line} must be a crop and its class. Received: {row}."
                )
            found[csv_cells.plain(row[0])] = csv_cells.plain(row[1])
        return found

    def write(self, marks: Mapping[str, str]) -> None:
        storage.write_text(self._file, _table(sorted(marks.items())), durable=True)

    def stamp(self) -> Sequence[tuple[int, str]]:
        return _stamp(self._file)


class Detections(NamedTuple):
    """Detections that are marked together: frame and box of each."""

    video: str
    boxes: Sequence[tuple[int, int]]


class DismissedMarks:
    """`dismissed.csv` in the folder of predictions; what is no repeat stands in `kept.csv`.

    Attributes:
      places: see below.

    Args:
      folder: of predictions.
      places: detections by the name of their place.
      dismissed: names of places that the predictions have as dismissed.
    """

    what = f"{repeats_page.SAVED} and {KEPT}"

    def __init__(self, folder: str, places: Mapping[str, Detections], dismissed: Sequence[str]):
        self.places, self._dismissed = places, dismissed
        self.file = storage.place(folder, repeats_page.SAVED)
        self._kept = storage.place(folder, KEPT)

    def read(self) -> dict[str, str]:
        found = {}
        if self.file.is_file():
            found |= self._of(self.file, REPEAT)
        else:
            found |= dict.fromkeys(self._dismissed, REPEAT)
        if self._kept.is_file():
            found = {**self._of(self._kept, ANIMAL), **found}
        return found

    def _of(self, file: storage.Address, kind: str) -> dict[str, str]:
        """Places all of whose detections a csv names."""
        named = repeats_page.read_dismissed(file)
        return {
            name: kind
            for name, one in self.places.items()
            if named.get(one.video, set()).issuperset(one.boxes)
        }

    def write(self, marks: Mapping[str, str]) -> None:
        for file, kind in ((self.file, REPEAT), (self._kept, ANIMAL)):
            rows: list[Sequence[object]] = [repeats_page.COLUMNS]
            for name, one in self.places.items():
                if marks.get(name) == kind:
                    rows += [(one.video, frame, box) for frame, box in one.boxes]
            storage.write_text(file, _table(rows), durable=True)

    def stamp(self) -> Sequence[tuple[int, str]]:
        return _stamp(self.file, self._kept)


def _stamp(*places: storage.Address) -> list[tuple[int, str]]:
    """Stamps of files; of one that is not there an empty one."""
    return [files.stamp(str(one)) if files.exists(str(one)) else (0, "") for one in places]


def _table(rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO(newline="")
    csv_cells.Writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
