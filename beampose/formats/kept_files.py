"""Files of a person's project: written where absent, left alone where equal, and replaced only on
demand, with a copy of what was there beside them."""

from collections.abc import Iterable
from typing import NamedTuple

from upath import UPath

from beampose.core import storage


class File(NamedTuple):
    """Content to write into a file.

    Attributes:
      same: what is there means the same, whatever its bytes.
      grown: it holds what is there, and more.
    """

    place: UPath
    data: bytes
    same: bool = False
    grown: bool = False


def conflicts(files: Iterable[File]) -> list[UPath]:
    """Those of which something else is there."""
    return [f.place for f in files if not (f.same or f.grown) and _differs(f)]


def refuse(places: list[UPath]) -> None:
    """Raises ValueError if any file would be lost."""
    if places:
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        raise ValueError(
            f"{places[0]}{more} holds something else already; nothing was written. --overwrite "
            "replaces it and keeps a copy (.bak)."
        )


def write(file: File) -> bool:
    """Writes a file, with a backup of what it replaces. Returns whether it had to."""
    there = file.place.is_file()
    if file.same or (there and file.place.read_bytes() == file.data):
        return False
    if there and _differs(file):
        _back_up(file.place)
    storage.write_bytes(file.place, file.data)
    return True


def _differs(file: File) -> bool:
    """Returns True if something else is there; no bytes, which a power cut leaves, are nothing."""
    return file.place.is_file() and file.place.read_bytes() not in (b"", file.data)


def _back_up(place: UPath) -> None:
    data = place.read_bytes()
    number = 1
    while True:
        copy = place.parent / f"{place.name}.{number}.bak"
        if not copy.is_file():
            break
        if copy.read_bytes() == data:
            return
        number += 1
    storage.write_bytes(copy, data)
