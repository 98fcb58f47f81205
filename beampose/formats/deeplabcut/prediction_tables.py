"""Tables of predictions in DeepLabCut's layout, of one animal or several, its own ones too."""

import io
import itertools
import math
import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from beampose.core import csv_cells, files, number_tables, storage, texts
from beampose.formats import spreadsheets
from beampose.formats.deeplabcut import columns, prediction_writer
from beampose.formats.deeplabcut.columns import LEVELS, LEVELS_OF_SEVERAL, Column

COORDS = ("x", "y", "likelihood")
_COMMA = re.compile(r"\d,\d")
_NUMBER = re.compile(r"[-+]?[\d.,]+")
_OF_ENSEMBLES = re.compile(r"[xy]_(ens|posterior)_\w+").fullmatch


class Table(NamedTuple):
    """Predictions of a video.

    Attributes:
      file: where they were read.
      scorer: of the columns.
      points: (individual, bodypart) of each; the individual is "" where there is one animal.
      rows: what stands before each row: numbers of frames, or names of images (time-lapse).
      values: (rows, points, 3) x, y, likelihood; NaN = missing.
    """

    file: str
    scorer: str
    points: tuple[tuple[str, str], ...]
    rows: np.ndarray
    values: np.ndarray

    @property
    def bodyparts(self) -> list[str]:
        return list(dict.fromkeys(bodypart for _, bodypart in self.points))

    @property
    def individuals(self) -> list[str]:
        """[""] of one animal."""
        return list(dict.fromkeys(individual for individual, _ in self.points))

    @property
    def frames(self) -> np.ndarray:
        """int64 (rows,): numbers of frames; of images their places."""
        if self.rows.dtype.kind in "iu":
            return self.rows.astype(np.int64)
        return np.arange(len(self.rows))

    @property
    def step(self) -> int:
        """Frames from one row to the next, 1 where every frame was analysed."""
        return max(int(np.median(np.diff(self.frames))), 1) if len(self.rows) > 1 else 1

    def indices(self, bodyparts: list[str] | None) -> list[int]:
        """Places of the points of some bodyparts; None = of all.

        Raises:
          ValueError: there is no such bodypart.
        """
        unknown = sorted(set(bodyparts or ()) - set(self.bodyparts))
        if unknown:
            raise ValueError(
                f"has no bodypart {unknown[0]!r}; there are {', '.join(self.bodyparts)}"
            )
        return [i for i, (_, b) in enumerate(self.points) if bodyparts is None or b in bodyparts]


def read(file: str) -> Table:
    """Reads predictions from an h5 or csv; nothing in the file is run.

    Raises:
      FileNotFoundError: no such file.
      ValueError: another layout; the text names the file.
    """
    files.require(file, "file")
    try:
        h5 = files.suffix(file) == ".h5"
        named, rows, values = columns.read_h5(files.read_bytes(file)) if h5 else _csv(file)
        return _table(file, named, rows, values)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{file} holds no predictions in DeepLabCut's layout: {error}") from None


def write(table: Table, stem: storage.Address) -> None:
    """Writes `<stem>.h5` and `<stem>.csv` with the columns DeepLabCut has."""
    several = table.individuals != [""]
    header = [
        (table.scorer, *([individual] if several else []), bodypart, coord)
        for individual, bodypart in table.points
        for coord in COORDS
    ]
    frame = pd.DataFrame(
        table.values.reshape(len(table.rows), len(header)).astype(np.float64),
        columns=pd.MultiIndex.from_tuples(header, names=LEVELS_OF_SEVERAL if several else LEVELS),
        index=table.rows,
    )
    prediction_writer.write(frame, stem)


def _csv(file: str) -> tuple[list[Column], list[str], np.ndarray]:
    text = spreadsheets.without_hint(texts.decode(storage.read_bytes(file)))
    levels, separator = _levels(text)
    # Names such as NA and None are names.
    heads = list(itertools.islice(csv_cells.Rows(text, separator), len(levels)))
    cells = [(level, row[1:]) for level, row in zip(levels, heads, strict=True)]
    named = columns.named(columns.header(cells), levels)
    rows = itertools.islice(io.StringIO(text, newline=None), len(levels), None)
    if not any(row.strip(" ,;\t\n") for row in rows):
        raise ValueError("holds no frame, only its header")
    comma = separator != "," and bool(_COMMA.search(text))
    body = number_tables.parse(
        text,
        sep=separator,
        decimal="," if comma else ".",
        header=None,
        skiprows=len(levels),
        index_col=0,
        dtype={0: str},
    )
    # Spreadsheet programs leave rows of nothing but separators.
    body = body[~(body.index.isna() & body.isna().all(axis=1))]
    # pandas writes the name of an index in a row of its own.
    if len(body) and body.iloc[0].isna().all() and _names_rows(str(body.index[0])):
        body = body.iloc[1:]
    if not len(body):
        raise ValueError("holds no frame, only its header")
    if body.index.isna().any():
        raise ValueError("a row has neither the number of a frame nor the name of an image")
    _check_numbers(body, comma)
    return named, [str(row) for row in body.index], body.to_numpy(np.float64)


