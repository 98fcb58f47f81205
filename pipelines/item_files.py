"""What a job works on, in files that its workers read: the job itself carries their addresses.

A job of a million labels would else be a request of hundreds of megabytes, which no service takes.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import apache_beam as beam

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


class Read(beam.PTransform):
    """Items of files, some together, spread over the workers.

    Args:
      addresses: as of `write`.
      item: makes an item of its JSON; a function of a module.
      together: how many travel together.
    """

    def __init__(self, addresses: Iterable[str], item: Callable[[Any], Any], together: int = 1):
        super().__init__()
        self._addresses, self._item, self._together = list(addresses), item, together

    def expand(self, input_or_inputs):
        return (
            input_or_inputs
            | "Files" >> beam.Create(self._addresses)
            | "Items" >> beam.FlatMap(_together, self._item, self._together)
            | "Spread" >> beam.Reshuffle()
        )


def _together(address: str, item: Callable[[Any], Any], count: int) -> Iterator[list[Any]]:
    found = list(read(address, item))
    for start in range(0, len(found), count):
        yield found[start : start + count]
