"""DeepLabCut v1 and dlc-cloudml: images of a video, and tables of clicks saved by ImageJ (Fiji).

In a folder of images lies one table per bodypart, or one for all whose rows cycle over the
bodyparts. `Label` names the images, `Slice` or `Frame` counts them from 1 in natural order of their
names. A click in the top left corner means "not visible".
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.core.wording import agreed, counted
from beampose.formats.deeplabcut import merged_labels
from beampose.formats.deeplabcut.project_labels import INDIVIDUAL, LABELED_DATA
from beampose.formats.imagej import click_images, click_tables, image_copies, myconfig
from beampose.formats.imagej.click_tables import Table
from beampose.formats.label_format import LabelFormat
from beampose.preprocess import images
from beampose.preprocess.labels import ERROR, WARNING, LabeledFrame, Labels, Problem
from beampose.preprocess.split import natural

# x and y both below: DeepLabCut's and dlc-cloudml's default.
BOUNDARY = 10.0
_TABLES = (".csv", ".txt", ".tsv", ".xls")
_DEPTH = 3
# Copies of labels, and drawings of them.
_NOT_READ = ("UnaugmentedDataSet_", ".")
_DRAWINGS = ("_labeled", "-labeled", "_labelled")


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
    folders = [_without_copies(folder, names or [], problems) for folder in folders]
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
        tables = _tables(children, problems)
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


def _tables(children: Sequence[str], problems: list[Problem]) -> dict[str, Table]:
    """The tables of a folder by bodypart; of two of one bodypart the first."""
    tables: dict[str, Table] = {}
    for file in children:
        if files.suffix(file) not in _TABLES or files.name(file).startswith("CollectedData_"):
            continue
        table = click_tables.read(file, problems)
        if table is None:
            continue
        first = tables.setdefault(files.stem(file), table)
        if first is not table:
            what = (
                f"is of the same bodypart as {files.name(first.file)}, which is used; this one is "
                "not. Remove the older one, or give it the name of its bodypart"
            )
            problems.append(Problem(WARNING, file, 0, "", what))
    return tables


def _cycles(folder: Folder, bodyparts: Sequence[str]) -> bool:
    """Whether one table holds all bodyparts, by turns."""
    tables = folder.tables
    return len(tables) == 1 and len(bodyparts) > 1 and not set(tables) & set(bodyparts)


def _without_copies(folder: Folder, bodyparts: Sequence[str], problems: list[Problem]) -> Folder:
    """A folder with the images that its tables count, where there are copies of them."""
    said = [table.said for table in folder.tables.values()]
    parts = len(bodyparts) if _cycles(folder, bodyparts) else 1
    paths, note = image_copies.chosen(folder.path, folder.images, said, parts)
    if note:
        problems.append(Problem(WARNING, folder.path, 0, "", note))
    return folder._replace(images=paths)


def _named(folders: list[Folder]) -> list[str]:
    """Bodyparts by the names of tables, in the order of ImageJ's running numbers."""
    names: dict[str, int] = {}
    for folder in folders:
        for name, table in folder.tables.items():
            most = _repeated(table, folder.images)
            if len(folder.tables) == 1 and most > 1:
                raise ValueError(
                    f"{table.file} holds up to {counted(most, 'point')} an image: it seems to "
                    "cycle over the bodyparts. Name them, in the order they were clicked, in "
                    "source.bodyparts."
                )
            names.setdefault(name, table.first)
    return sorted(names, key=lambda name: (names[name], natural(name)))


def _repeated(table: Table, paths: Sequence[str]) -> int:
    """The most points of an image in a table, as far as its rows say."""
    count = len(table.rows)
    try:
        told = click_images.told(table.said, paths, 1)
    except ValueError:
        columns = [one for one in click_images.COLUMNS if one in table.said.numbers]
        return 0 if columns or count % len(paths) else count // len(paths)
    if told.ordered:
        # All of one Slice: rows of one image, or of images that were opened one by one.
        return count if any(any(one) for one in table.said.numbers.values()) else 1
    return max(Counter(one for one in told.images if one is not None).values(), default=0)


def _frames(
    folder: Folder, bodyparts: list[str], boundary: float, problems: list[Problem]
) -> list[LabeledFrame]:
    found = np.full((len(folder.images), len(bodyparts), 2), np.nan)
    lines: dict[int, tuple[str, int]] = {}
    tables = folder.tables
    cyclic = _cycles(folder, bodyparts)
    for name, table in tables.items():
        if not cyclic and name not in bodyparts:
            what = f"belongs to {name!r}, which is not among the bodyparts; it is not used"
            problems.append(Problem(WARNING, table.file, 0, "", what))
            continue
        parts = range(len(bodyparts)) if cyclic else [bodyparts.index(name)]
        _place(table, folder.images, found, parts, lines, problems)
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
    paths: Sequence[str],
    found: np.ndarray,
    parts: Iterable[int],
    lines: dict[int, tuple[str, int]],
    problems: list[Problem],
) -> None:
    """Puts the clicks of a table where they belong: image as its row says, bodypart by turn."""
    parts = list(parts)
    try:
        told = click_images.told(table.said, paths, len(parts))
    except ValueError as error:
        problems.append(Problem(ERROR, table.file, 0, "", f"{error}; it is not used"))
        return
    if told.note:
        problems.append(Problem(WARNING, table.file, 0, "", told.note))
    clicks: dict[int, list[int]] = defaultdict(list)
    for i, (image, what) in enumerate(zip(told.images, told.wrong, strict=True)):
        if image is None:
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
