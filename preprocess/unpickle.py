"""Reads pickles from strangers: numbers, strings, containers and NumPy arrays, nothing that runs.

Headers of pandas become lists of what they name, tuples where they have several levels.

NumPy's own functions for unpickling are not called with what the file says: a wrong dtype state
crashes the process. Arrays and scalars are built here, from a checked dtype and their bytes.

A pickle may name one thing many times, so that a kilobyte stands for gigabytes once anything walks
it. What is built while loading, and what comes out as it would be spelled out, is counted.
"""

import functools
import io
import math
import pickle
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

# Values that come out, as they would be spelled out, and how deep they lie in one another.
_MOST_VALUES = 10_000_000
_DEEPEST = 50
# Bytes and names that building may copy, as a multiple of the pickle's length, and at least.
_COPIES, _FLOOR = 20, 1 << 20
_DTYPE = re.compile(r"[<>|=]?([?biufc]\d{0,2}|[SU]\d+|O8?)")


class _Refused(ValueError):
    """A pickle that asks for what it may not, in a sentence."""


class _Dtype:
    def __init__(self, code: str, *_: object):
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise _Refused(f"the pickle holds an array of {code!r}, which is not plain data")
        self.plain = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if self.plain.kind in "iufcU":
            self.plain = self.plain.newbyteorder(state[1])


class _Array(np.ndarray):
    builder: "_Builder"

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        self.builder.take(len(data))
        objects = dtype.plain.kind == "O"
        if not isinstance(data, list if objects else bytes) or min(shape, default=0) < 0:
            raise _Refused("the pickle holds a broken array")
        if len(data) != math.prod(shape) * (1 if objects else dtype.plain.itemsize):
            raise _Refused("the pickle holds an array of another length than its shape says")
        super().__setstate__((1, shape, dtype.plain, bool(fortran), data))  # pyright: ignore[reportArgumentType]


class _Builder:
    """What a pickle may call, with an account of what that has copied."""

    def __init__(self, length: int):
        self._left = max(_FLOOR, _COPIES * length)

    def reconstruct(self, *_: object) -> _Array:
        made = np.empty(0).view(_Array)
        made.builder = self
        return made

    def frombuffer(
        self, data: bytes, dtype: _Dtype, shape: tuple, order: str, *_: object
    ) -> np.ndarray:
        if order not in ("C", "F"):
            raise _Refused(f"the pickle holds an array in the order {order!r}, which is not read")
        return self._numbers(data, dtype).reshape(shape, order=order)

    def scalar(self, dtype: _Dtype, data: bytes = b"") -> Any:
        return self._numbers(data, dtype).reshape(())[()]

    def encode(self, text: str, encoding: str) -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise _Refused(
                f"the pickle asks for the encoding {encoding!r}, which is not plain data"
            )
        self.take(len(text))
        return text.encode(encoding)

    def index(self, kind: str, state: dict[str, Any]) -> list:
        """A header of pandas: an index as its values, one of several levels as tuples."""
        if kind == "Index":
            self.take(len(state["data"]))
            return list(state["data"])
        self.take(sum(len(codes) for codes in state["codes"]))
        levels = zip(state["levels"], state["codes"], strict=True)
        columns = [[level[code] for code in codes] for level, codes in levels]
        return list(zip(*columns, strict=True))

    def _numbers(self, data: bytes, dtype: _Dtype) -> np.ndarray:
        self.take(len(memoryview(data)))
        return np.frombuffer(bytes(memoryview(data)), dtype.plain)

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _Refused("the pickle builds far more than it holds")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "ndarray",  # Only ever handed to `reconstruct`.
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Builder.encode,
    ("__builtin__", "bytes"): lambda: b"",  # How protocol 2 writes empty bytes.
}
_PANDAS = "pandas.core.indexes"
_ALLOWED[f"{_PANDAS}.base", "_new_Index"] = _Builder.index
_ALLOWED[f"{_PANDAS}.base", "Index"] = "Index"  # Only ever handed to `index`, as this one:
_ALLOWED[f"{_PANDAS}.multi", "MultiIndex"] = "MultiIndex"
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _Builder.reconstruct
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _Builder.scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _Builder.frombuffer


_BUILDS = (
    _Builder.encode,
    _Builder.index,
    _Builder.scalar,
    _Builder.frombuffer,
    _Builder.reconstruct,
)


# Python's own: the one in C makes room for as many names as an opcode of five bytes says.
class _Plain(pickle._Unpickler):  # pyright: ignore
    def __init__(self, data: bytes):
        super().__init__(io.BytesIO(data))
        self._length, self._builder = len(data), _Builder(len(data))

    dispatch: dict[int, Any] = {**pickle._Unpickler.dispatch}  # pyright: ignore

    def load_bytearray8(self) -> None:
        # Python's would make room for what eight bytes can say before it reads.
        size = int.from_bytes(self.read(8), "little")  # pyright: ignore
        if size > self._length:
            raise _Refused("the pickle says it holds more bytes than it has")
        self.append(bytearray(self.read(size)))  # pyright: ignore

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _Refused(f"the pickle asks for {module}.{name}, which is not plain data")
        found = _ALLOWED[module, name]
        return functools.partial(found, self._builder) if found in _BUILDS else found


def loads(data: bytes) -> Any:
    """Loads plain data.

    Raises:
      ValueError: the pickle is broken, asks for anything but plain data, or stands for far more
        than it holds.
    """
    try:
        found = _Plain(data).load()
        if _count(found, {}, _DEEPEST) > _MOST_VALUES:
            raise _Refused("the pickle stands for far more than it holds")
        return found
    except _Refused:
        raise
    except (Exception, MemoryError) as error:  # A broken pickle raises what it likes.
        why = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
        raise _Refused(f"not a readable pickle: {why or type(error).__name__}") from None


def _count(value: Any, known: dict[int, int], depth: int) -> int:
    """Values inside a value, as they would be spelled out."""
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return value.size
    if not isinstance(value, (dict, list, tuple, set, frozenset, np.ndarray)):
        return 1
    if not depth:
        raise _Refused(f"the pickle holds containers in one another, more than {_DEEPEST} deep")
    if id(value) not in known:
        # A container that holds itself stands for values without end.
        known[id(value)] = _MOST_VALUES + 1
        known[id(value)] = 1 + sum(_count(one, known, depth - 1) for one in _inner(value))
    return known[id(value)]


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value.flat if isinstance(value, np.ndarray) else value
