"""New labels beside those a project has: rows are added, none is lost without being asked."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from upath import UPath

from beampose.core.wording import listed
from beampose.formats import kept_files
from beampose.formats.deeplabcut import collected_data, columns
from beampose.formats.deeplabcut.collected_data import Reading, Table
from beampose.formats.deeplabcut.columns import LEVELS
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.preprocess.labels import Problem

_SHOWN = 3


def merge(frame: pd.DataFrame, folder: UPath, *, overwrite: bool) -> pd.DataFrame:
    """The labels of a folder and of a table together, in the columns and the index of the table.

    Args:
      frame: rows (labeled-data, video, image) of one scorer.
      folder: labeled-data/<video>, which may not exist.
      overwrite: the table wins where both label an image; else it must say the same.

    Raises:
      ValueError: labels would be lost, or those that are there cannot be read.
    """
    scorer = str(frame.columns[0][0])
    several = frame.columns.nlevels > len(LEVELS)
    there = _there(folder, scorer, several=several, overwrite=overwrite)
    if there is None:
        return frame
    old = _aligned(there, frame)
    both = old.index.intersection(frame.index)
    same = [_equal(old.loc[[row]], frame.loc[[row]]) for row in both]
    differing = [row[-1] for row, alike in zip(both, same, strict=True) if not alike]
    if differing and not overwrite:
        raise ValueError(
            f"{there.file} has other labels of {scorer} for {listed(differing, _SHOWN)}; "
            "nothing was written. --overwrite replaces these rows and keeps a copy of the file "
            "(.bak); --scorer NAME writes beside it."
        )
    added = frame.index.difference(old.index, sort=False)
    if not differing and not len(added):
        return old
    whole = pd.concat([old.drop(index=[row for row in both]), frame])
    order = [*old.index, *added]
    return whole.loc[sorted(order) if list(old.index) == sorted(old.index) else order]


def _there(folder: UPath, scorer: str, *, several: bool, overwrite: bool) -> Table | None:
    stem = folder / f"CollectedData_{scorer}"
    if not any((folder / f"{stem.name}{suffix}").is_file() for suffix in (".h5", ".csv")):
        return None
    problems: list[Problem] = []
    found = collected_data.find(str(folder), scorer, problems, Reading(several))
    if problems and not overwrite:
        raise ValueError(
            f"{problems[0].file}: {problems[0].what}; nothing was written. Repair it; or "
            "--overwrite takes what can be read and keeps a copy of the file (.bak)."
        )
    return found


def _aligned(there: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """A table with the columns of another one, rows (labeled-data, video, image)."""
    try:
        place = columns.places(there.columns)
    except ValueError as error:
        raise ValueError(f"{there.file} {error}; nothing was written.") from None
    wanted = [(c[1] if len(c) > 3 else "", c[-2], c[-1]) for c in frame.columns]
    if set(place) != set(wanted):
        raise ValueError(
            f"{there.file} has other bodyparts or individuals than the labels; nothing was "
            "written. Import into another project, or choose them with --bodyparts."
        )
    rows = [collected_data.image_name(name).rpartition("/") for name in there.names]
    video = frame.index[0][1]
    index = pd.MultiIndex.from_tuples([(LABELED_DATA, video, name) for _, _, name in rows])
    if index.has_duplicates:
        raise ValueError(
            f"{there.file} has two rows for {index[index.duplicated()][0][-1]}; nothing was "
            "written. Remove one of them, then import again."
        )
    values = there.values[:, [place[name] for name in wanted]]
    return pd.DataFrame(values, index=index, columns=frame.columns)


def _equal(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return np.array_equal(one.to_numpy(), other.to_numpy(), equal_nan=True)


def grown(files: Sequence[kept_files.File]) -> list[kept_files.File]:
    """The same files, of which it is known that they hold what was there."""
    return [file._replace(grown=True) for file in files]
