"""Pickles of large dicts, written entry by entry: memory holds one of them."""

import pickle
from collections.abc import Iterable
from typing import Any

from beampose.core import storage

# The last protocol whose pickles name their memo places, so that they can be laid end to end.
_PROTOCOL = 3
_HEAD = pickle.PROTO + bytes([_PROTOCOL])


def write(file: storage.Address, entries: Iterable[tuple[Any, Any]]) -> None:
    """Writes a pickle that loads as the dict of some entries, whole or not at all.

    Args:
      entries: keys, each once, and values; what two of them share is written twice.
    """
    with storage.replacing(storage.place(file)) as temporary, temporary.open("wb") as stream:
        stream.write(_HEAD + pickle.EMPTY_DICT)
        for key, value in entries:
            stream.write(pickle.MARK + _body(key) + _body(value) + pickle.SETITEMS)
        stream.write(pickle.STOP)


def _body(value: Any) -> bytes:
    return pickle.dumps(value, protocol=_PROTOCOL)[len(_HEAD) : -len(pickle.STOP)]
