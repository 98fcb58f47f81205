"""What a reader of the fuzz is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Reader(NamedTuple):
    """A reader: the name its file has, files to begin from, and how it is called with a path."""

    file: str
    seeds: list[bytes]
    read: Callable[[Path], Any]
