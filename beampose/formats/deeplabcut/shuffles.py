"""The train and test images of an existing DeepLabCut shuffle, so that errors can be compared."""

import csv
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files, texts, yaml_files
from beampose.formats import pandas_h5
from beampose.preprocess import unpickle
from beampose.preprocess.labels import TEST, TRAIN, LabeledCrop, LabeledFrame

METADATA = "metadata.yaml"
_DOCUMENTATION = re.compile(r"Documentation_data-(.+)_(\d+)shuffle(\d+)\.pickle")
_SHUFFLE = re.compile(r"(.+)-trainset(\d+)shuffle(\d+)")
_MAX_BYTES = 1 << 28


class Shuffle(NamedTuple):
    """A shuffle of a training set: its number, and its file."""

    number: int
    file: str


def read(
    items: Sequence[LabeledFrame] | Sequence[LabeledCrop], path: str, number: int | None = None
) -> list[str]:
    """The split of each frame.

    Row numbers of a shuffle count the rows of the merged CollectedData beside it; where that is
    gone, the frames sorted as DeepLabCut merges its folders: by video, then by image.

    Args:
      path: a Documentation_data pickle; or a training set, its metadata.yaml or its project.
      number: which shuffle, where there are several.

    Raises:
      FileNotFoundError: no such file or shuffle.
      ValueError: not a shuffle, several, or one that was made of other frames.
    """
    file = _file(path, number)
    if files.size(file) > _MAX_BYTES:
        raise ValueError(f"{file} has more than {_MAX_BYTES:,} bytes: not a shuffle.")
    data = unpickle.loads(files.read_bytes(file))
    if not isinstance(data, list) or len(data) != 4:
        raise ValueError(f"{file} is not a DeepLabCut Documentation_data pickle.")
    try:
        # -1 only fills up.
        train, test = ([int(i) for i in np.ravel(rows) if i >= 0] for rows in data[1:3])
    except (TypeError, ValueError):
        raise ValueError(f"{file} holds row numbers that are not numbers.") from None
    rows = _merged(files.parent(file))
    keys = [_key(item.name) for item in items]
    order = rows if rows is not None else sorted(keys)
    last = max([*train, *test], default=-1)
    if last >= len(order):
        raise ValueError(f"{file} splits more frames than there are: row {last} of {len(order)}.")
    named = {order[row]: TRAIN for row in train} | {order[row]: TEST for row in test}
    left = [item.name for item, key in zip(items, keys, strict=True) if key not in named]
    if left:
        raise ValueError(f"{file} gives no split for {len(left)} frames, such as {left[0]}.")
    return [named[key] for key in keys]


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
        told = yaml_files.parse(texts.decode(files.read_bytes(metadata)), words=True)
        entries = {
            int(entry.get("index", _number(name))): entry["split"]
            for name, entry in (told.get("shuffles") or {}).items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
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
    try:
        lines = [row for row in csv.reader(io.StringIO(text)) if any(row)]
    except csv.Error as error:
        raise ValueError(str(error)) from None
    heads = [row[0] for row in lines[:4]]
    if "coords" not in heads:
        raise ValueError("no row coords")
    header = lines[heads.index("coords")]
    width = next((i for i, cell in enumerate(header[1:], 1) if cell), len(header))
    return [_key("/".join(row[:width])) for row in lines[heads.index("coords") + 1 :]]
