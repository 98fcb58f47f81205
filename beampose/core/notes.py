"""Notes for a person, which several steps may find and one tells."""

import contextlib
import logging
from collections.abc import Iterator


class NotesOnce(logging.Filter):
    """Lets each note through once in a command, whose steps may each find the same."""

    def __init__(self):
        super().__init__()
        self._told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        note = record.getMessage()
        if note in self._told:
            return False
        if str(record.msg).startswith("NOTE"):
            self._told.add(note)
        return True


@contextlib.contextmanager
def once(logger: logging.Logger) -> Iterator[None]:
    """Lets each note of a logger through once in the block."""
    notes = NotesOnce()
    logger.addFilter(notes)
    try:
        yield
    finally:
        logger.removeFilter(notes)
