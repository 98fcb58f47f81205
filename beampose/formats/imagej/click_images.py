"""Which image each row of an ImageJ table belongs to: by its Label, Slice or Frame.

ImageJ writes `Label` as title:selection:slice, of which the last may be missing: of a folder that
was opened as a sequence the slice is the name of its image without the suffix, of a stack whose
slices have no names it is a number. `Slice` and `Frame` count from 1.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from beampose.core import files
from beampose.core.wording import counted
from beampose.preprocess import images

LABEL = "label"
# Columns that count images; Position and T only where neither of the first two does.
COUNTS = ("slice", "frame")
OTHERS = ("position", "t")
COLUMNS = (*COUNTS, *OTHERS)
# With it ImageJ numbers the slices of a Label through all channels.
CHANNEL = "ch"
# Characters of the name of a slice that ImageJ keeps.
_SHORT = 60
_NUMBERED = re.compile(r".*:\s*(\d{1,9})\s*")


class Rows(NamedTuple):
    """What the rows of a table say of their images.

    Attributes:
      labels: cells of Label; empty where there are none.
      numbers: those of `COLUMNS` and `CHANNEL` that the table has; None of an empty cell.
    """

    labels: list[str]
    numbers: dict[str, list[int | None]]


class Told(NamedTuple):
    """The images that the rows of a table belong to.

    Attributes:
      images: their places from 0; None of a row that names none that can be used.
      wrong: why not, "" of the others.
      ordered: no row names one, and the order of the rows counts.
      note: what was guessed, "" if nothing.
    """

    images: list[int | None]
    wrong: list[str]
    ordered: bool = False
    note: str = ""


def told(rows: Rows, paths: Sequence[str], parts: int) -> Told:
    """The images of rows, by all columns that say something: they must agree.

    Args:
      paths: of the images, in natural order.
      parts: points of an image that a table holds.

    Raises:
      ValueError: it is not known what the columns say, or there are none and the order of the rows
        cannot tell.
    """
    if not rows.labels:
        return Told([], [])
    columns = {name: rows.numbers[name] for name in _varying(rows)}
    for name in (one for one, column in columns.items() if 0 in column):
        raise ValueError(
            f"has a {name.capitalize()} of 0, and ImageJ counts from 1: which image a row "
            "belongs to is not known. Number the images from 1, in natural order of their names"
        )
    by_name, by_number = named(rows.labels, paths), _numbered(rows)
    if any(one is not None for one in by_name):
        if _is_a_number(by_name, by_number, columns, paths, rows.labels):
            by_name = [one if one is None else one - 1 for one in by_number]
        elif not columns and len({*by_name}) == 1:
            # Of an image that was opened alone Slice is 1, or 0.
            columns = {n: one for n, one in rows.numbers.items() if n in COUNTS and _most(one) > 1}
        return _each(rows.labels, by_name, columns, paths)
    if _varies(by_number):
        columns[LABEL] = by_number
    nothing = [None] * len(rows.labels)
    if columns:
        return _each(rows.labels, nothing, columns, paths)
    # Images that were opened one by one are all Slice 1 (or 0): then the order of rows counts.
    if len(paths) > 1 and len(rows.labels) == len(paths) * parts:
        places: list[int | None] = [i // parts for i in range(len(rows.labels))]
        return Told(places, [""] * len(places), ordered=True, note=_guess(rows.labels))
    first = next((name for name in COLUMNS if name in rows.numbers), None)
    if first is None:
        raise ValueError(
            f"has no column that names images (Label, Slice or Frame), and "
            f"{counted(len(rows.labels), 'row')} for {counted(len(paths), 'image')} with "
            f"{counted(parts, 'point')} each: which row belongs to which image is not known. Add "
            "a column Slice, which counts the images from 1"
        )
    return _each(rows.labels, nothing, {first: rows.numbers[first]}, paths)


def numbers_said(rows: Rows) -> set[int]:
    """The numbers of images in the column that tells them apart; none if no column does."""
    columns = [rows.numbers[name] for name in _varying(rows)] or [_numbered(rows)]
    return {one for one in columns[0] if one is not None} if _varies(columns[0]) else set()


def named(labels: Sequence[str], paths: Sequence[str]) -> list[int | None]:
    """Places of the images that Labels name, with their suffix or without it."""
    exact = {_key(files.name(path)): i for i, path in enumerate(paths)}
    alike: dict[str, set[int]] = defaultdict(set)
    for i, path in enumerate(paths):
        alike[_key(files.stem(path)).lower()].add(i)
        alike[_key(files.name(path)).lower()].add(i)

    def find(part: str) -> int | None:
        name = _key(files.name(part.strip()))
        if name in exact:
            return exact[name]
        short = files.stem(name) if files.suffix(name) in images.SUFFIXES else name
        hits = [alike.get(one.lower(), set()) for one in (name, short)]
        if len(part) == _SHORT and not any(hits):
            cut = name.lower()
            hits = [{i for one, places in alike.items() if one.startswith(cut) for i in places}]
        return next((next(iter(one)) for one in hits if len(one) == 1), None)

    def place(label: str) -> int | None:
        *others, last = label.split(":")
        found = find(last)
        if found is not None or _NUMBERED.fullmatch(label):
            return found
        # Of an image that was opened alone the title comes first, and the selection follows.
        titles = {one for one in map(find, others) if one is not None}
        return titles.pop() if len(titles) == 1 else None

    known = {label: place(label) for label in {*labels}}
    return [known[label] for label in labels]


def _varying(rows: Rows) -> list[str]:
    """The columns that tell images apart."""
    there = [name for name in COLUMNS if _varies(rows.numbers.get(name, []))]
    return [name for name in there if name in COUNTS] or there[:1]


def _varies(column: Sequence[int | None]) -> bool:
    return len({*column} - {None}) > 1


def _most(column: Sequence[int | None]) -> int:
    return max((one for one in column if one is not None), default=0)


def _numbered(rows: Rows) -> list[int | None]:
    """The numbers of slices at the end of Labels; of a stack with channels they mean others."""
    if CHANNEL in rows.numbers or "frame" in rows.numbers:
        return [None] * len(rows.labels)
    found = [_NUMBERED.fullmatch(one) for one in rows.labels]
    return [int(one[1]) if one else None for one in found]


def _guess(labels: Sequence[str]) -> str:
    """Says that the order of rows counts although their Labels differ."""
    if len({*labels} - {""}) <= 1:
        return ""
    return (
        f"Label, such as {labels[0]!r}, names no image of the folder: rows are taken in the order "
        "of the images. If they are in another, write the names of the images there"
    )


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _is_a_number(
    by_name: Sequence[int | None],
    by_number: Sequence[int | None],
    columns: Mapping[str, Sequence[int | None]],
    paths: Sequence[str],
    labels: Sequence[str],
) -> bool:
    """Whether Labels such as stack:3 mean the third image, where there is a 3.png, too.

    Raises:
      ValueError: nothing says which.
    """
    same = all(b is not None and b - 1 == a for a, b in zip(by_name, by_number, strict=True))
    inside = all(one is not None and 1 <= one <= len(paths) for one in by_number)
    if same or not inside:
        return False
    for column in columns.values():
        if [*column] == [*by_number]:
            return True
        if [*column] == [one if one is None else one + 1 for one in by_name]:
            return False
    i = next(
        i for i, (a, b) in enumerate(zip(by_name, by_number, strict=True)) if a != (b or 0) - 1
    )
    third, own = paths[(by_number[i] or 1) - 1], by_name[i]
    names = f"{files.name(paths[own])} or " if own is not None else ""
    raise ValueError(
        f"has Labels such as {labels[i]!r}, which may be {names}image {by_number[i]} of the "
        f"folder, {files.name(third)}: which is meant is not known. Write the names of the images "
        "with their suffix there"
    )


def _each(
    labels: Sequence[str],
    by_name: Sequence[int | None],
    columns: Mapping[str, Sequence[int | None]],
    paths: Sequence[str],
) -> Told:
    named_ = any(one is not None for one in by_name)
    places: list[int | None] = []
    wrong: list[str] = []
    for i, (label, place) in enumerate(zip(labels, by_name, strict=True)):
        own = {name: column[i] for name, column in columns.items()}
        told = _of_row(label if named_ else "", place, own, paths)
        places.append(told if isinstance(told, int) else None)
        wrong.append(told if isinstance(told, str) else "")
    return Told(places, wrong)


def _of_row(
    label: str, place: int | None, columns: Mapping[str, int | None], paths: Sequence[str]
) -> int | str:
    """The image of a row, or why it has none."""
    if label and place is None:
        return f"Label {label!r} names no image of the folder; not used"
    said = {} if place is None else {f"Label {label!r}": place}
    for name, number in columns.items():
        if number is None and place is not None:
            continue
        if number is None or not 1 <= number <= len(paths):
            return f"{name.capitalize()} {number or 0} of {len(paths)} images; not used"
        said[f"{name.capitalize()} {number}"] = number - 1
    if len({*said.values()}) > 1:
        both = " and ".join(f"{name} is {files.name(paths[i])}" for name, i in said.items())
        return (
            f"{both}: which is meant is not known; not used. Correct the row, or remove the "
            "column that is wrong"
        )
    return next(iter(said.values()), "has an empty Label, where others name images; not used")
