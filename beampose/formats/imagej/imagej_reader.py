"""DeepLabCut v1 and dlc-cloudml: images of a video, and tables of clicks saved by ImageJ (Fiji).

In a folder of images lies one table per bodypart, or one for all whose rows cycle over the
bodyparts. `Slice` counts the images from 1 in natural order of their names. A click in the top left
corner means "not visible".
"""

import re
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import numpy as np

from beampose.core import csv_cells, files, texts
from beampose.core.wording import agreed, counted
from beampose.formats import spreadsheets
from beampose.formats.deeplabcut import merged_labels
from beampose.formats.deeplabcut.project_labels import INDIVIDUAL, LABELED_DATA
from beampose.formats.imagej import myconfig
from beampose.formats.label_format import LabelFormat
from beampose.preprocess import images
from beampose.preprocess.labels import ERROR, GONE, WARNING, LabeledFrame, Labels, Problem
from beampose.preprocess.split import natural

# x and y both below: DeepLabCut's and dlc-cloudml's default.
BOUNDARY = 10.0
_TABLES = (".csv", ".txt", ".tsv", ".xls")
_DEPTH = 3
# Copies of labels, and drawings of them.
_NOT_READ = ("UnaugmentedDataSet_", ".")
_DRAWINGS = ("_labeled", "-labeled", "_labelled")


class Table(NamedTuple):
    """Clicks in the order of the file: x and y, the image from 1 (0 = not said), the line.

    `first` is ImageJ's running number of the first: its tables are numbered in one go.
    """

    file: str
    points: np.ndarray
    slices: list[int]
    rows: list[int]
    first: int


class Folder(NamedTuple):
    """A video's images in natural order, and its tables by name."""

    path: str
    images: list[str]
    tables: dict[str, Table]


def read(path: str, *, bodyparts: list[str] | None = None) -> Labels:
    """Reads a folder of images and tables, or one that holds such folders.

    Args:
      bodyparts: names and order; else those of myconfig.py, else the names of the tables in the
        order they were clicked.

    Raises:
      FileNotFoundError: no such folder, or none with images and tables in it.
      ValueError: the bodyparts cannot be known, or myconfig.py cannot be read.
    """
    root = files.parent(path) if files.name(path) == myconfig.NAME else path
    if not files.is_folder(root):
        if files.exists(root):
            raise ValueError(
                f"{root} is a file, and of no format of labels that is known; ImageJ's are a "
                "folder of images and tables."
            )
        raise FileNotFoundError(f"No folder {root}.")
    problems: list[Problem] = []
    settings_file = myconfig.find(root)
    settings = myconfig.read(settings_file) if settings_file else {}
    folders = list(_folders(root, problems))
    names = bodyparts or settings.get("bodyparts")
    if not folders:
        converted = merged_labels.find(root)
        if converted:
            return merged_labels.read(converted, bodyparts=names)
        raise FileNotFoundError(
            f"{root} holds no folder with images and ImageJ tables (columns X and Y) beside them."
        )
    names = names or _named(folders)
    boundary = float(settings.get("invisibleboundary", BOUNDARY))
    frames: list[LabeledFrame] = []
    for folder in folders:
        frames += _frames(folder, names, boundary, problems)
    return Labels(
        items=tuple(frames),
        bodyparts=tuple(names),
        individuals=(INDIVIDUAL,),
        scorer=str(settings.get("scorer") or next(iter(settings.get("Scorers", [])), "")),
        project=f"{settings.get('Task', '')}{settings.get('date', '')}" or _task(root, folders[0]),
        problems=tuple(problems),
    )


def _task(root: str, folder: Folder) -> str:
    """Task name in `data-<Task>`, the folder of version 1's videos."""
    above = files.name(files.parent(folder.path))
    return (above if above.startswith("data-") else files.name(root)).removeprefix("data-")


