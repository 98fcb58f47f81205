"""Points in space as Anipose's `pose-3d` csv has them, of one animal a file.

Columns of each bodypart: x, y, z, error (mean reprojection error in pixels), ncams, score; then
M_00 to M_22 and center_0 to center_2, a change of axes that is none here, and fnum, the frame.
More columns are refused by readers such as movement, so that radii have a table of their own.
"""

import numpy as np
import pandas as pd

from beampose.core import csv_cells, number_tables, storage
from beampose.preprocess.points import Points

_KEYS = ("x", "y", "z", "error", "ncams", "score")


def write(points: Points, individual: int, file: storage.Address) -> None:
    """Writes the points of an individual, by its place."""
    table = {}
    for part, name in enumerate(points.bodyparts):
        place = (slice(None), individual, part)
        values = [
            *points.places[place].T,
            points.error[place],
            points.views[place],
            points.score[place],
        ]
        table |= {f"{name}_{key}": value for key, value in zip(_KEYS, values, strict=True)}
    for i in range(3):
        table |= {f"M_{i}{j}": np.full(len(points), float(i == j)) for j in range(3)}
    table |= {f"center_{i}": np.zeros(len(points)) for i in range(3)}
    table["fnum"] = points.frames
    with storage.replacing(file) as temporary:
        pd.DataFrame(table).rename(columns=csv_cells.inert).to_csv(temporary, index=False)


def read(file: str) -> Points:
    """Reads points; the change of axes is undone, if there is one.

    Raises:
      ValueError: another table; the text names the file.
    """
    table = number_tables.read(file)
    with csv_cells.reading(file):
        table = table.rename(columns=csv_cells.plain)
        ending = "_ncams"
        parts = [name.removesuffix(ending) for name in table.columns if name.endswith(ending)]
        if not parts:
            raise ValueError("no column ends with _ncams, as those of Anipose do")
        values = {
            key: np.stack([_column(table, f"{part}_{key}") for part in parts], axis=1)[:, None]
            for key in _KEYS
        }
        frames = _column(table, "fnum") if "fnum" in table else np.arange(len(table))
        places = np.stack([values[key] for key in ("x", "y", "z")], axis=-1)
        return Points(
            places=_turned_back(places, table),
            radius=np.full(places.shape[:3], np.nan),
            error=values["error"],
            views=np.nan_to_num(values["ncams"]).astype(np.int64),
            score=values["score"],
            frames=np.asarray(frames).astype(np.int64),
            individuals=("",),
            bodyparts=tuple(parts),
            scorer="anipose",
        )


def _column(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[name].to_numpy(np.float64)


def _turned_back(places: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Anipose writes (p - center) M^T, the same in all rows."""
    names = [[f"M_{i}{j}" for j in range(3)] for i in range(3)]
    if not len(table) or not {*sum(names, []), "center_0", "center_1", "center_2"} <= {*table}:
        return places
    turn = np.array([[table[name].iloc[0] for name in row] for row in names], np.float64)
    centre = np.array([table[f"center_{i}"].iloc[0] for i in range(3)], np.float64)
    return places @ np.linalg.inv(turn).T + centre
