"""Writes the corrections a person left marked into a DeepLabCut project, after a backup."""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import csv_cells, files, storage, texts, writing_lock
from beampose.core.name_parts import safe
from beampose.formats import spreadsheets
from beampose.formats.deeplabcut import label_edits, root_tables
from beampose.formats.deeplabcut.label_edits import Correction
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines.curation.label_audit import COLUMNS, NO, YES

BACKUPS = "labeled-data-backups"
_NEEDED = ("apply", "image", "bodypart", "x", "y", "new_x", "new_y")
_EDITS = {".csv": label_edits.edit_csv, ".h5": label_edits.edit_h5}


class Applied(NamedTuple):
    """Result of applying corrections.

    Attributes:
      done: corrections written.
      lost: those without such a label, in words.
      written: label files that changed.
      backup: folder with these files as they were; empty if none changed.
    """

    done: int
    lost: list[str]
    written: list[str]
    backup: str


def read(path: str) -> list[Correction]:
    """The marked rows of a csv of proposals.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it is no such csv, or a marked row cannot be used; the text names the row.
    """
    return [_correction(row, place) for row, place in marked(path, _NEEDED, COLUMNS)]


def marked(
    path: str, needed: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[dict[str, str], str]]:
    """Rows of a csv of proposals that shall be applied, and where each stands.

    Args:
      needed: columns that must be there.
      columns: all that the audit writes.

    Raises: as `read`.
    """
    files.require(path, "file")
    try:
        text = texts.decode(files.read_bytes(path), texts.WINDOWS)
        rows, _ = spreadsheets.named(text, needed, _may_be_marked)
    except ValueError as error:
        raise ValueError(
            f"{path} must have the columns {', '.join(columns)}, as `beampose audit` writes for "
            f"this experiment. It {error}."
        ) from None
    for line, row in rows:
        mark = row.get("apply", "").strip().lower()
        if mark == YES:
            yield {n: csv_cells.plain(row[n]) for n in needed}, f"{path} row {line}"
        elif mark not in ("", NO):
            raise ValueError(f"{path} row {line}: apply must be {YES} or {NO}. Received: {mark!r}.")


def _may_be_marked(cells: list[str]) -> bool:
    return any(cell.strip().lower() == YES for cell in cells)


def apply(found: list[Correction], root: str, scorer: str) -> Applied:
    """Changes the labels in csv and h5 of a project; all files as they were are kept before.

    A correction counts as done if every label file of its video has the old label and now has the
    new one; else no file is changed by it.

    Args:
      root: the project's folder.
      scorer: whose labels.

    Raises:
      PermissionError: another program writes labels there.
      ValueError: a label file cannot be read, or there is one for all videos; nothing was written.
    """
    with writing_lock.alone(root):
        return _apply(found, root, scorer)


def _apply(found: list[Correction], root: str, scorer: str) -> Applied:
    if tables := root_tables.find(root):
        raise ValueError(
            f"{tables[0]} holds the labels of several videos and is not changed. `beampose "
            f"import-labels {root} --to FOLDER` makes a DeepLabCut project, whose labels can be."
        )
    by_video: dict[str, list[Correction]] = defaultdict(list)
    for one in found:
        by_video[files.parts(one.image)[-2]].append(one)
    before: dict[str, bytes] = {}
    after: dict[str, bytes] = {}
    lost: set[Correction] = set()
    for video, wanted in by_video.items():
        stem = files.join(root, LABELED_DATA, video, f"CollectedData_{safe(scorer)}")
        there = [stem + suffix for suffix in _EDITS if files.exists(stem + suffix)]
        own = {file: files.read_bytes(file) for file in there}
        missed = set() if own else set(wanted)
        missed.update(*(_edit(file, data, wanted, scorer).lost for file, data in own.items()))
        lost |= missed
        kept = [one for one in wanted if one not in missed]
        changed = {file: _edit(file, data, kept, scorer).data for file, data in own.items()}
        after |= {file: data for file, data in changed.items() if data != own[file]}
        before |= {file: own[file] for file in after if file in own}
    backup = _write(before, after, root) if after else ""
    words = [
        f"{one.image} {one.bodypart}: no label at ({one.old[0]:g}, {one.old[1]:g}) in the files of "
        f"{scorer}; it has changed since the audit"
        for one in found
        if one in lost
    ]
    return Applied(len(found) - len(words), words, sorted(after), backup)


def _write(before: dict[str, bytes], after: dict[str, bytes], root: str) -> str:
    """Keeps files as they were, then writes them. Returns the folder of the former."""
    backup = keep(before, root)
    for file, data in after.items():
        storage.write_bytes(file, data)
    return backup


def keep(before: dict[str, bytes], root: str) -> str:
    """Copies of label files, beside labeled-data: whole, or none if the disk is full.

    Returns:
      The folder they are in; it is not made for no file.
    """
    backup = files.join(root, BACKUPS, f"{datetime.datetime.now():%Y%m%d-%H%M%S-%f}")
    if before:
        with storage.replacing_folder(backup) as temporary:
            for file, data in before.items():
                target = temporary / files.name(files.parent(file)) / files.name(file)
                storage.write_bytes(target, data)
    return backup


def _edit(file: str, data: bytes, wanted: list[Correction], scorer: str) -> label_edits.Edited:
    try:
        return _EDITS[files.suffix(file)](data, wanted, scorer)
    except ValueError as error:
        raise ValueError(f"{file} {error}. No label was changed.") from None


def _correction(row: dict[str, str], place: str) -> Correction:
    numbers = {}
    for name in ("x", "y", "new_x", "new_y"):
        cell = row[name].strip()
        try:
            numbers[name] = spreadsheets.number(cell, ";")
        except ValueError:
            raise ValueError(f"{place}: {name} must be a number. Received: {cell!r}.") from None
    old, new = (numbers["x"], numbers["y"]), (numbers["new_x"], numbers["new_y"])
    if np.isnan(new).any() != np.isnan(new).all() or np.isinf(new).any() or min(new) < 0:
        raise ValueError(
            f"{place}: new_x and new_y must be a point in the image, or both empty to remove the "
            f"label. Received: {new[0]:g}, {new[1]:g}."
        )
    image = row["image"].strip()
    try:
        if len(files.parts(image)) < 2:
            raise ValueError("must name its video and the image")
    except ValueError as error:
        raise ValueError(f"{place}: {error}.") from None
    return Correction(image, row["bodypart"].strip(), old, new)
