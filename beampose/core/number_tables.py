"""Tables of numbers in a csv, which pandas reads: no row has other cells than the first.

pandas fills a short row with nothing at its end, whichever cell is missing, and of a row that is
too long it makes a message of its own or names of rows. A file that a stopped program left ends in
the middle of a row.
"""

import io
from collections.abc import Iterable, Iterator
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
    data = storage.read_bytes(file)
    with csv_cells.reading(file):
        return parse(texts.decode(data), **options)


def parse(text: str, **options: Any) -> "pd.DataFrame":
    """As `read`, of a text; the message does not name the file."""
    import pandas as pd

    separator = options.get("sep", ",")
    # Bytes, since a stream of text takes four times their room; tables may be of hours of film.
    data = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    _check(_quoted(text, separator) if '"' in text else _plain(data, separator))
    return pd.read_csv(io.BytesIO(data), **{"float_precision": csv_cells.EXACT, **options})


def _check(counts: Iterable[tuple[int, int]]) -> None:
    """Refuses rows that have other cells than the first.

    Args:
      counts: number and cells of each line that is not empty.

    Raises:
      ValueError: the text names the line.
    """
    wanted = 0
    for line, cells in counts:
        wanted = wanted or cells
        if cells != wanted:
            raise ValueError(
                f"line {line} has {cells} cells where the first line has {wanted}, so its values "
                "may stand in the wrong columns. Correct it, or make the file again if it was cut "
                "off"
            )


def _quoted(text: str, separator: str) -> Iterator[tuple[int, int]]:
    rows = csv_cells.Rows(text, separator)
    return ((rows.line, len(row)) for row in rows if row)


def _plain(data: bytes, separator: str) -> Iterator[tuple[int, int]]:
    mark = separator.encode()
    lines = enumerate(io.BytesIO(data), 1)
    return ((i, line.count(mark) + 1) for i, line in lines if not line.isspace())
