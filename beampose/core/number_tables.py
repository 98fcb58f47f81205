"""Tables of numbers in a csv, which pandas reads: no row has other cells than the first.

pandas fills a short row with nothing at its end, whichever cell is missing, and of a row that is
too long it makes a message of its own or names of rows. A file that a stopped program left ends in
the middle of a row.
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beampose.core import csv_cells, storage, texts

if TYPE_CHECKING:
    import pandas as pd


def read(file: storage.Address, **options: Any) -> "pd.DataFrame":
    """What `pandas.read_csv` makes of a file, with numbers as they were written.

    Args:
      options: of `pandas.read_csv`.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it is damaged, or a row has other cells than the first; the text names both.
    """
    data = storage.place(file).read_bytes()
    with csv_cells.reading(file):
        return parse(texts.decode(data), **options)


def parse(text: str, **options: Any) -> "pd.DataFrame":
    """As `read`, of a text; the message does not name the file."""
    import pandas as pd

    _check(text, options.get("sep", ","))
    return pd.read_csv(io.StringIO(text), **{"float_precision": csv_cells.EXACT, **options})


def _check(text: str, separator: str) -> None:
    """Refuses rows that have other cells than the first.

    Raises:
      ValueError: the text names the line.
    """
    wanted = 0
    for line, cells in _counts(text, separator):
        wanted = wanted or cells
        if cells != wanted:
            raise ValueError(
                f"line {line} has {cells} cells where the first line has {wanted}, so its values "
                "may stand in the wrong columns. Correct it, or make the file again if it was cut "
                "off"
            )


def _counts(text: str, separator: str) -> Iterator[tuple[int, int]]:
    """Number and cells of the lines that are not empty."""
    if '"' in text:
        rows = csv_cells.Rows(text, separator)
        return ((rows.line, len(row)) for row in rows if row)
    lines = enumerate(io.StringIO(text, newline=None), 1)
    return ((i, line.count(separator) + 1) for i, line in lines if not line.isspace())
