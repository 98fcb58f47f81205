"""csv files that went through a spreadsheet program: separators, decimal commas, words for none."""

import contextlib
import math
import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from beampose.core import csv_cells
from beampose.core.wording import agreed, counted

SEPARATORS = (",", ";", "\t")
# What programs write where there is no number, in capitals: those that pandas reads as NaN.
_NONE = frozenset(
    ("", "NA", "N/A", "#N/A", "#N/A N/A", "#NA", "<NA>", "NAN", "-NAN", "NULL", "NONE", "NIL")
    + ("-1.#IND", "1.#IND", "-1.#QNAN", "1.#QNAN")
)
# Beyond it floats miss whole numbers.
_MOST = 1 << 53
# Of digits from 0 to 9 alone: Python takes those of other scripts for numbers, pandas does not.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d{1,4})?", re.ASCII)

# A first line by which Excel is told the separator.
_HINT = re.compile(r'"?sep=.?"?\s*$', re.IGNORECASE | re.MULTILINE)


class Row(NamedTuple):
    """A line that is not empty. `number` counts from 1, as in an editor."""

    number: int
    cells: list[str]


class Sheet(NamedTuple):
    """The rows of a csv, and what stands between their cells."""

    rows: list[Row]
    separator: str


class NamedRow(NamedTuple):
    """A line below a header: cells by the column's name in lowercase letters.

    `number` is that of the line.
    """

    number: int
    cells: dict[str, str]


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


def named(
    text: str,
    needed: Collection[str],
    counts: Callable[[list[str]], bool] = lambda cells: True,
) -> tuple[list[NamedRow], str]:
    """The rows of a csv whose first row names its columns, and its separator.

    Args:
      needed: columns that must be there, in lowercase letters.
      counts: returns False for the cells of a row that nobody needs; of other cells than the header
        has, such a row is left out.

    Raises:
      ValueError: as `read`, columns are missing, or a row has other cells than the header; the text
        names them.
    """

    def begins(rows: list[list[str]]) -> bool:
        return bool(rows) and {*needed} <= {*_names(rows[0])}

    rows, separator = read(text, begins)
    header = _names(rows[0].cells) if rows else []
    if missing := [name for name in needed if name not in header]:
        found = separator.join(header)[:200] or "nothing"
        raise ValueError(
            f"lacks the columns {', '.join(missing)}: its first row must name them, parted by "
            f"commas, semicolons or tabs. Received: {found}"
        )
    body = []
    for row in rows[1:]:
        if what := misplaced(row.cells, len(header), f" in line {row.number}"):
            if counts(row.cells):
                raise ValueError(what)
            continue
        body.append(NamedRow(row.number, dict(zip(header, row.cells, strict=False))))
    return body, separator


def misplaced(cells: Sequence[str], count: int, place: str = "") -> str:
    """What is wrong with a row that has other cells than its header: nobody knows which; else "".

    Args:
      count: how many the header has. More are no matter where they are empty.
      place: of the row, to be told.
    """
    if len(cells) == count or (len(cells) > count and not any(map(str.strip, cells[count:]))):
        return ""
    how = "missing" if len(cells) < count else "too many"
    verb = agreed(abs(len(cells) - count), "are")
    found = counted(len(cells), "cell")
    return (
        f"has {found}{place} where the header has {count}: which {verb} {how} is not known, so "
        "values may stand in the wrong columns. Correct the row; empty cells need their "
        "separators, too"
    )


def _names(cells: list[str]) -> list[str]:
    return [cell.strip().lower() for cell in cells]


def until_broken(text: str, separator: str = ",") -> list[Row]:
    """The rows before the one that cannot be read."""
    rows: list[Row] = []
    reader = csv_cells.Rows(text, separator)
    with contextlib.suppress(ValueError):
        rows.extend(Row(reader.line, row) for row in reader if any(map(str.strip, row)))
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


def is_number(cell: str, separator: str = ",") -> bool:
    """Returns True for a number and for a cell that holds none."""
    try:
        number(cell, separator)
    except ValueError:
        return False
    return True


def whole(value: object, separator: str = ",") -> int:
    """A number without a fraction, as programs write it: 5, 5.0, "5" or "5.0".

    Raises:
      ValueError: it is none.
    """
    found = number(value, separator) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, (int, float)) or found != found // 1:
        raise ValueError(f"{_short(value)} is not a whole number")
    if abs(found) > _MOST:
        raise ValueError(f"{_short(value)} is no number of anything")
    return int(found)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _rows(text: str, separator: str) -> list[Row]:
    reader = csv_cells.Rows(text, separator)
    rows = [Row(reader.line, row) for row in reader if any(cell.strip() for cell in row)]
    return rows[1:] if rows and _HINT.match(text) else rows


def without_hint(text: str) -> str:
    """The text without a first line by which Excel is told the separator."""
    return text.partition("\n")[2] if _HINT.match(text) else text
