"""Points in space as DeepLabCut's `triangulate` leaves them: h5 and csv with x, y, z.

`pose_estimation_3d/triangulation.py` there: key df_with_missing, levels scorer (individuals)
bodyparts coords. It keeps neither radius nor error.
"""

import numpy as np

from beampose.core import files, storage
from beampose.formats.deeplabcut import columns, prediction_writer
from beampose.preprocess.points import COORDS, Points


def write(points: Points, stem: storage.Address) -> None:
    """Writes `<stem>.h5` and `<stem>.csv`."""
    prediction_writer.write(points.to_pandas(), stem)


def read(file: str) -> Points:
    """Reads an h5; nothing in it is run. Radius, error, views and score are not in it.

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
        radius=unknown,
        error=unknown,
        views=np.zeros(unknown.shape, np.int64),
        score=unknown,
        frames=frames,
        individuals=individuals,
        bodyparts=bodyparts,
        scorer=scorer,
    )
