"""Rows and cells of tables that people open in spreadsheets: names of strangers are no formulas.

A spreadsheet runs a cell that begins with = + - or @. Text that does, and is no number, gets an
apostrophe before it, which a spreadsheet takes for "this is text"; our own readers take it away.
Tables that other programs define (DeepLabCut's) hold names as they are.
"""

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

# Tabulators and ends of lines are skipped before a cell is looked at.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MARK = "'"
# Letters of a library's words that an error shows.
_LONGEST = 200
# Of pandas' ways to read numbers, the one that does not end the process over an absurd exponent;
# it reads every number as it was written, too.
EXACT: Literal["round_trip"] = "round_trip"


def inert(value: Any) -> Any:
    """A cell that is no formula; numbers, also as text, stay as they are."""
    if not isinstance(value, str) or not _begins_formula(value) or is_number(value):
        return value
    return _MARK + value


def plain(text: str) -> str:
    """The text that `inert` was given."""
    return text[1:] if text.startswith(_MARK) and _begins_formula(text) else text


@contextlib.contextmanager
def reading(file: object) -> Iterator[None]:
    """Says of which file a table is that pandas cannot read, or that is another one."""
    try:
        yield
    except (ValueError, KeyError, IndexError, TypeError, ArithmeticError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error).strip()
        raise ValueError(f"{file} is damaged, or holds another table: {what[:_LONGEST]}") from None


class Rows(Iterator[list[str]]):
    """The rows of a csv, as csv.reader gives them; lines may end as on any system.

    Raises ValueError where a row cannot be read; the text says which line.
    """

    def __init__(self, text: str, separator: str = ","):
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)

    @property
    def line(self) -> int:
        """Number of the line that the last row ended with, from 1."""
        return self._reader.line_num

    def __next__(self) -> list[str]:
        try:
            return next(self._reader)
        except csv.Error as error:
            what = f"cannot be read in line {self.line}: {error}. Is a quote not closed?"
            raise ValueError(what) from None


class Writer:
    """As csv.writer, with inert cells."""

    def __init__(self, stream: Any, **options: Any):
        self._writer = csv.writer(stream, **options)

    def writerow(self, row: Iterable[Any]) -> None:
        self._writer.writerow([inert(cell) for cell in row])

    def writerows(self, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            self.writerow(row)


def _begins_formula(text: str) -> bool:
    return text.lstrip(_MARK).startswith(_FORMULA)


def is_number(text: str) -> bool:
    """Whether Python reads a cell as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