def _folders(root: str, problems: list[Problem], depth: int = _DEPTH):
    children = files.children(root)
    found = [c for c in children if files.suffix(c) in images.SUFFIXES]
    if found:
        tables = {}
        for file in children:
            if files.suffix(file) in _TABLES and not files.name(file).startswith("CollectedData_"):
                table = _table(file, problems)
                if table is not None:
                    tables[files.stem(file)] = table
        if tables:
            order = sorted(found, key=lambda image: natural(files.name(image)))
            yield Folder(root, order, tables)
        else:
            what = (
                f"{counted(len(found), 'image')} {agreed(len(found), 'have')} no table with "
                "columns X and Y beside them; not read"
            )
            problems.append(Problem(WARNING, root, 0, files.name(found[0]), what))
    if not depth:
        return
    for child in children:
        name = files.name(child)
        # A video may be called so, too; drawings lie beside the folder that they are of.
        drawn = any(
            name.endswith(ending) and files.join(root, name.removesuffix(ending)) in children
            for ending in _DRAWINGS
        )
        plain = not name.startswith(_NOT_READ) and not drawn
        if plain and child not in found and not files.suffix(child) and files.is_folder(child):
            yield from _folders(child, problems, depth - 1)


def _table(file: str, problems: list[Problem]) -> Table | None:
    """A table with the columns X and Y; another csv is none, and is told of."""
    # Letters of another code page stand in headers that are not read, such as µm².
    try:
        data = files.read_bytes(file)
    except FileNotFoundError:
        problems.append(Problem(ERROR, file, 0, "", GONE))
        return None
    text = data.decode(texts.encoding(data) or texts.UTF8, "replace")
    head = re.split("[\r\n]", text, maxsplit=1)[0]
    delimiter = "\t" if "\t" in head else ";" if ";" in head else ","
    columns = [cell.strip().lower() for cell in head.split(delimiter)]
    missing = [name for name in ("x", "y") if name not in columns]
    if missing:
        what = f"has no column {' and '.join(missing).upper()}: not an ImageJ table; it is not read"
        problems.append(Problem(ERROR, file, 1, "", what))
        return None
    points, slices, rows, first = [], [], [], 0
    reader = csv_cells.Rows(text, delimiter)
    try:
        next(reader, None)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            try:
                if what := spreadsheets.misplaced(row, len(columns)):
                    raise ValueError(what)
                told = _click(row, columns, delimiter)
            except ValueError as error:
                problems.append(Problem(ERROR, file, reader.line, "", f"{error}; not used"))
                continue
            points.append(told[:2])
            slices.append(told[2])
            rows.append(reader.line)
            first = first or told[3]
    except ValueError as error:
        what = f"{error}; nor is what follows"
        problems.append(Problem(ERROR, file, reader.line, "", what))
    return Table(file, np.array(points, np.float64).reshape(-1, 2), slices, rows, first)


def _click(row: list[str], columns: list[str], separator: str) -> tuple[float, float, int, int]:
    """x, y, slice and running number of a row.

    Raises:
      ValueError: it holds no point.
    """
    cells: dict[str, str] = {n: c.strip() for n, c in zip(columns, row, strict=False)}
    try:
        x, y = (spreadsheets.number(cells[name], separator) for name in ("x", "y"))
        slice_ = spreadsheets.number(cells.get("slice", ""), separator)
        number = 0 if np.isnan(slice_) else int(slice_)
        running = cells.get("", "")
        if not (np.isfinite(x) and np.isfinite(y)):
            raise ValueError
    except (KeyError, ValueError, OverflowError):
        raise ValueError("holds no X, Y and Slice that are numbers") from None
    return x, y, number, int(running) if running.isdecimal() else 0


def _named(folders: list[Folder]) -> list[str]:
    """Bodyparts by the names of tables, in the order of ImageJ's running numbers."""
    names: dict[str, int] = {}
    for folder in folders:
        for name, table in folder.tables.items():
            repeated = Counter(n for n in table.slices if n)
            if len(folder.tables) == 1 and max(repeated.values(), default=0) > 1:
                raise ValueError(
                    f"{table.file} holds up to {counted(max(repeated.values()), 'point')} an "
                    "image: it seems "
                    "to cycle over the bodyparts. Name them, in the order they were clicked, in "
                    "source.bodyparts."
                )
            names.setdefault(name, table.first)
    return sorted(names, key=lambda name: (names[name], natural(name)))


