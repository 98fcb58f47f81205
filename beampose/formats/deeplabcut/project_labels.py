"""DeepLabCut projects: config.yaml and labeled-data/*/CollectedData_*.h5 or .csv.

Names are trusted, places are not: project_path, the paths in video_sets and the order of columns
are never used. An image lies beside its label file, else where the last parts of its path say.

A project of several animals (`multianimalproject: true`) names individuals. Its unique bodyparts,
those of the scene, belong to an individual `single`, in DeepLabCut's files and in `Labels` alike.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from beampose.core import files, texts, yaml_files
from beampose.formats.deeplabcut import (
    collected_data,
    columns,
    label_folders,
    near_names,
    project_config,
    row_images,
)
from beampose.formats.deeplabcut.collected_data import Reading, Table
from beampose.preprocess.labels import ERROR, SINGLE, WARNING, LabeledFrame, Labels, Problem

LABELED_DATA = "labeled-data"
INDIVIDUAL = "individual1"
MULTI = "MULTI!"


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


def read(
    path: str,
    *,
    scorer: str | None = None,
    bodyparts: list[str] | None = None,
    others: Collection[str] = (),
) -> Labels:
    """Reads a project.

    Args:
      path: the project folder or its config.yaml.
      scorer: whose labels; the config's scorer if None.
      bodyparts: names and order; the config's if None.
      others: whose labels are read besides, so that columns of theirs are no problem.

    Raises:
      FileNotFoundError: no config.yaml or no labeled-data.
      ValueError: config.yaml cannot be read.
    """
    root = files.parent(path) if files.suffix(path) in (".yaml", ".yml") else path
    file = path if root != path else files.join(root, "config.yaml")
    problems: list[Problem] = []
    config, encoding = _config(file, problems)
    names = _names(config, file, scorer, bodyparts)
    reading = Reading(names.several, encoding, others)
    folders = _label_folders(root)
    problems += label_folders.passed_over(files.join(root, LABELED_DATA), folders)
    frames: list[LabeledFrame] = []
    for folder in folders:
        table = collected_data.find(folder, names.scorer, problems, reading)
        if table is not None:
            frames += _frames(table, names, problems)
    return Labels(
        items=tuple(frames),
        bodyparts=names.bodyparts,
        individuals=names.individuals,
        unique_bodyparts=names.unique,
        edges=_edges(config, names.bodyparts, root, problems),
        scorer=names.scorer,
        project=f"{config.get('Task') or 'project'}{config.get('date') or ''}",
        problems=tuple(problems),
    )


def _config(file: str, problems: list[Problem]) -> tuple[dict[str, Any], str]:
    """The values of a config and its encoding."""
    if not files.exists(file):
        raise FileNotFoundError(f"No DeepLabCut project: {file} does not exist.")
    text, encoding = project_config.read(file)
    if encoding == texts.WINDOWS:
        what = "is not UTF-8: read as Windows-1252, with the csv files of the project"
        problems.append(Problem(WARNING, file, 0, "", what))
    try:
        config = yaml_files.parse(text, words=True)
    except ValueError as error:
        raise ValueError(f"{file} is not YAML: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"{file} must hold keys and values.")
    return config, encoding


def _names(
    config: dict[str, Any], file: str, scorer: str | None, bodyparts: list[str] | None
) -> Names:
    scorer = scorer or str(config.get("scorer") or "")
    several = bool(config.get("multianimalproject")) or config.get("bodyparts") == MULTI
    if not several:
        chosen = bodyparts or _listed(config, "bodyparts", file)
        known = config.get("bodyparts")
        all_of = tuple(map(str, known)) if isinstance(known, list) else tuple(chosen)
        return Names(scorer, (INDIVIDUAL,), tuple(chosen), (), several, all_of)
    individuals = _listed(config, "individuals", file)
    if SINGLE in individuals:
        raise ValueError(
            f"{file} names an individual {SINGLE!r}, which is what unique bodyparts belong to: "
            "rename it, in the label files too."
        )
    common = _listed(config, "multianimalbodyparts", file)
    unique = _listed(config, "uniquebodyparts", file) if config.get("uniquebodyparts") else []
    both = sorted(set(common) & set(unique))
    if both:
        raise ValueError(f"{file}: {both[0]!r} is both a unique bodypart and one of every animal.")
    chosen = bodyparts or [*common, *unique]
    of_scene = tuple(name for name in chosen if name in unique)
    slots = (*individuals, SINGLE) if of_scene else tuple(individuals)
    return Names(scorer, slots, tuple(chosen), of_scene, several, (*common, *unique))


def _listed(config: dict[str, Any], key: str, file: str) -> list[str]:
    names = config.get(key)
    if not isinstance(names, list) or not names:
        raise ValueError(f"{file} must list {key}. Received: {names!r}.")
    names = [str(name) for name in names]
    if len(set(names)) < len(names):
        what = "an individual" if key == "individuals" else "a bodypart"
        raise ValueError(f"{file} names {what} twice: {', '.join(names)}.")
    return names


def _label_folders(root: str) -> list[str]:
    labeled = files.join(root, LABELED_DATA)
    if not files.is_folder(labeled):
        raise FileNotFoundError(
            f"{labeled} does not exist: the project has no labeled frames. `beampose "
            "extract-frames` chooses frames to label, `import-labels` imports labels."
        )
    return [
        child
        for child in files.children(labeled)
        if files.is_folder(child)
        and not files.name(child).startswith(".")
        and not label_folders.is_of_drawings(child)
    ]


def _edges(
    config: dict[str, Any], bodyparts: tuple[str, ...], root: str, problems: list[Problem]
) -> tuple[tuple[str, str], ...]:
    edges, told = [], config.get("skeleton") or []
    if not isinstance(told, list):
        what = (
            f"skeleton must be a list of pairs of bodyparts, not {str(told)[:50]!r}; none is drawn"
        )
        problems.append(Problem(WARNING, f"{root}/config.yaml", 0, "", what))
        return ()
    for pair in told:
        if isinstance(pair, list) and len(pair) == 2 and set(map(str, pair)) <= set(bodyparts):
            edges.append((str(pair[0]), str(pair[1])))
        else:
            what = f"skeleton edge {pair!r} must be a pair of bodyparts; it is not drawn"
            problems.append(Problem(WARNING, f"{root}/config.yaml", 0, "", what))
    return tuple(edges)


def _frames(table: Table, names: Names, problems: list[Problem]) -> list[LabeledFrame]:
    places = _places(table, names, problems)
    if places is None:
        return []
    frames = []
    found = row_images.locate(table.names, table.file, problems)
    for name, row, values in zip(table.names, table.rows, table.values, strict=True):
        if name not in found:
            what = "the image must be named by a path inside the project; the row is not used"
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
        image = found[name]
        video = files.name(files.parent(image))
        frames.append(
            LabeledFrame(
                image=image,
                name=f"{LABELED_DATA}/{video}/{files.name(image)}",
                video=video,
                file=table.file,
                row=row,
                keypoints=keypoints,
            )
        )
    return frames


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
    expected = near_names.Expected(individuals, names.configured, names.bodyparts)
    problems += near_names.problems(table.file, lost, extra, expected, nothing=not found)
    nameless = [i for i, column in enumerate(table.columns) if not any(column)]
    if any(_count(table, i) for i in nameless):
        what = f"{len(nameless)} columns without a name hold numbers, which are not used"
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
