"""Writes the classes a person left marked into folders or lists of crops, and the way back."""

import datetime
import io
from collections.abc import Callable, Sequence

from beampose.core import csv_cells, files, storage
from beampose.formats import crop_classes
from beampose.formats.crop_classes import Reclass
from beampose.pipelines.curation import label_corrections
from beampose.pipelines.curation.label_audit import CROP_COLUMNS, YES
from beampose.pipelines.curation.label_corrections import Applied

_NEEDED = ("apply", "image", "label", "new_label")


def read(path: str) -> list[Reclass]:
    """The marked rows of a csv of proposals.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it is no such csv, or a marked row cannot be used; the text names the row.
    """
    found = []
    for row, place in label_corrections.marked(path, _NEEDED, CROP_COLUMNS):
        image, label, new = (row[name].strip() for name in _NEEDED[1:])
        label, new = label.lower(), new.lower()
        if not (image and label and new) or label == new:
            raise ValueError(
                f"{place}: image, label and another new_label must be there. Received: "
                f"{image!r}, {label!r}, {new!r}."
            )
        found.append(Reclass(image, label, new))
    if len({one.image for one in found}) < len(found):
        raise ValueError(f"{path} marks an image twice.")
    return found


def move(found: Sequence[Reclass], root: str, backups: str) -> Applied:
    """Moves crops into the folders of their classes.

    What was done is written first, as corrections that undo it.

    Args:
      backups: folder for these.

    Raises:
      ValueError: an image outside of `root` is named; nothing was moved.
    """
    for one in found:
        if len(files.parts(one.image)) < 2:
            raise ValueError(f"{one.image!r} must name the folder of its class. Nothing was moved.")
    moves, lost = crop_classes.moves(root, found)
    backup = _undo(moves, backups, found) if moves else ""
    for one in moves:
        storage.write_bytes(one.target, files.read_bytes(one.source))
        storage.place(one.source).unlink()
    return _applied(found, lost, [one.target for one in moves], backup)


def rewrite(found: Sequence[Reclass], path: str, backups: str) -> Applied:
    """Changes the classes in lists of crops; the lists as they were go to a folder of `backups`.

    Raises:
      FileNotFoundError, ValueError: the lists cannot be read.
    """
    changed, lost = crop_classes.edited(path, found)
    backup = files.join(backups, f"lists-{_now()}") if changed else ""
    for file, (before, _) in changed.items():
        storage.write_bytes(files.join(backup, files.name(file)), before)
    for file, (_, after) in changed.items():
        storage.write_bytes(file, after)
    return _applied(found, lost, list(changed), backup)


WRITERS: dict[str, Callable[[Sequence[Reclass], str, str], Applied]] = {
    "crops": move,
    "csv": rewrite,
}


def _undo(moves: list[crop_classes.Move], backups: str, found: Sequence[Reclass]) -> str:
    names = {one.image.replace("\\", "/"): one for one in found}
    text = io.StringIO()
    writer = csv_cells.Writer(text)
    writer.writerow(_NEEDED)
    for one in moves:
        parts = files.parts(one.image)
        old = "/".join([*parts[:-2], files.name(files.parent(one.source)), parts[-1]])
        was = names[old]
        writer.writerow([YES, one.image, was.new, was.label])
    file = files.join(backups, f"undo-{_now()}.csv")
    storage.write_text(file, text.getvalue())
    return file


def _applied(
    found: Sequence[Reclass], lost: dict[Reclass, str], written: list[str], backup: str
) -> Applied:
    words = [f"{one.image}: {lost[one]}" for one in found if one in lost]
    return Applied(len(found) - len(words), words, sorted(written), backup)


def _now() -> str:
    return f"{datetime.datetime.now():%Y%m%d-%H%M%S-%f}"
