"""What a job works on, in files that its workers read: the job itself carries their addresses.

A job of a million labels would else be a request of hundreds of megabytes, which no service takes.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from beampose.core import json_files, storage
from beampose.core.files import join

ITEMS_A_FILE = 4096
SUFFIX = ".jsonl.gz"

Item = TypeVar("Item")


def write(items: Sequence[Item], folder: str, plain: Callable[[Item], Any]) -> list[str]:
    """Writes items into files that are named by their content. Returns the addresses, in order.

    Args:
      plain: an item as JSON has it.
    """
    found = []
    for start in range(0, len(items), ITEMS_A_FILE):
        data = packed(plain(one) for one in items[start : start + ITEMS_A_FILE])
        address = join(folder, f"{hashlib.sha256(data).hexdigest()[:16]}{SUFFIX}")
        storage.write_bytes(address, data)
        found.append(address)
    return found


def packed(values: Iterable[Any]) -> bytes:
    """A file of plain values; the same values are the same bytes."""
    text = "\n".join(json.dumps(one) for one in values)
    return gzip.compress(text.encode(), compresslevel=1, mtime=0)


def read(address: str, item: Callable[[Any], Item]) -> Iterator[Item]:
    """Items of a file, of which `item` makes one of its JSON."""
    text = gzip.decompress(storage.place(address).read_bytes()).decode()
    for line in text.splitlines():
        yield item(json_files.parse(line, address))
