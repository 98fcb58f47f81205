"""DeepMeerkat's lists of crops: csv of `uri,label`, and the classes in dict.txt.

DeepMeerkat's have no header; what other columns are is told by `crop_columns`.
"""

import unicodedata
from collections import defaultdict
from typing import NamedTuple

from beampose.core import csv_cells, files, texts
from beampose.formats import crop_columns, spreadsheets
from beampose.formats.crop_columns import Columns
from beampose.formats.crop_folders import BOXES, SPLITS, class_name
from beampose.formats.label_format import LabelFormat
from beampose.preprocess import split
from beampose.preprocess.cut import rule_of
from beampose.preprocess.labels import ERROR, TEST, TRAIN, WARNING, LabeledCrop, Labels, Problem

# The names DeepMeerkat's CreateDocs gives its two lists.
DECLARED = {"trainingdata.csv": TRAIN, "testingdata.csv": TEST}
DICTIONARY = "dict.txt"


def read(path: str) -> Labels:
    """Reads one csv, or a folder with trainingdata.csv and testingdata.csv.

    Paths in the csv are relative to the csv. dict.txt beside it (or in the folder above) gives the
    classes in order, one a line; without it they are sorted by name, positive first.

    Raises:
      FileNotFoundError: no such file, or a folder without csv files.
      ValueError: fewer than two classes.
    """
    if files.suffix(path) == ".json":
        raise ValueError(f"{path} is no list of crops, which is a csv of `image,label`. {BOXES}")
    lists = paths(path)
    declared_classes = _dictionary(files.parent(lists[0]))
    problems = _passed_over(path, lists)
    rows = [row for file in lists for row in _rows(file, problems)]
    classes = declared_classes or tuple(
        sorted({row.label for row in rows}, key=lambda label: (label != "positive", label))
    )
    if len(classes) < 2:
        why = f" {problems[0].file}:{problems[0].row} {problems[0].what}." if problems else ""
        found = ", ".join(classes) or "none"
        raise ValueError(f"{path} must name at least two classes. Found: {found}.{why}")
    items = []
    for file, number, uri, label, told in rows:
        if label not in classes:
            what = f"label {label!r} is not in {DICTIONARY} ({', '.join(classes)})"
            problems.append(Problem(ERROR, file, number, uri, what))
            continue
        items.append(
            LabeledCrop(
                image=uri if _absolute(uri) else files.join(files.parent(file), uri),
                name=uri,
                video=split.video_of_crop(uri),
                file=file,
                row=number,
                label=classes.index(label),
                split=told or _declared(file, uri),
            )
        )
    rule = rule_of(files.parent(lists[0]))
    return Labels(items=tuple(items), classes=classes, rule=rule, problems=tuple(problems))


def _passed_over(path: str, lists: list[str]) -> list[Problem]:
    """A problem for each csv of two columns beside the lists of a folder, which may be one too."""
    found = []
    for child in files.children(path) if files.is_folder(path) else ():
        if files.suffix(child) != ".csv" or child in lists:
            continue
        with files.open_file(child) as stream:
            first = stream.readline(10_000).decode("utf-8", "replace")
        if len(first.split(",")) == 2:
            what = f"looks like a list of crops and is not read: lists are called {_names()}"
            found.append(Problem(WARNING, child, 0, "", what))
    return found


def _names() -> str:
    return " and ".join(DECLARED)


def paths(path: str) -> list[str]:
    """The lists that a path means.

    Raises:
      FileNotFoundError: there is none.
    """
    if not files.is_folder(path):
        files.require(path, "csv file")
        return [path]
    candidates = [
        child
        for folder in [path, *[c for c in files.children(path) if files.is_folder(c)]]
        for child in files.children(folder)
        if files.name(child).lower() in DECLARED
    ]
    if not candidates:
        raise FileNotFoundError(f"{path} holds neither trainingdata.csv nor testingdata.csv.")
    return candidates


