"""DeepLabCut projects with one animal: config.yaml and labeled-data/*/CollectedData_*.h5 or .csv.

Names are trusted, places are not: project_path, the paths in video_sets and the order of columns
are never used. An image is looked for in the folder of its label file, under its file name.
"""

import csv
import io
from typing import Any, NamedTuple

import numpy as np
import yaml

from preprocess import files
from preprocess.labels import ERROR, WARNING, LabeledFrame, Labels, Problem
from preprocess.sources import pandas_h5

LABELED_DATA = "labeled-data"
INDIVIDUAL = "individual1"


class Table(NamedTuple):
    """A CollectedData file: columns are (scorer, bodypart, coord), rows their place in the file."""

    file: str
    columns: list[tuple[str, ...]]
    names: list[str]
    rows: list[int]
    values: np.ndarray


def read(path: str, *, scorer: str | None = None, bodyparts: list[str] | None = None) -> Labels:
    """Reads a project.

    Args:
      path: the project folder or its config.yaml.
      scorer: whose labels; the config's scorer if None.
      bodyparts: names and order; the config's if None.

    Raises:
      FileNotFoundError: no config.yaml or no labeled-data.
      ValueError: config.yaml cannot be read, or the project has several animals.
    """
    root = files.parent(path) if files.suffix(path) in (".yaml", ".yml") else path
    config = _config(path if root != path else files.join(root, "config.yaml"))
    scorer = scorer or str(config.get("scorer") or "")
    bodyparts = bodyparts or _bodyparts(config, root)
    folders = _label_folders(root)
    problems: list[Problem] = []
    frames: list[LabeledFrame] = []
    for folder in folders:
        table = _label_table(folder, scorer, problems)
        if table is not None:
            frames += _frames(table, folder, scorer, bodyparts, problems)
    return Labels(
        items=tuple(frames),
        bodyparts=tuple(bodyparts),
        individuals=(INDIVIDUAL,),
        edges=_edges(config, bodyparts, root, problems),
        scorer=scorer,
        project=f"{config.get('Task') or 'project'}{config.get('date') or ''}",
        problems=tuple(problems),
    )


def _config(file: str) -> dict[str, Any]:
    if not files.exists(file):
        raise FileNotFoundError(f"No DeepLabCut project: {file} does not exist.")
    try:
        config = yaml.safe_load(files.read_bytes(file).decode("utf-8", "replace"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not YAML: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"{file} must hold keys and values.")
    if config.get("multianimalproject") or config.get("bodyparts") == "MULTI!":
        raise ValueError(
            f"{file} is a project with several animals; this version reads projects with one."
        )
    return config


def _bodyparts(config: dict[str, Any], root: str) -> list[str]:
    names = config.get("bodyparts")
    if not isinstance(names, list) or not names:
        raise ValueError(f"{root}/config.yaml must list bodyparts. Received: {names!r}.")
    names = [str(name) for name in names]
    if len(set(names)) < len(names):
        raise ValueError(f"{root}/config.yaml names a bodypart twice: {', '.join(names)}.")
    return names


def _label_folders(root: str) -> list[str]:
    labeled = files.join(root, LABELED_DATA)
    if not files.is_folder(labeled):
        raise FileNotFoundError(f"{labeled} does not exist: the project has no labeled frames.")
    return [
        child
        for child in files.children(labeled)
        if files.is_folder(child)
        and not files.name(child).startswith(".")
        # DeepLabCut's check_labels writes drawings into <video>_labeled.
        and not files.name(child).endswith("_labeled")
    ]


def _edges(
    config: dict[str, Any], bodyparts: list[str], root: str, problems: list[Problem]
) -> tuple[tuple[str, str], ...]:
    edges = []
    for pair in config.get("skeleton") or []:
        if isinstance(pair, list) and len(pair) == 2 and set(map(str, pair)) <= set(bodyparts):
            edges.append((str(pair[0]), str(pair[1])))
        else:
            what = f"skeleton edge {pair!r} must be a pair of bodyparts; it is not drawn"
            problems.append(Problem(WARNING, f"{root}/config.yaml", 0, "", what))
    return tuple(edges)


def _label_table(folder: str, scorer: str, problems: list[Problem]) -> Table | None:
    """The label file of a folder: h5 as DeepLabCut reads it, csv where there is no readable h5."""
    found = {
        files.name(child): child
        for child in files.children(folder)
        if files.name(child).startswith("CollectedData_") and files.suffix(child) in (".h5", ".csv")
    }
    stems = sorted({files.stem(name) for name in found})
    wanted = f"CollectedData_{scorer}"
    if not stems:
        problems.append(Problem(WARNING, folder, 0, "", "has no CollectedData file: no labels"))
        return None
    if wanted not in stems:
        what = f"scorer mismatch: config.yaml says {scorer!r}, the folder has {', '.join(stems)}"
        problems.append(Problem(ERROR, folder, 0, "", f"{what}. Set source.scorer"))
        return None
    tables: dict[str, Table] = {}
    for suffix in (".h5", ".csv"):
        if wanted + suffix not in found:
            continue
        file = found[wanted + suffix]
        try:
            tables[suffix] = _read_h5(file) if suffix == ".h5" else _read_csv(file, problems)
        except ValueError as error:
            level = WARNING if suffix == ".h5" and f"{wanted}.csv" in found else ERROR
            problems.append(Problem(level, found[wanted + suffix], 0, "", str(error)))
    if len(tables) == 2 and not _agree(tables[".h5"], tables[".csv"]):
        what = "the csv holds other labels than the h5; the h5 is used, as DeepLabCut does"
        problems.append(Problem(WARNING, tables[".csv"].file, 0, "", what))
    return tables.get(".h5", tables.get(".csv"))


def _read_h5(file: str) -> Table:
    columns, index, values = pandas_h5.read(files.read_bytes(file))
    if any(len(column) != 3 for column in columns):
        raise ValueError("must have the column levels scorer, bodyparts, coords, and no others")
    names = ["/".join(parts) for parts in index]
    return Table(file, columns, names, list(range(1, len(names) + 1)), values)


def _read_csv(file: str, problems: list[Problem]) -> Table:
    text = files.read_bytes(file).decode("utf-8-sig", "replace")
    reader = csv.reader(io.StringIO(text))
    try:
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"cannot be read: {error}. Is a quote not closed?") from None
    heads = [row[0].strip() for _, row in lines[:4]]
    if "individuals" in heads:
        raise ValueError("has a row of individuals: it belongs to a project with several animals")
    if heads[:3] != ["scorer", "bodyparts", "coords"]:
        raise ValueError(f"must begin with rows scorer, bodyparts, coords. Found: {heads[:3]}")
    header = [row for _, row in lines[:3]]
    width = index_width(header[1])
    columns = list(zip(*[[cell.strip() for cell in row[width:]] for row in header], strict=False))
    names, rows, values = [], [], []
    for number, row in lines[3:]:
        name = "/".join(cell.strip() for cell in row[:width])
        try:
            values.append(_numbers(row[width:], len(columns)))
        except ValueError as error:
            problems.append(Problem(ERROR, file, number, name, f"{error}; the row is not used"))
            continue
        names.append(name)
        rows.append(number)
    return Table(file, columns, names, rows, np.array(values).reshape(len(names), len(columns)))


