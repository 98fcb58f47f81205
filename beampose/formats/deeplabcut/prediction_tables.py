"""Tables of predictions in DeepLabCut's layout, of one animal or several, its own ones too."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from beampose.core import files, storage
from beampose.formats import pandas_h5
from beampose.formats.deeplabcut import prediction_writer

COORDS = ("x", "y", "likelihood")
LEVELS = ("scorer", "bodyparts", "coords")
LEVELS_OF_SEVERAL = ("scorer", "individuals", "bodyparts", "coords")


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
    if not files.exists(file):
        raise FileNotFoundError(f"No file {file}.")
    try:
        columns, rows, values = _h5(file) if files.suffix(file) == ".h5" else _csv(file)
        return _table(file, columns, rows, values)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{file} holds no predictions in DeepLabCut's layout: {error}") from None


def write(table: Table, stem: storage.Address) -> None:
    """Writes `<stem>.h5` and `<stem>.csv` with the columns DeepLabCut has."""
    several = table.individuals != [""]
    columns = [
        (table.scorer, *([individual] if several else []), bodypart, coord)
        for individual, bodypart in table.points
        for coord in COORDS
    ]
    frame = pd.DataFrame(
        table.values.reshape(len(table.rows), len(columns)).astype(np.float64),
        columns=pd.MultiIndex.from_tuples(columns, names=LEVELS_OF_SEVERAL if several else LEVELS),
        index=table.rows,
    )
    prediction_writer.write(frame, stem)


def _h5(file: str) -> tuple[list[tuple[str, ...]], list[str], np.ndarray]:
    columns, index, values = pandas_h5.read(files.read_bytes(file))
    return columns, ["/".join(parts) for parts in index], values


def _csv(file: str) -> tuple[list[tuple[str, ...]], list[str], np.ndarray]:
    with storage.place(file).open("rb") as stream:
        lines = [stream.readline().split(b",")[0].strip().decode("utf-8-sig") for _ in range(4)]
    levels = LEVELS_OF_SEVERAL if "individuals" in lines else LEVELS
    if tuple(lines[: len(levels)]) != levels:
        raise ValueError(f"must begin with rows {', '.join(levels)}")
    with storage.place(file).open("rb") as stream:
        header = pd.read_csv(stream, header=None, nrows=len(levels), index_col=0, dtype=str)
    columns = [tuple(map(str, column)) for column in header.to_numpy().T]
    with storage.place(file).open("rb") as stream:
        body = pd.read_csv(stream, header=None, skiprows=len(levels), index_col=0, dtype={0: str})
    return columns, [str(row) for row in body.index], body.to_numpy(np.float64)


def _table(file: str, columns: list[tuple[str, ...]], rows: list[str], values: np.ndarray) -> Table:
    if any(len(column) not in (3, 4) for column in columns):
        raise ValueError(f"columns must have the levels {', '.join(LEVELS)}")
    scorers = {column[0] for column in columns}
    named = [(column[1] if len(column) == 4 else "", *column[-2:]) for column in columns]
    points = tuple(dict.fromkeys((individual, bodypart) for individual, bodypart, _ in named))
    place = {name: i for i, name in enumerate(named)}
    wanted = [(*point, coord) for point in points for coord in COORDS]
    if len(scorers) != 1 or set(wanted) != set(named) or len(named) != len(place):
        raise ValueError("every bodypart must have the columns x, y, likelihood, of one scorer")
    ordered = values[:, [place[name] for name in wanted]].reshape(len(rows), len(points), 3)
    numbers = all(row.isdecimal() for row in rows)
    index = np.array([int(row) for row in rows] if numbers else rows)
    if numbers and (np.diff(index) <= 0).any():
        raise ValueError("frame numbers must increase")
    return Table(file, scorers.pop(), points, index, ordered)
