"""The train and test images of an existing DeepLabCut shuffle, so that errors can be compared."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import csv_cells, files, texts
from beampose.core.wording import agreed, counted
from beampose.formats import pandas_h5
from beampose.formats.deeplabcut import project_config, shuffle_rows
from beampose.formats.deeplabcut.shuffle_rows import Rows
from beampose.preprocess import unpickle
from beampose.preprocess.labels import (
    TRAIN,
    WARNING,
    LabeledCrop,
    LabeledFrame,
    Problem,
)

METADATA = "metadata.yaml"
_DOCUMENTATION = re.compile(r"Documentation_data-(.+)_(\d+)shuffle(\d+)\.pickle")
_SHUFFLE = re.compile(r"(.+)-trainset(\d+)shuffle(\d+)")
_MAX_BYTES = 1 << 28


class Sides(NamedTuple):
    """The split of each frame, and what is to be said of it."""

    sides: list[str]
    notes: list[Problem]


class Shuffle(NamedTuple):
    """A shuffle of a training set: its number, and its file."""

    number: int
    file: str


def read(
    items: Sequence[LabeledFrame] | Sequence[LabeledCrop], path: str, number: int | None = None
) -> Sides:
    """The split of each frame.

    Row numbers of a shuffle count the rows of the merged CollectedData beside it; where that is
    gone, the frames sorted as DeepLabCut merges its folders: by video, then by image. Frames that
    were labeled since, which the merged labels do not have, are trained on.

    Args:
      path: a Documentation_data pickle; or a training set, its metadata.yaml or its project.
      number: which shuffle, where there are several.

    Raises:
      FileNotFoundError: no such file or shuffle.
      ValueError: not a shuffle, several, or one that was made of other frames.
    """
    file = _file(path, number)
    content = _content(file)
    rows = _merged(files.parent(file))
    keys = [_key(item.name) for item in items]
    try:
        order = sorted(keys) if rows is None else rows
        found = shuffle_rows.sides(content, order, of_its_day=rows is not None)
    except ValueError as error:
        raise ValueError(f"{file} {error} {_remedy(rows is None)}") from None
    new = [item.name for item, key in zip(items, keys, strict=True) if key not in found]
    gone = sorted("/".join(key) for key in set(found) - set(keys))
    return Sides([found.get(key, TRAIN) for key in keys], list(_notes(file, new, gone)))


def _content(file: str) -> Rows:
    if files.size(file) > _MAX_BYTES:
        raise ValueError(f"{file} has more than {_MAX_BYTES:,} bytes: not a shuffle.")
    data = unpickle.loads(files.read_bytes(file))
    if not isinstance(data, list) or len(data) != 4 or not isinstance(data[0], list):
        raise ValueError(f"{file} is not a DeepLabCut Documentation_data pickle.")
    try:
        # -1 only fills up.
        train, test = ([int(i) for i in np.ravel(rows) if i >= 0] for rows in data[1:3])
    except (TypeError, ValueError):
        raise ValueError(f"{file} holds row numbers that are not numbers.") from None
    listed = [one.get("image") for one in data[0] if isinstance(one, dict)]
    names = [one if isinstance(one, str) else "/".join(map(str, one or ())) for one in listed]
    images = [_key(name) for name in names]
    return Rows(train, test, images if all(len(image) == 2 for image in images) else [])


def _notes(file: str, new: Sequence[str], gone: Sequence[str]) -> Iterator[Problem]:
    if new:
        what = (
            f"split.from: {counted(len(new), 'frame')}, such as {new[0]}, "
            f"{agreed(len(new), 'are')} not in this shuffle, as those "
            "that are labeled after it was made: they go to training"
        )
        yield Problem(WARNING, file, 0, "", what)
    if gone:
        what = (
            f"split.from: {counted(len(gone), 'frame')} of this shuffle, such as {gone[0]}, "
            f"{agreed(len(gone), 'have')} no labels"
        )
        yield Problem(WARNING, file, 0, "", what)


def _remedy(unmerged: bool) -> str:
    if unmerged:
        return (
            "The merged CollectedData that says which rows are which frames is not beside it: "
            "copy it there from the training set, or leave split.from out."
        )
    return "The merged CollectedData beside it is of another day: choose a newer shuffle."


def _key(name: str) -> tuple[str, ...]:
    """Video and image; version 1 names no folder above them."""
    return tuple(name.replace("\\", "/").split("/"))[-2:]


def _file(path: str, number: int | None) -> str:
    if not files.exists(path):
        raise FileNotFoundError(f"split.from: {path} does not exist.")
    if not files.is_folder(path) and files.name(path) != METADATA:
        if number is not None:
            raise ValueError(f"split.shuffle: {path} is one shuffle. Leave split.shuffle out.")
        return path
    folder = path if files.is_folder(path) else files.parent(path)
    found = [shuffle for place in _training_sets(folder) for shuffle in _shuffles(place)]
    known = ", ".join(sorted({str(one.number) for one in found})) or "none"
    fitting = [one for one in found if number is None or one.number == number]
    if not fitting:
        wanted = "shuffle" if number is None else f"shuffle {number}"
        raise FileNotFoundError(f"split.from: {folder} holds no {wanted}. Found: {known}.")
    if len(fitting) > 1:
        names = ", ".join(files.name(one.file) for one in fitting)
        raise ValueError(
            f"split.from: {folder} holds several shuffles ({names}). Set split.shuffle to one of "
            f"{known}, or name a Documentation_data file."
        )
    return fitting[0].file


def _training_sets(folder: str) -> list[str]:
    """The folder itself, or the training sets of a project."""
    sets = files.join(folder, "training-datasets")
    if not files.is_folder(sets):
        return [folder]
    found = [c for iteration in files.children(sets) for c in _subfolders(iteration)]
    return [c for c in found if files.name(c).startswith("UnaugmentedDataSet_")]


def _subfolders(folder: str) -> list[str]:
    if not files.is_folder(folder):
        return []
    return [child for child in files.children(folder) if files.is_folder(child)]


def _shuffles(folder: str) -> list[Shuffle]:
    found = []
    for child in files.children(folder):
        named = _DOCUMENTATION.fullmatch(files.name(child))
        if named:
            found.append(Shuffle(int(named.group(3)), child))
    metadata = files.join(folder, METADATA)
    return found + _shared(metadata, found) if files.exists(metadata) else found


def _shared(metadata: str, found: list[Shuffle]) -> list[Shuffle]:
    """Shuffles whose own file is gone, by another one that metadata.yaml says is split alike."""
    try:
        told = project_config.values(metadata)
    except ValueError as error:
        what = f"{metadata} is not DeepLabCut's metadata of shuffles"
        raise ValueError(f"{what}: {str(error).removeprefix(metadata).strip()}") from None
    try:
        entries = {
            int(entry.get("index", _number(name))): entry["split"]
            for name, entry in (told.get("shuffles") or {}).items()
        }
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        # An index that is infinite, too.
        raise ValueError(f"{metadata} is not DeepLabCut's metadata of shuffles.") from None
    by_number = {one.number: one for one in found}
    lent = []
    for number, split in entries.items():
        alike = [n for n, other in entries.items() if other == split and n in by_number]
        if number not in by_number and alike:
            lent.append(Shuffle(number, by_number[alike[0]].file))
    return lent


def _number(name: str) -> int:
    found = _SHUFFLE.fullmatch(str(name))
    if not found:
        raise ValueError(name)
    return int(found.group(3))


def _merged(folder: str) -> list[tuple[str, ...]] | None:
    """Video and image of each row of the merged labels; None if there are none to be read."""
    found = [c for c in files.children(folder) if files.name(c).startswith("CollectedData_")]
    for file in sorted(found, key=lambda c: files.suffix(c) != ".h5"):
        try:
            if files.suffix(file) == ".h5":
                index = pandas_h5.read(files.read_bytes(file))[1]
                return [_key("/".join(parts)) for parts in index]
            if files.suffix(file) == ".csv":
                return _csv_rows(texts.decode(files.read_bytes(file), texts.WINDOWS))
        except ValueError:
            continue
    return None


def _csv_rows(text: str) -> list[tuple[str, ...]]:
    lines = [row for row in csv_cells.Rows(text) if any(row)]
    heads = [row[0] for row in lines[:4]]
    if "coords" not in heads:
        raise ValueError("no row coords")
    header = lines[heads.index("coords")]
    width = next((i for i, cell in enumerate(header[1:], 1) if cell), len(header))
    return [_key("/".join(row[:width])) for row in lines[heads.index("coords") + 1 :]]