def index_width(bodyparts: list[str]) -> int:
    """Columns before the first bodypart: the path stands in one, or in three (new form)."""
    found = (i for i, cell in enumerate(bodyparts[1:], 1) if cell.strip())
    return next(found, len(bodyparts))


def _numbers(cells: list[str], count: int) -> list[float]:
    if len(cells) > count and any(cell.strip() for cell in cells[count:]):
        raise ValueError(f"has {len(cells)} values for {count} columns")
    cells = [cell.strip() for cell in cells[:count]] + [""] * (count - len(cells))
    try:
        return [float(cell) if cell else np.nan for cell in cells]
    except ValueError:
        bad = next(cell for cell in cells if cell and not _is_number(cell))
        raise ValueError(f"holds {bad!r}, which is not a number") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _agree(first: Table, second: Table) -> bool:
    """Whether two tables say the same, whatever the order of rows and columns."""

    def cells(table: Table) -> dict[tuple, float]:
        return {
            (image_name(name), *column): value
            for name, row in zip(table.names, table.values, strict=True)
            for column, value in zip(table.columns, row, strict=True)
        }

    one, other = cells(first), cells(second)
    return one.keys() == other.keys() and np.allclose(
        list(one.values()), [other[key] for key in one], atol=1e-3, equal_nan=True
    )


def image_name(name: str) -> str:
    """Video and file of an image's name, which no move of a project changes."""
    return "/".join(name.replace("\\", "/").split("/")[-2:])


def _frames(
    table: Table, folder: str, scorer: str, bodyparts: list[str], problems: list[Problem]
) -> list[LabeledFrame]:
    places = _places(table, scorer, bodyparts, problems)
    frames = []
    for name, row, values in zip(table.names, table.rows, table.values, strict=True):
        try:
            image = files.parts(name)[-1]
        except (ValueError, IndexError):
            what = "the image must be named by a path inside the project; the row is not used"
            problems.append(Problem(ERROR, table.file, row, name, what))
            continue
        keypoints = np.full((1, len(bodyparts), 2), np.nan)
        for (bodypart, axis), column in places.items():
            keypoints[0, bodypart, axis] = values[column]
        # A point with one coordinate is no point.
        half = np.asarray(np.isnan(keypoints).any(-1) & ~np.isnan(keypoints).all(-1))
        if half.any():
            which = ", ".join(bodyparts[i] for i in np.flatnonzero(half[0]))
            what = f"{which} has only one of x and y; taken as not labeled"
            problems.append(Problem(WARNING, table.file, row, name, what))
            keypoints[half] = np.nan
        video = files.name(folder)
        frames.append(
            LabeledFrame(
                image=files.join(folder, image),
                name=f"{LABELED_DATA}/{video}/{image}",
                video=video,
                file=table.file,
                row=row,
                keypoints=keypoints,
            )
        )
    return frames


def _places(
    table: Table, scorer: str, bodyparts: list[str], problems: list[Problem]
) -> dict[tuple[int, int], int]:
    """Which column holds which coordinate, found by name."""
    places: dict[tuple[int, int], int] = {}
    unknown, others = set(), set()
    for column, (named_scorer, bodypart, coord) in enumerate(table.columns):
        if named_scorer != scorer:
            others.add(named_scorer)
        if bodypart not in bodyparts:
            unknown.add(bodypart)
        elif coord in ("x", "y"):
            places[bodyparts.index(bodypart), "xy".index(coord)] = column
    if others:
        what = f"scorer mismatch: columns are by {', '.join(sorted(others))}, config says {scorer}"
        problems.append(Problem(WARNING, table.file, 0, "", what))
    for name in sorted(unknown):
        what = f"unknown bodypart {name!r}: not in config.yaml; its labels are not used"
        problems.append(Problem(WARNING, table.file, 0, "", what))
    for i, name in enumerate(bodyparts):
        if (i, 0) not in places or (i, 1) not in places:
            what = f"bodypart {name!r} of config.yaml has no columns here; taken as not labeled"
            problems.append(Problem(WARNING, table.file, 0, "", what))
            places.pop((i, 0), None)
            places.pop((i, 1), None)
    return places
