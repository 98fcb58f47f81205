"""Corrected coordinates into DeepLabCut's label files: nothing else in them changes."""

import csv
import io
from typing import NamedTuple

import numpy as np

from beampose.formats import pandas_h5
from beampose.formats.deeplabcut import collected_data

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


def edit_csv(data: bytes, corrections: list[Correction]) -> Edited:
    """Changes cells of a CollectedData csv; all others keep their text.

    Raises:
      ValueError: it is no such file.
    """
    text = data.decode("utf-8-sig", "strict")
    # A file of Windows keeps its ends of lines.
    end = "\r\n" if "\r\n" in text else "\n"
    rows = list(csv.reader(io.StringIO(text)))
    full = [row for row in rows if any(cell.strip() for cell in row)]
    if [row[0].strip() for row in full[:3]] != ["scorer", "bodyparts", "coords"]:
        raise ValueError("must begin with rows scorer, bodyparts, coords")
    width = collected_data.index_width(full[1])
    places = _places([(row[1].strip(), row[2].strip()) for row in zip(*full[:3], strict=False)])
    lost = set(corrections)
    for row in full[3:]:
        name = "/".join(cell.strip() for cell in row[:width])
        for one in corrections:
            pair = places.get(one.bodypart)
            if not pair or not _same_image(name, one.image):
                continue
            found = _numbers(row, pair)
            if _is(found, one.old):
                row += [""] * (max(pair) + 1 - len(row))
                for column, value in zip(pair, one.new, strict=True):
                    row[column] = "" if np.isnan(value) else repr(float(value))
            if _is(found, one.old) or _is(found, one.new):
                lost.discard(one)
    stream = io.StringIO()
    csv.writer(stream, lineterminator=end).writerows(rows)
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    return Edited(mark + stream.getvalue().encode(), lost)


def edit_h5(data: bytes, corrections: list[Correction]) -> Edited:
    """Changes numbers of a CollectedData h5 in their places.

    Raises:
      ValueError: it is no such file.
    """
    columns, index, values = pandas_h5.read(data)
    if any(len(column) != 3 for column in columns):
        raise ValueError("must have the column levels scorer, bodyparts, coords, and no others")
    places = _places([column[1:] for column in columns])
    cells: dict[tuple[int, int], float] = {}
    lost = set(corrections)
    for number, parts in enumerate(index):
        for one in corrections:
            pair = places.get(one.bodypart)
            if not pair or not _same_image("/".join(parts), one.image):
                continue
            found = values[number, list(pair)]
            if _is(found, one.old):
                cells |= {(number, c): v for c, v in zip(pair, one.new, strict=True)}
            if _is(found, one.old) or _is(found, one.new):
                lost.discard(one)
    return Edited(pandas_h5.edit(data, cells), lost)


def _places(columns: list[tuple[str, ...]]) -> dict[str, tuple[int, int]]:
    """Columns of x and y of each bodypart."""
    found: dict[str, dict[str, int]] = {}
    for number, (bodypart, coord) in enumerate(columns):
        found.setdefault(bodypart, {}).setdefault(coord, number)
    return {name: (at["x"], at["y"]) for name, at in found.items() if "x" in at and "y" in at}


def _same_image(name: str, other: str) -> bool:
    return collected_data.image_name(name) == collected_data.image_name(other)


def _numbers(row: list[str], pair: tuple[int, int]) -> list[float]:
    found = []
    for column in pair:
        cell = row[column].strip() if column < len(row) else ""
        try:
            found.append(float(cell) if cell else np.nan)
        except ValueError:
            # A cell that is no number is no label.
            found.append(np.nan)
    return found


def _is(found: np.ndarray | list[float], point: tuple[float, float]) -> bool:
    return bool(np.allclose(found, point, rtol=0, atol=SAME, equal_nan=True))
