"""DeepMeerkat's lists of crops: csv without a header, `uri,label`, and the classes in dict.txt."""

import csv
import io

from beampose.core import files
from beampose.formats.label_format import LabelFormat
from beampose.preprocess import split
from beampose.preprocess.cut import rule_of
from beampose.preprocess.labels import ERROR, TEST, TRAIN, LabeledCrop, Labels, Problem

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
    lists = paths(path)
    declared_classes = _dictionary(files.parent(lists[0]))
    problems: list[Problem] = []
    rows = [row for file in lists for row in _rows(file, problems)]
    classes = declared_classes or tuple(
        sorted({label for *_, label in rows}, key=lambda label: (label != "positive", label))
    )
    if len(classes) < 2:
        raise ValueError(f"{path} must name at least two classes. Found: {', '.join(classes)}.")
    items = []
    for file, number, uri, label in rows:
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
                split=_declared(file, uri),
            )
        )
    rule = rule_of(files.parent(lists[0]))
    return Labels(items=tuple(items), classes=classes, rule=rule, problems=tuple(problems))


def paths(path: str) -> list[str]:
    """The lists that a path means.

    Raises:
      FileNotFoundError: there is none.
    """
    if not files.is_folder(path):
        if not files.exists(path):
            raise FileNotFoundError(f"No csv file {path}.")
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
            lines = files.read_bytes(file).decode("utf-8-sig", "replace").split("\n")
            return tuple(line.strip().lower() for line in lines if line.strip())
    return ()


def _rows(file: str, problems: list[Problem]) -> list[tuple[str, int, str, str]]:
    text = files.read_bytes(file).decode("utf-8-sig", "replace")
    found = []
    reader = csv.reader(io.StringIO(text))
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(cells) != 2 or not all(cells):
                what = f"must be `uri,label`. Received: {','.join(row)!r}"
                problems.append(Problem(ERROR, file, reader.line_num, cells[0], what))
                continue
            uri = spelled(cells[0])
            if "::" in uri or not files.is_in_storage(uri) or files.names_inside(uri):
                what = "must be a path or an address in a bucket, such as gs://; it is not read"
                problems.append(Problem(ERROR, file, reader.line_num, cells[0], what))
                continue
            found.append((file, reader.line_num, uri, cells[1].lower()))
    except csv.Error as error:
        what = f"cannot be read from here on: {error}. Is a quote not closed?"
        problems.append(Problem(ERROR, file, reader.line_num, "", what))
    return found


def spelled(uri: str) -> str:
    """An address as names of crops have it, on any system."""
    return uri.replace("\\", "/")


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
