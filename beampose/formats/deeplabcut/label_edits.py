"""Corrected coordinates into DeepLabCut's label files: nothing else in them changes."""

import codecs
import csv
import io
from typing import NamedTuple

import numpy as np

from beampose.core import csv_cells, texts
from beampose.formats import pandas_h5, spreadsheets
from beampose.formats.deeplabcut import collected_data, columns
from beampose.formats.deeplabcut.columns import Column

# A label is the one that was judged if it still is at the same place, in pixels.
SAME = 0.01


class Correction(NamedTuple):
    """A point to be moved.

    Attributes:
      image: its name in the label file.
      old, new: x, y in pixels; NaN as new takes the label away.
    """

    image: str
    bodypart: str
    old: tuple[float, float]
    new: tuple[float, float]


class Edited(NamedTuple):
    """A label file's new content, and the corrections it has no such label for.

    A label that is at its new place already is no loss: a killed run is repeated.
    """

    data: bytes
    lost: set[Correction]


def edit_csv(data: bytes, corrections: list[Correction], scorer: str) -> Edited:
    """Changes cells of a scorer in a CollectedData csv; all others keep their text.

    Raises:
      ValueError: it is no such file.
    """
    # Windows-1252 is what `collected_data` may have read.
    encoding = texts.encoding(data) or texts.WINDOWS
    text = texts.decode(data, encoding)
    # A file of Windows or of an old Mac keeps its ends of lines.
    end = next((end for end in ("\r\n", "\n", "\r") if end in text), "\n")
    header = collected_data.header(text, several=False)
    width, separator = header.width, header.separator
    rows = list(csv_cells.Rows(text, separator))
    full = [row for row in rows if any(cell.strip() for cell in row)]
    places = {
        part: (width + x, width + y) for part, (x, y) in _places(header.columns, scorer).items()
    }
    lost = set(corrections)
    for row in full[3:]:
        if header.misplaced(row):
            continue
        name = "/".join(cell.strip() for cell in row[:width])
        for one in corrections:
            pair = places.get(one.bodypart)
            if not pair or not _same_image(name, one.image):
                continue
            found = _numbers(row, pair, separator)
            if _is(found, one.old):
                for column, value in zip(pair, one.new, strict=True):
                    cell = "" if np.isnan(value) else repr(float(value))
                    row[column] = cell if separator == "," else cell.replace(".", ",")
            if _is(found, one.old) or _is(found, one.new):
                lost.discard(one)
    stream = io.StringIO()
    csv.writer(stream, lineterminator=end, delimiter=separator).writerows(rows)
    marked = encoding != texts.UTF8 or data.startswith(codecs.BOM_UTF8)
    return Edited(stream.getvalue().encode(encoding if marked else "utf-8"), lost)


def edit_h5(data: bytes, corrections: list[Correction], scorer: str) -> Edited:
    """Changes numbers of a scorer in a CollectedData h5 in their places.

    Raises:
      ValueError: it is no such file.
    """
    named, names, values = columns.read_h5(data, several=False)
    places = _places(named, scorer)
    cells: dict[tuple[int, int], float] = {}
    lost = set(corrections)
    for number, name in enumerate(names):
        for one in corrections:
            pair = places.get(one.bodypart)
            if not pair or not _same_image(name, one.image):
                continue
            found = values[number, list(pair)]
            if _is(found, one.old):
                cells |= {(number, c): v for c, v in zip(pair, one.new, strict=True)}
            if _is(found, one.old) or _is(found, one.new):
                lost.discard(one)
    return Edited(pandas_h5.edit(data, cells), lost)


def _places(named: list[Column], scorer: str) -> dict[str, tuple[int, int]]:
    """Columns of x and y of each bodypart."""
    there = columns.places(named, columns.owner(named, scorer))
    parts = dict.fromkeys(part for _, part, _ in there)
    pairs = {part: (there.get(("", part, "x")), there.get(("", part, "y"))) for part in parts}
    return {part: (x, y) for part, (x, y) in pairs.items() if x is not None and y is not None}


def _same_image(name: str, other: str) -> bool:
    return collected_data.image_name(name) == collected_data.image_name(other)


def _numbers(row: list[str], pair: tuple[int, int], separator: str) -> list[float]:
    found = []
    for column in pair:
        try:
            found.append(spreadsheets.number(row[column], separator))
        except ValueError:
            # A cell that is no number is no label.
            found.append(np.nan)
    return found


def _is(found: np.ndarray | list[float], point: tuple[float, float]) -> bool:
    return bool(np.allclose(found, point, rtol=0, atol=SAME, equal_nan=True))
