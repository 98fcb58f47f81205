"""All files in a folder and the folders in it, on a disk or in a bucket."""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import cast

from beampose.core import files, placeholders

LOG = logging.getLogger(__name__)


def walk(folder: str, enters: Callable[[str], bool] = lambda _: True) -> Iterator[tuple[str, int]]:
    """Addresses and bytes of all files in a folder and the folders in it, however deep, by name.

    What is hidden is left out. A folder is walked once: under its own name where it lies here, too,
    and not under that of a link to it. A link that leads nowhere is a file of 0 bytes. Pipes and
    devices are passed over, and told.

    Args:
      enters: whether a folder is looked into, by its address.
    """
    found = _in_bucket(folder, enters) if files.is_address(folder) else _on_disk(folder, enters)
    yield from sorted(found, key=lambda one: one[0].split("/"))


def _in_bucket(folder: str, enters: Callable[[str], bool]) -> Iterator[tuple[str, int]]:
    where, inner = files.system(folder)
    start = len(inner.rstrip("/")) + 1
    found = cast(dict[str, dict], where.find(inner, detail=True))
    entered: dict[str, bool] = {"": True}

    def looked_into(short: str) -> bool:
        if short not in entered:
            above = looked_into(short.rpartition("/")[0])
            entered[short] = above and enters(files.join(folder, short))
        return entered[short]

    for path, about in found.items():
        short = path[start:]
        if not short or any(part.startswith(".") for part in short.split("/")):
            continue
        if looked_into(short.rpartition("/")[0]):
            yield files.join(folder, short), int(about.get("size") or 0)


def _on_disk(folder: str, enters: Callable[[str], bool]) -> Iterator[tuple[str, int]]:
    seen: set[str] = set()
    # Links wait: where they lead may lie here under its own name.
    todo, links = deque([folder]), deque[str]()
    while todo or links:
        place = todo.popleft() if todo else links.popleft()
        real = os.path.realpath(place)
        if real in seen:
            continue
        seen.add(real)
        with os.scandir(place) as found:
            entries = sorted((one for one in found if one.name[0] != "."), key=lambda one: one.name)
        for entry in entries:
            path = files.join(place, entry.name)
            if not _is_folder(entry):
                if (size := _bytes(entry)) is not None:
                    yield path, size
                elif what := placeholders.special(path):
                    LOG.warning("NOTE %s: not taken, for it %s", path, what)
            elif enters(path):
                # A junction of Windows is none of its links.
                own = os.path.realpath(path) == os.path.join(real, entry.name)
                (todo if own else links).append(path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link in a circle.
        return False


def _bytes(entry: os.DirEntry[str]) -> int | None:
    """Of a file; None of a device and the like."""
    try:
        found = entry.stat()
    except OSError:  # A link that leads nowhere.
        return 0
    return found.st_size if entry.is_file() else None
