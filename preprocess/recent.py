"""The values used last, up to a total size."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from cachetools import LRUCache

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The values used last, by key; safe in threads.

    Args:
      limit: on the sum of their sizes.
      size: of a value.
      dropped: called with each value that makes room for others, or is not kept at all.
    """

    def __init__(
        self,
        limit: int,
        size: Callable[[Value], int],
        dropped: Callable[[Value], None] = lambda _: None,
    ):
        self._kept = _Cache(limit, size, dropped)
        self._dropped = dropped
        self._lock = threading.Lock()

    def get(self, key: str) -> Value | None:
        with self._lock:
            return self._kept.get(key)

    def put(self, key: str, value: Value) -> None:
        """Keeps a value, unless there is one of this key, or it is larger than all may be."""
        with self._lock:
            if key not in self._kept and self._kept.getsizeof(value) <= self._kept.maxsize:
                self._kept[key] = value
            else:
                self._dropped(value)


class _Cache(LRUCache[str, Value]):
    def __init__(self, limit: int, size: Callable[[Value], int], dropped: Callable[[Value], None]):
        super().__init__(limit, size)
        self._dropped = dropped

    def popitem(self) -> tuple[str, Value]:
        key, value = super().popitem()
        self._dropped(value)
        return key, value
