"""All elements of a job's step in one file."""

from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam


class WriteTogether(beam.PTransform):
    """Gives all elements, sorted, to a function that writes them; also where there are none.

    Gives the number of elements.

    Args:
      write: takes the list of them.
      order: key by which they are sorted.
    """

    def __init__(self, write: Callable[[list], None], order: Callable[[Any], Any] | None = None):
        super().__init__()
        self._write, self._order = write, order

    def expand(self, input_or_inputs):
        return (
            input_or_inputs
            | "Row" >> beam.Map(lambda element: [element])
            | "Gather" >> beam.CombineGlobally(_joined)
            | "Write" >> beam.Map(self._written)
        )

    def _written(self, elements: list) -> int:
        self._write(sorted(elements, key=self._order))
        return len(elements)


def _joined(groups: Iterable[list]) -> list:
    return [element for group in groups for element in group]
