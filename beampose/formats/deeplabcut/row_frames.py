"""Rows of a CollectedData file as labeled frames, by the names of a project."""

from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.core.wording import agreed, counted
from beampose.formats.deeplabcut import columns, near_names, visibility
from beampose.formats.deeplabcut.collected_data import Table
from beampose.formats.deeplabcut.root_tables import LABELED_DATA
from beampose.preprocess.labels import ERROR, SINGLE, WARNING, LabeledFrame, Problem


class Names(NamedTuple):
    """Names in a project's config.

    Attributes:
      scorer: whose labels.
      individuals: with `single` as the last where there are unique bodyparts.
      bodyparts, unique: all, and which of them belong to the scene.
      several: whether it is a project of several animals.
      configured: all bodyparts of the config, also those that are not asked for.
    """

    scorer: str
    individuals: tuple[str, ...]
    bodyparts: tuple[str, ...]
    unique: tuple[str, ...]
    several: bool
    configured: tuple[str, ...]


class Images(NamedTuple):
    """By the names of rows, where their images are, and of which videos."""

    places: dict[str, str]
    videos: dict[str, str]


def frames(
    table: Table, names: Names, found: Images, problems: list[Problem]
) -> list[LabeledFrame]:
    """The frames of a table; what of it cannot be used is a problem."""
    places = _places(table, names, problems)
    if places is None:
        return []
    made = []
    told, said = visibility.apply(table.columns, table.values)
    problems += [Problem(WARNING, table.file, 0, "", what) for what in said]
    for name, row, values in zip(table.names, table.rows, told, strict=True):
        if name not in found.places:
            what = (
                "its name holds '#frame=' or '#image=', which stands for an image inside another "
                "file: rename it, or its folder, here too; the row is not used"
                if files.names_inside(name)
                else "the image must be named by a path inside the project; the row is not used"
            )
            problems.append(Problem(ERROR, table.file, row, name, what))
            continue
        keypoints = np.full((len(names.individuals), len(names.bodyparts), 2), np.nan)
        for place, column in places.items():
            keypoints[place] = values[column]
        # A point with one coordinate is no point.
        half = np.asarray(np.isnan(keypoints).any(-1) & ~np.isnan(keypoints).all(-1))
        if half.any():
            which = ", ".join(_called(names, i, j) for i, j in np.argwhere(half))
            what = f"{which} has only one of x and y; taken as not labeled"
            problems.append(Problem(WARNING, table.file, row, name, what))
            keypoints[half] = np.nan
        image, video = found.places[name], found.videos[name]
        made.append(
            LabeledFrame(
                image=image,
                name=f"{LABELED_DATA}/{video}/{files.name(image)}",
                video=video,
                file=table.file,
                row=row,
                keypoints=keypoints,
            )
        )
    return made


def _called(names: Names, individual: int, bodypart: int) -> str:
    if not names.several:
        return names.bodyparts[bodypart]
    return f"{names.bodyparts[bodypart]} of {names.individuals[individual]}"


def _places(
    table: Table, names: Names, problems: list[Problem]
) -> dict[tuple[int, int, int], int] | None:
    """Finds the column of each coordinate, (individual, bodypart, axis), by name.

    None if the table cannot be used; every column that is not used has a line.
    """
    try:
        there = columns.places(table.columns)
    except ValueError as error:
        problems.append(Problem(ERROR, table.file, 0, "", f"{error}; the file is not used"))
        return None
    wanted = {
        # Labels of one animal name no individual.
        (names.individuals[i] if names.several else "", names.bodyparts[j]): (i, j)
        for i, j in _expected(names)
    }
    places = {
        (*wanted[owner, part], "xy".index(coord)): column
        for (owner, part, coord), column in there.items()
        if (owner, part) in wanted and coord in ("x", "y")
    }
    found = {place[:2] for place in places if (*place[:2], 1 - place[2]) in places}
    halves = {place[:2]: "xy"[place[2]] for place in places if place[:2] not in found}
    for (i, j), axis in halves.items():
        what = f"{_called(names, i, j)} has a column {axis} only; taken as not labeled"
        problems.append(Problem(WARNING, table.file, 0, "", what))
    lost = [name for name, place in wanted.items() if place not in found and place not in halves]
    extra = {
        (owner, part): _count(table, column)
        for (owner, part, coord), column in there.items()
        if (owner, part) not in wanted and coord in ("x", "y")
    }
    individuals = names.individuals if names.several else ()
    seen = {names.individuals[i] for i, _ in (*found, *halves)}
    expected = near_names.Expected(individuals, names.configured, names.bodyparts, seen)
    problems += near_names.problems(table.file, lost, extra, expected, nothing=not found)
    nameless = [i for i, column in enumerate(table.columns) if not any(column)]
    if any(_count(table, i) for i in nameless):
        what = (
            f"{counted(len(nameless), 'column')} without a name "
            f"{agreed(len(nameless), 'hold')} numbers, which are not used"
        )
        problems.append(Problem(WARNING, table.file, 0, "", what))
    return {place: column for place, column in places.items() if place[:2] in found}


def _count(table: Table, column: int) -> int:
    return int(np.isfinite(table.values[:, column]).sum())


def _expected(names: Names) -> list[tuple[int, int]]:
    """Individual and bodypart of every point a file should have."""
    return [
        (i, j)
        for i, individual in enumerate(names.individuals)
        for j, bodypart in enumerate(names.bodyparts)
        if (individual == SINGLE) == (bodypart in names.unique)
    ]
