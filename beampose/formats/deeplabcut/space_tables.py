"""Points in space as DeepLabCut's `triangulate` leaves them: h5 and csv with x, y, z.

`pose_estimation_3d/triangulation.py` there: key df_with_missing, levels scorer (individuals)
bodyparts coords. It keeps neither radius nor error: radii stand in a table of our own
beside it, `<stem>_radius.csv`, a row a frame, with a column for each x there.
"""

import numpy as np
import pandas as pd

from beampose.core import csv_cells, files, number_tables, storage
from beampose.formats.deeplabcut import columns, prediction_writer
from beampose.preprocess.points import COORDS, Points

# The table of radii, after the name of the others.
RADIUS = "_radius.csv"


def write(points: Points, stem: storage.Address) -> None:
    """Writes `<stem>.h5`, `<stem>.csv` and `<stem>_radius.csv`."""
    table = points.to_pandas()
    prediction_writer.write(table, stem)
    names = ["/".join(column[1:-1]) for column in table.columns[::3]]
    values = points.radius.reshape(len(points), -1)
    radii = pd.DataFrame(values, columns=names, index=points.frames)
    with storage.replacing(f"{stem}{RADIUS}") as temporary:
        radii.rename(columns=csv_cells.inert).to_csv(temporary, index_label="frame")


def read(file: str) -> Points:
    """Reads an h5; nothing in it is run. Error, views and score are not in it.

    The radius is read from the table beside it, if there is one.

    Raises:
      ValueError: another layout; the text names the file.
    """
    try:
        named, rows, values = columns.read_h5(files.read_bytes(file))
        found = columns.places(named)
        if {coord for *_, coord in found} != set(COORDS):
            raise ValueError(f"the coordinates must be {', '.join(COORDS)}")
        individuals = tuple(dict.fromkeys(individual for individual, *_ in found))
        bodyparts = tuple(dict.fromkeys(bodypart for _, bodypart, _ in found))
        places = np.full((len(values), len(individuals), len(bodyparts), 3), np.nan)
        for (individual, bodypart, coord), column in found.items():
            at = individuals.index(individual), bodyparts.index(bodypart), COORDS.index(coord)
            places[:, at[0], at[1], at[2]] = values[:, column]
        frames = np.array([int(row) for row in rows], np.int64)
        scorer = columns.scorers(named)[0]
    except (ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{file} holds no points in DeepLabCut's 3D layout: {error}.") from None
    unknown = np.full(places.shape[:3], np.nan)
    return Points(
        places=places,
        radius=_radius(file, frames, unknown),
        error=unknown,
        views=np.zeros(unknown.shape, np.int64),
        score=unknown,
        frames=frames,
        individuals=individuals,
        bodyparts=bodyparts,
        scorer=scorer,
    )


def _radius(file: str, frames: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    place = f"{file.removesuffix(files.suffix(file))}{RADIUS}"
    if not files.exists(place):
        return unknown
    found = number_tables.read(place, index_col=0)
    with csv_cells.reading(place):
        if found.size != unknown.size or not np.array_equal(found.index, frames):
            raise ValueError("its frames or points are not those of the h5")
        return found.to_numpy(np.float64).reshape(unknown.shape)
