"""Predictions as SimBA has them in `csv/input_csv`: a row a frame, three columns a bodypart.

Columns are `<bodypart>_x`, `_y`, `_p`; of several animals the bodypart is called as in SimBA's
projects of several animals, with the animal's number: `nose_1_x`. What is missing is 0, with p = 0.
"""

import io

import numpy as np
import pandas as pd

from beampose.core import csv_cells, storage
from beampose.formats.deeplabcut.prediction_tables import Table

# SimBA's list of a project's bodyparts, one a line, in the order of the columns.
NAMES = "project_bp_names.csv"
_COORDS = ("x", "y", "p")


def names(table: Table) -> list[str]:
    """Bodyparts as SimBA calls them, animal after animal."""
    if table.individuals == [""]:
        return [bodypart for _, bodypart in table.points]
    number = {individual: i for i, individual in enumerate(table.individuals, 1)}
    return [f"{bodypart}_{number[individual]}" for individual, bodypart in table.points]


def write(file: storage.Address, table: Table) -> None:
    """Writes the table of a video; frames that were not predicted are rows of zeros."""
    columns = [f"{name}_{coord}" for name in names(table) for coord in _COORDS]
    frames = table.frames
    values = np.zeros((int(frames[-1]) + 1 if len(frames) else 0, len(columns)))
    values[frames] = np.nan_to_num(table.values.reshape(len(frames), len(columns)))
    frame = pd.DataFrame(values, columns=pd.Index(columns))
    with storage.replacing(file) as temporary:
        frame.to_csv(temporary, lineterminator="\n")


def check_names(file: storage.Address, table: Table) -> None:
    """Raises ValueError if the list of bodyparts is there, and of other ones."""
    wanted, file = _listed(table), storage.place(file)
    if not file.is_file():
        return
    with file.open("rb") as stream:
        # Lines may end in two characters, and the last need not end.
        there = stream.read(2 * len(wanted.encode()) + 1).decode("utf-8", "replace")
    if there.split() != wanted.split():
        raise ValueError(
            f"has other bodyparts than {file} lists, and a project of SimBA has one list: export "
            "it into another folder, or remove that file"
        )


def write_names(file: storage.Address, table: Table) -> None:
    """Writes the list of bodyparts, for SimBA's `logs/measures/pose_configs/bp_names`."""
    storage.write_text(file, _listed(table))


def _listed(table: Table) -> str:
    stream = io.StringIO(newline="")
    writer = csv_cells.Writer(stream, lineterminator="\n")
    for name in names(table):
        writer.writerow([name])
    return stream.getvalue()
