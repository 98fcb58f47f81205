"""A result that says itself: as lines on a command line, as tables in a notebook."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from beampose.core import texts


class Rows(NamedTuple):
    """A table: its header, and cells of numbers or text."""

    header: Sequence[str]
    cells: Iterable[Sequence[object]]


class Outcome:
    """A result of a step. `print` shows what the command line says.

    Attributes:
      passed: False where the command line exits with 1, since an input could not be used.
    """

    @property
    def passed(self) -> bool:
        return True

    def lines(self) -> Iterator[str]:
        """Lines that the command line prints."""
        raise NotImplementedError

    def tables(self) -> Iterator[Rows]:
        """Tables that a notebook shows above the last line."""
        return iter(())

    def __str__(self) -> str:
        return "\n".join(map(texts.printable, self.lines()))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        tables = "".join(map(table_html, self.tables()))
        lines = list(self.lines())[-1:] if tables else self.lines()
        return f"{tables}<pre>{escape(chr(10).join(lines))}</pre>"


@dataclasses.dataclass(frozen=True, repr=False)
class OfVideos(Outcome):
    """Outcome for videos.

    Attributes:
      failures: (path, reason) of the videos that could not be used.
    """

    failures: list[tuple[str, str]]

    @property
    def passed(self) -> bool:
        return not self.failures


def table_html(rows: Rows) -> str:
    """An HTML table; numbers with decimals are rounded to three."""
    head = "".join(f"<th>{escape(name)}</th>" for name in rows.header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_cell(cell))}</td>' for cell in row)}</tr>"
        for row in rows.cells
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def failed(failures: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line for every video that could not be used, and why."""
    for path, why in failures:
        # Errors of files name them, too.
        yield texts.printable(f"FAILED {path}: {why.removeprefix(f'{path}: ')}")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
