"""Machine labels: predictions of a folder's frames, to be corrected in DeepLabCut or napari."""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from beampose.core import files, storage
from beampose.formats.deeplabcut import columns
from beampose.formats.deeplabcut.columns import LEVELS, LEVELS_OF_SEVERAL
from beampose.formats.deeplabcut.prediction_tables import COORDS
from beampose.formats.deeplabcut.prediction_writer import KEY
from beampose.formats.deeplabcut.project_labels import LABELED_DATA

CSV = "machinelabels.csv"
Points = Sequence[tuple[str, str]]


def file_of(folder: str, iteration: int) -> str:
    """The h5 that DeepLabCut's refinement looks for; the csv beside it has no number."""
    return files.join(folder, f"machinelabels-iter{iteration}.h5")


def read(file: str, points: Points) -> dict[str, np.ndarray]:
    """(points, 3) by the file name of the image; empty if there is no such file.

    Raises:
      ValueError: it cannot be read, or has other bodyparts.
    """
    if not files.exists(file):
        return {}
    try:
        named, names, values = columns.read_h5(files.read_bytes(file))
        place = columns.places(named)
    except ValueError as error:
        raise ValueError(f"{file} {error}: move it away first") from None
    wanted = [(*point, coord) for point in points for coord in COORDS]
    if set(wanted) != set(place):
        raise ValueError(
            f"{file} has other bodyparts or individuals than the predictions: merge it in "
            "DeepLabCut or move it away first"
        )
    ordered = values[:, [place[name] for name in wanted]].reshape(len(names), len(points), 3)
    return {files.name(name): one for name, one in zip(names, ordered, strict=True)}


def write(file: str, labels: dict[str, np.ndarray], points: Points, scorer: str) -> None:
    """Writes the h5 and the csv: rows (labeled-data, video, image), x, y, likelihood a point."""
    several = any(owner for owner, _ in points)
    header = [
        (scorer, *([owner] if several else []), part, c) for owner, part in points for c in COORDS
    ]
    names = sorted(labels)
    video = files.name(files.parent(file))
    frame = pd.DataFrame(
        np.array([labels[name].ravel() for name in names]).reshape(len(names), len(header)),
        index=pd.MultiIndex.from_tuples([(LABELED_DATA, video, name) for name in names]),
        columns=pd.MultiIndex.from_tuples(header, names=LEVELS_OF_SEVERAL if several else LEVELS),
    )
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, "labels.h5")
        # Rows and columns of several levels need the fixed layout.
        frame.to_hdf(str(made), key=KEY, mode="w")
        storage.write_bytes(file, made.read_bytes())
    text = io.StringIO()
    frame.to_csv(text, lineterminator="\n")
    storage.write_text(files.join(files.parent(file), CSV), text.getvalue())
