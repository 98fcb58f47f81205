"""csv files that went through a spreadsheet program: separators, decimal commas, words for none."""

import contextlib
import csv
import io
import math
import re
from collections.abc import Callable
from typing import NamedTuple

SEPARATORS = (",", ";", "\t")
# What programs write where there is no number, in capitals: those that pandas reads as NaN.
_NONE = frozenset(
    ("", "NA", "N/A", "#N/A", "#N/A N/A", "#NA", "<NA>", "NAN", "-NAN", "NULL", "NONE", "NIL")
    + ("-1.#IND", "1.#IND", "-1.#QNAN", "1.#QNAN")
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d{1,4})?")


class Row(NamedTuple):
    """A line that is not empty. `number` counts from 1, as in an editor."""

    number: int
    cells: list[str]


class Sheet(NamedTuple):
    """The rows of a csv, and what stands between their cells."""

    rows: list[Row]
    separator: str


def read(text: str, begins: Callable[[list[list[str]]], bool]) -> Sheet:
    """The rows of a csv.

    Args:
      begins: returns True if the first rows are those of the format; the first separator by which
        they are is taken, a comma if there is none.

    Raises:
      ValueError: a quote is not closed, or a line is too long.
    """
    sheets = (Sheet(_rows(text, separator), separator) for separator in SEPARATORS)
    first = next(sheets)
    if begins([row.cells for row in first.rows[:4]]):
        return first
    return next((s for s in sheets if begins([row.cells for row in s.rows[:4]])), first)


def until_broken(text: str, separator: str = ",") -> list[Row]:
    """The rows before the one that cannot be read."""
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    with contextlib.suppress(csv.Error):
        rows.extend(Row(reader.line_num, row) for row in reader if any(map(str.strip, row)))
    return rows


def number(cell: str, separator: str = ",") -> float:
    """The number in a cell, NaN if there is none.

    Where semicolons or tabs part the cells, a comma is a decimal point.

    Raises:
      ValueError: the cell holds something else.
    """
    cell = cell.strip()
    if cell.upper() in _NONE:
        return math.nan
    if separator != "," and _COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    if not _NUMBER.fullmatch(cell):
        raise ValueError(f"holds {cell!r}, which is not a number")
    return float(cell)


def _rows(text: str, separator: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        return [Row(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"cannot be read: {error}. Is a quote not closed?") from None
