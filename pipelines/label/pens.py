"""Of several pages on one project, one holds the pen; the others look on."""

import threading
import time
from collections.abc import Callable

# A page that was not heard of for so long has gone.
SILENT = 8.0


class Pen:
    """Who may write: the first page that asks, until it lets go or falls silent.

    Args:
      clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._guard = clock, threading.Lock()
        self._holder, self._heard = "", 0.0

    def ask(self, page: str, *, take: bool = False) -> bool:
        """Says that a page is there. Returns True if it holds the pen from now on.

        Args:
          take: away from another page, because a person asked for it there.
        """
        with self._guard:
            now = self._clock()
            free = not self._holder or now - self._heard > SILENT
            if page and (free or take or page == self._holder):
                self._holder, self._heard = page, now
            return bool(page) and page == self._holder

    def release(self, page: str) -> None:
        """A page was closed."""
        with self._guard:
            if page == self._holder:
                self._holder = ""
