"""Remembers which frames of a film are being extracted, so that a killed run goes on with these.

Frames that are there change the choice of others: chosen anew, the rest would be others.
"""

from collections.abc import Collection, Sequence
from typing import Any

from beampose.core import storage

_FILE = ".chosen.json"


def remember(folder: str, asked: Any, frames: Sequence[int]) -> None:
    """Writes down the choice, before the first of its frames.

    Args:
      asked: what it depends on, plain values.
    """
    told = {"asked": storage.digest(asked), "frames": sorted(frames)}
    storage.write_json(storage.place(folder, _FILE), told, durable=True)


def forget(folder: str) -> None:
    """Takes the note away, after the last of its frames."""
    storage.place(folder, _FILE).unlink(missing_ok=True)


def rest(folder: str, asked: Any, had: Collection[int]) -> list[int] | None:
    """The frames that a killed run of the same kind has not written; None if there was none."""
    file = storage.place(folder, _FILE)
    try:
        told = storage.read_json(file, "asked", "frames") if file.is_file() else {}
    except ValueError:
        return None
    if told.get("asked") != storage.digest(asked):
        return None
    return [frame for frame in told["frames"] if frame not in had]
