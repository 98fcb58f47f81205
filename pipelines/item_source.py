"""Reads what a job works on, spread over its workers."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam

from beampose.pipelines import item_files


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
    found = list(item_files.read(address, item))
    for start in range(0, len(found), count):
        yield found[start : start + count]