def _dictionary(folder: str) -> tuple[str, ...]:
    for place in (folder, files.parent(folder)):
        file = files.join(place, DICTIONARY)
        if files.exists(file):
            try:
                lines = texts.decode(files.read_bytes(file)).split("\n")
            except ValueError as error:
                raise ValueError(f"{file} {error}.") from None
            return tuple(class_name(line) for line in lines if line.strip())
    return ()


class _Crop(NamedTuple):
    """A row of a list; `split` is what a column says, if one does."""

    file: str
    row: int
    uri: str
    label: str
    split: str | None


def _rows(file: str, problems: list[Problem]) -> list[_Crop]:
    try:
        text = texts.decode(files.read_bytes(file))
    except ValueError as error:
        raise ValueError(f"{file} {error}.") from None
    try:
        rows = spreadsheets.read(text, _begins).rows
    except ValueError as error:
        rows, what = spreadsheets.until_broken(text), f"{error}; it is read up to there"
        problems.append(Problem(ERROR, file, len(rows) + 1, "", what))
    columns = crop_columns.find([row.cells for row in rows]) or Columns()
    if columns.others:
        what = f"columns that are not used: {', '.join(columns.others)}; images are taken whole"
        problems.append(Problem(WARNING, file, rows[0].number, "", what))
    found, spellings = [], defaultdict[str, set[str]](set)
    for number, row in rows[columns.header :]:
        cells = [cell.strip() for cell in row]
        wide = len(cells) == columns.width
        if not wide or not cells[columns.uri] or not cells[columns.label]:
            what = f"must be `uri,label`{_of_columns(columns)}. Received: {','.join(row)!r}"
            problems.append(Problem(ERROR, file, number, cells[0], what))
            continue
        address = spelled(cells[columns.uri])
        if "::" in address or not files.is_in_storage(address) or files.names_inside(address):
            what = "must be a path or an address in a bucket, such as gs://; it is not read"
            problems.append(Problem(ERROR, file, number, cells[columns.uri], what))
            continue
        word = "" if columns.split is None else cells[columns.split]
        if not crop_columns.is_split(word):
            what = f"its split {word!r} is none of {', '.join(SPLITS)}; it counts as without one"
            problems.append(Problem(WARNING, file, number, address, what))
        label = class_name(cells[columns.label])
        # Composed letters look alike: nobody meant two classes by them.
        spellings[label].add(unicodedata.normalize("NFC", cells[columns.label]))
        found.append(_Crop(file, number, address, label, crop_columns.split_of(word)))
    for label, words in spellings.items():
        if len(words) > 1:
            what = f"{' and '.join(sorted(words))} are read as one class, {label}"
            problems.append(Problem(WARNING, file, 0, "", what))
    return found


def _of_columns(columns: Columns) -> str:
    if columns.width > 2:
        return f" in {columns.width} cells, as its header or its first rows have"
    return ", or all rows have more cells and a header names them, as `image,label,split`"


def _begins(rows: list[list[str]]) -> bool:
    two = all(len(row) == 2 and all(cell.strip() for cell in row) for row in rows)
    return bool(rows) and (two or crop_columns.find(rows) is not None)


def spelled(uri: str) -> str:
    """An address as names of crops have it, on any system."""
    return csv_cells.plain(uri).replace("\\", "/")


def _absolute(uri: str) -> bool:
    return "://" in uri or uri.startswith("/") or uri[1:3] == ":/"


def _declared(file: str, uri: str) -> str | None:
    """The split of a row: the list's name says it, or a Training/Testing folder in the path."""
    by_name = DECLARED.get(files.name(file).lower())
    if by_name:
        return by_name
    folders = [part.lower() for part in uri.split("/")[:-1]]
    if "training" in folders:
        return TRAIN
    return TEST if "testing" in folders else None


FORMAT = LabelFormat(
    name="csv", read=read, task="crops", recognizes=lambda path: files.suffix(path) == ".csv"
)