def _frames(
    folder: Folder, bodyparts: list[str], boundary: float, problems: list[Problem]
) -> list[LabeledFrame]:
    found = np.full((len(folder.images), len(bodyparts), 2), np.nan)
    lines: dict[int, tuple[str, int]] = {}
    tables = folder.tables
    cyclic = len(tables) == 1 and len(bodyparts) > 1 and not set(tables) & set(bodyparts)
    for name, table in tables.items():
        if not cyclic and name not in bodyparts:
            what = f"belongs to {name!r}, which is not among the bodyparts; it is not used"
            problems.append(Problem(WARNING, table.file, 0, "", what))
            continue
        parts = range(len(bodyparts)) if cyclic else [bodyparts.index(name)]
        _place(table, found, parts, lines, problems)
    for name in bodyparts:
        if not cyclic and name not in tables:
            what = f"has no table for bodypart {name!r}; taken as not labeled"
            problems.append(Problem(WARNING, folder.path, 0, "", what))
    with np.errstate(invalid="ignore"):
        corner = np.asarray((found < boundary).all(axis=-1))
    if corner.any():
        what = (
            f"{counted(int(corner.sum()), 'point')} {agreed(int(corner.sum()), 'lie')} in the "
            f"corner (x and y below {boundary:g}): they mean "
            "not visible"
        )
        if corner[~np.isnan(found).any(-1)].all():
            what += ". These are all: if they are no pixels, remove the scale in ImageJ (Set Scale)"
        problems.append(Problem(WARNING, folder.path, 0, "", what))
        found[corner] = np.nan
    left = len(folder.images) - len(lines)
    if left:
        what = (
            f"{left} of {len(folder.images)} images {agreed(left, 'have')} no point in any "
            "table; not used"
        )
        problems.append(Problem(WARNING, folder.path, 0, "", what))
    return [_frame(folder, i, *lines[i], found[i][None]) for i in sorted(lines)]


def _frame(folder: Folder, i: int, file: str, row: int, keypoints: np.ndarray) -> LabeledFrame:
    video, image = files.name(folder.path), folder.images[i]
    return LabeledFrame(
        image=image,
        name=f"{LABELED_DATA}/{video}/{files.name(image)}",
        video=video,
        file=file,
        row=row,
        keypoints=keypoints,
    )


def _place(
    table: Table,
    found: np.ndarray,
    parts: Any,
    lines: dict[int, tuple[str, int]],
    problems: list[Problem],
) -> None:
    """Puts the clicks of a table where they belong: image by Slice, bodypart by turn."""
    count, parts = len(found), list(parts)
    clicks: dict[int, list[int]] = defaultdict(list)
    # Images that were opened one by one are all Slice 1 (or 0): then the order of rows counts.
    ordered = len(set(table.slices)) <= 1 < count and len(table.slices) == count * len(parts)
    for i, number in enumerate(table.slices):
        image = i // len(parts) if ordered else number - 1
        if not 0 <= image < count:
            what = f"Slice {number} of {count} images; not used"
            problems.append(Problem(ERROR, table.file, table.rows[i], "", what))
            continue
        clicks[image].append(i)
    for image, rows in clicks.items():
        line = table.rows[rows[0]]
        if len(rows) != len(parts):
            what = (
                f"{counted(len(rows), 'point')} for image {image + 1}, of "
                f"{counted(len(parts), 'bodypart')}; not used"
            )
            problems.append(Problem(ERROR, table.file, line, "", what))
            continue
        found[image, parts] = table.points[rows]
        lines.setdefault(image, (table.file, line))


FORMAT = LabelFormat(name="imagej", read=read, options=("bodyparts",))
