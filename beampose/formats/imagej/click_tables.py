"""A table of clicks as ImageJ saves its results: points, and what says which image each is of."""

import re
from typing import NamedTuple

import numpy as np

from beampose.core import csv_cells, files, texts
from beampose.formats import spreadsheets
from beampose.formats.imagej import click_images
from beampose.formats.imagej.click_images import Rows
from beampose.preprocess.labels import ERROR, GONE, Problem

# Columns of numbers, and those that may hold anything.
_COUNTS = click_images.COUNTS
_MAY_COUNT = (*click_images.OTHERS, click_images.CHANNEL)


class Table(NamedTuple):
    """Clicks in the order of the file: x and y, what says of which image they are, the line.

    `first` is ImageJ's running number of the first: its tables are numbered in one go.
    """

    file: str
    points: np.ndarray
    said: Rows
    rows: list[int]
    first: int


def read(file: str, problems: list[Problem]) -> Table | None:
    """A table with the columns X and Y; another csv is none, and is told of."""
    # Letters of another code page stand in headers that are not read, such as µm².
    try:
        data = files.read_bytes(file)
    except FileNotFoundError:
        problems.append(Problem(ERROR, file, 0, "", GONE))
        return None
    text = data.decode(texts.encoding(data) or texts.UTF8, "replace")
    head = re.split("[\r\n]", text, maxsplit=1)[0]
    delimiter = "\t" if "\t" in head else ";" if ";" in head else ","
    columns = [cell.strip().lower() for cell in head.split(delimiter)]
    missing = [name for name in ("x", "y") if name not in columns]
    if missing:
        what = f"has no column {' and '.join(missing).upper()}: not an ImageJ table; it is not read"
        problems.append(Problem(ERROR, file, 1, "", what))
        return None
    clicks: list[_Click] = []
    rows: list[int] = []
    reader = csv_cells.Rows(text, delimiter)
    try:
        next(reader, None)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            try:
                if what := spreadsheets.misplaced(row, len(columns)):
                    raise ValueError(what)
                clicks.append(_click(row, columns, delimiter))
            except ValueError as error:
                problems.append(Problem(ERROR, file, reader.line, "", f"{error}; not used"))
                continue
            rows.append(reader.line)
    except ValueError as error:
        what = f"{error}; nor is what follows"
        problems.append(Problem(ERROR, file, reader.line, "", what))
    points = np.array([one.point for one in clicks], np.float64).reshape(-1, 2)
    numbers = {
        name: [one.numbers[name] for one in clicks]
        for name in (*_COUNTS, *_MAY_COUNT)
        if name in columns
    }
    # T may be a time.
    numbers = {n: own for n, own in numbers.items() if n in _COUNTS or None not in own}
    said = Rows([one.label for one in clicks], numbers)
    return Table(file, points, said, rows, next((one.running for one in clicks if one.running), 0))


class _Click(NamedTuple):
    """A row: x and y, its Label, its numbers by column, ImageJ's running number."""

    point: tuple[float, float]
    label: str
    numbers: dict[str, int | None]
    running: int


def _click(row: list[str], columns: list[str], separator: str) -> _Click:
    """Raises ValueError if a row holds no point."""
    cells: dict[str, str] = {n: c.strip() for n, c in zip(columns, row, strict=False)}
    try:
        x, y = (spreadsheets.number(cells[name], separator) for name in ("x", "y"))
        said = {n: spreadsheets.number(cells.get(n, ""), separator) for n in _COUNTS}
        numbers = {n: None if np.isnan(one) else int(one) for n, one in said.items()}
        running = cells.get("", "")
        if not (np.isfinite(x) and np.isfinite(y)):
            raise ValueError
    except (KeyError, ValueError, OverflowError):
        raise ValueError("holds no X, Y and Slice that are numbers") from None
    numbers |= {name: _whole(cells.get(name, ""), separator) for name in _MAY_COUNT}
    label = cells.get(click_images.LABEL, "")
    return _Click((x, y), label, numbers, int(running) if running.isdecimal() else 0)


def _whole(cell: str, separator: str) -> int | None:
    """A whole number; None of anything else, as a time in seconds."""
    try:
        found = spreadsheets.number(cell, separator)
    except ValueError:
        return None
    return int(found) if found.is_integer() else None