def _names_rows(cell: str) -> bool:
    """Whether a cell is neither the number of a frame nor the name of an image."""
    return not _NUMBER.fullmatch(cell) and not files.suffix(cell)


def _check_numbers(body: pd.DataFrame, comma: bool) -> None:
    if all(kind.kind in "fiu" for kind in body.dtypes):
        return
    rows = zip(body.index, body.to_numpy(), strict=True)
    odd = ((row, cell) for row, cells in rows for cell in cells if _is_odd(cell))
    usual = "a decimal point among decimal commas" if comma else "a number of very many digits"
    row, bad = next(odd, (body.index[0], usual))
    raise ValueError(f"row {row} holds {str(bad)[:50]!r}, which is not a number")


def _levels(text: str) -> tuple[list[str], str]:
    """Levels of the columns, from the first cells of the first rows, and what parts the cells."""
    lines = [line for _, line in zip(range(4), io.StringIO(text, newline=None), strict=False)]
    for separator in spreadsheets.SEPARATORS:
        cells = [line.split(separator)[0].strip().strip('"') for line in lines]
        levels = cells if "individuals" in cells else cells[: len(LEVELS)]
        if sorted(levels) in (sorted(LEVELS), sorted(LEVELS_OF_SEVERAL)):
            return levels, separator
    why = ""
    if lines and {"track", "frame_idx", "instance.score"} <= set(lines[0].split(",")):
        why = (
            ". It is SLEAP's analysis table: movement writes the .slp as DeepLabCut does "
            "(load_poses.from_sleap_file, save_poses.to_dlc_file)"
        )
    raise ValueError(f"must begin with rows {', '.join(LEVELS)}{why}")


def _is_odd(cell: object) -> bool:
    """True if a cell is the reason why its column does not hold numbers."""
    if isinstance(cell, str):  # Numbers, too, in a column with one that is none.
        try:
            return not (cell.isascii() and "_" not in cell and math.isfinite(float(cell)))
        except ValueError:
            return True
    return isinstance(cell, bool)


def _table(file: str, named: list[Column], rows: list[str], values: np.ndarray) -> Table:
    if np.isinf(values).any():
        raise ValueError("holds a number that is infinite")
    place = columns.places(named)
    points = tuple(dict.fromkeys((individual, bodypart) for individual, bodypart, _ in place))
    wanted = [(*point, coord) for point in points for coord in COORDS]
    scorers = columns.scorers(named)
    # Lightning Pose's smoother writes variances of an ensemble, too; a z is of another table.
    more = {coord for *_, coord in set(place) - set(wanted)}
    if {coord for *_, coord in place} == {"x", "y", "z"}:
        raise ValueError("it holds points in space, which beampose.load_points reads")
    if len(scorers) != 1 or not set(wanted) <= set(place) or not all(map(_OF_ENSEMBLES, more)):
        raise ValueError("every bodypart must have the columns x, y, likelihood, of one scorer")
    ordered = values[:, [place[name] for name in wanted]].reshape(len(rows), len(points), 3)
    return Table(file, scorers[0], points, _index(rows), ordered)


def _index(rows: list[str]) -> np.ndarray:
    """Numbers of frames, or names of images; a spreadsheet program may write 5 as 5.0."""
    try:
        index = np.array([spreadsheets.whole(row) for row in rows])
    except ValueError:
        words = [row for row in rows if not _NUMBER.fullmatch(row)]
        if not words:
            raise
        if len(words) < len(rows):
            raise ValueError(
                f"row {words[0][:50]!r} is not the number of a frame, as others are: remove it"
            ) from None
        return np.array(rows)
    if len(index) and (index[0] < 0 or (np.diff(index) <= 0).any()):
        raise ValueError("frame numbers must increase, from 0 on")
    return index
