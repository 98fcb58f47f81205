"""Corrected classes of crops, written where the labels stand: in folders' names, in lists."""

import io
from collections.abc import Sequence
from typing import NamedTuple

from beampose.core import csv_cells, files
from beampose.formats import crop_folders, crop_lists, spreadsheets
from beampose.formats.crop_folders import class_name
from beampose.formats.crop_lists import spelled
from beampose.preprocess import images


class Reclass(NamedTuple):
    """A crop, by its name in the source, its class, and the one it shall have."""

    image: str
    label: str
    new: str


class Move(NamedTuple):
    """A file to be moved; `image`: its name in the source afterwards."""

    image: str
    source: str
    target: str


def moves(root: str, wanted: Sequence[Reclass]) -> tuple[list[Move], dict[Reclass, str]]:
    """Plans which file of a folder of crops moves where; lists what cannot move, with the reason.

    A crop goes to the folder of its new class beside that of its old one. One that is there
    already, with the same bytes, needs no move: a killed run is repeated.
    """
    found: list[Move] = []
    lost: dict[Reclass, str] = {}
    taken: dict[str, bytes] = {}
    for one in wanted:
        source = files.join(root, *files.parts(one.image))
        folder = files.parent(source)
        beside = [child for child in files.children(files.parent(folder)) if _is(child, one.new)]
        if (
            crop_folders.class_of(folder) != one.label
            or files.suffix(source) not in images.SUFFIXES
        ):
            lost[one] = f"is not a crop of {one.label!r}"
            continue
        if not beside:
            lost[one] = f"there is no folder of {one.new!r} beside {folder}"
            continue
        target = files.join(beside[0], files.name(source))
        there = taken.get(target) or (files.read_bytes(target) if files.exists(target) else None)
        if not files.exists(source):
            if there is None:
                lost[one] = "the file is gone; it was moved or removed since the audit"
            continue
        data = files.read_bytes(source)
        if there not in (None, data):
            lost[one] = f"{target} is another crop of this name: rename one of them"
            continue
        taken[target] = data
        name = "/".join([*files.parts(one.image)[:-2], files.name(beside[0]), files.name(source)])
        found.append(Move(name, source, target))
    return found, lost


def _is(folder: str, label: str) -> bool:
    own = files.name(folder)
    return (
        not own.startswith(".") and crop_folders.class_of(own) == label and files.is_folder(folder)
    )


def edited(
    path: str, wanted: Sequence[Reclass]
) -> tuple[dict[str, tuple[bytes, bytes]], dict[Reclass, str]]:
    """Lists of crops before and after; of other rows every character stays.

    Returns:
      (before, after) of each list that changes, and what cannot be written, with the reason.
    """
    changed: dict[str, tuple[bytes, bytes]] = {}
    lost = {one: f"no list says that it is {one.label!r}" for one in wanted}
    classes = crop_lists.read(path).classes
    for one in wanted:
        if one.new not in classes:
            lost[one] = f"no crop belongs to the class {one.new!r}"
    by_name = {one.image: one for one in wanted if one.new in classes}
    for file in crop_lists.paths(path):
        before = files.read_bytes(file)
        after = _rewritten(before, by_name, lost)
        if after != before:
            changed[file] = before, after
    return changed, lost


def _rewritten(data: bytes, wanted: dict[str, Reclass], lost: dict[Reclass, str]) -> bytes:
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    text = data[len(mark) :].decode("utf-8", "surrogateescape")
    lines = list(io.StringIO(text, newline=""))
    spelling = {}
    for line in lines:
        cells = _cells(line)
        if cells is not None:
            spelling.setdefault(class_name(cells[1]), cells[1])
    for i, line in enumerate(lines):
        cells = _cells(line)
        one = wanted.get(spelled(cells[0])) if cells is not None else None
        if cells is None or one is None:
            continue
        if class_name(cells[1]) == one.label:
            start, end = line.rindex(cells[1]), len(line.rstrip("\r\n"))
            rest = line[start + len(cells[1]) : end] + line[end:]
            lines[i] = line[:start] + spelling.get(one.new, one.new) + rest
        if class_name(cells[1]) in (one.label, one.new):
            lost.pop(one, None)
    return mark + "".join(lines).encode("utf-8", "surrogateescape")


def _cells(line: str) -> list[str] | None:
    """Address and class of a line; None for other lines."""
    for separator in spreadsheets.SEPARATORS:
        try:
            row = next(csv_cells.Rows(line, separator), [])
        except ValueError:
            continue
        cells = [cell.strip() for cell in row]
        if len(cells) == 2 and all(cells):
            return cells
    return None
