"""Reads pickles from strangers: numbers, strings, containers and NumPy arrays, nothing that runs.

Headers of pandas become lists of what they name, tuples where they have several levels.

NumPy's own functions for unpickling are not called with what the file says: a wrong dtype state
crashes the process. Arrays and scalars are built here, from a checked dtype and their bytes.
"""

import io
import math
import pickle
import re
from typing import Any

import numpy as np

_DTYPE = re.compile(r"[<>|=]?([?biufc]\d{0,2}|[SU]\d+|O8?)")


class _Dtype:
    def __init__(self, code: str, *_: object):
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise ValueError(f"the pickle holds an array of {code!r}, which is not plain data")
        self.plain = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if self.plain.kind in "iufcU":
            self.plain = self.plain.newbyteorder(state[1])


class _Array(np.ndarray):
    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        objects = dtype.plain.kind == "O"
        if not isinstance(data, list if objects else bytes) or min(shape, default=0) < 0:
            raise ValueError("the pickle holds a broken array")
        if len(data) != math.prod(shape) * (1 if objects else dtype.plain.itemsize):
            raise ValueError("the pickle holds an array of another length than its shape says")
        super().__setstate__((1, shape, dtype.plain, bool(fortran), data))  # pyright: ignore[reportArgumentType]


def _reconstruct(*_: object) -> _Array:
    return np.empty(0).view(_Array)


def _frombuffer(data: bytes, dtype: _Dtype, shape: tuple, order: str, *_: object) -> np.ndarray:
    if order not in ("C", "F"):
        raise ValueError(f"the pickle holds an array in the order {order!r}, which is not read")
    return _numbers(data, dtype).reshape(shape, order=order)


def _scalar(dtype: _Dtype, data: bytes = b"") -> Any:
    return _numbers(data, dtype).reshape(())[()]


def _numbers(data: bytes, dtype: _Dtype) -> np.ndarray:
    return np.frombuffer(bytes(memoryview(data)), dtype.plain)


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"the pickle asks for the encoding {encoding!r}, which is not plain data")
    return text.encode(encoding)


def _index(kind: str, state: dict[str, Any]) -> list:
    """A header of pandas: an index as its values, one of several levels as tuples."""
    if kind == "Index":
        return list(state["data"])
    levels = zip(state["levels"], state["codes"], strict=True)
    columns = [[level[code] for code in codes] for level, codes in levels]
    return list(zip(*columns, strict=True))


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "ndarray",  # Only ever handed to _reconstruct.
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): lambda: b"",  # How protocol 2 writes empty bytes.
}
_PANDAS = "pandas.core.indexes"
_ALLOWED[f"{_PANDAS}.base", "_new_Index"] = _index
_ALLOWED[f"{_PANDAS}.base", "Index"] = "Index"  # Only ever handed to _index, as this one:
_ALLOWED[f"{_PANDAS}.multi", "MultiIndex"] = "MultiIndex"
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _frombuffer


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise ValueError(f"the pickle asks for {module}.{name}, which is not plain data")
        return _ALLOWED[module, name]


def loads(data: bytes) -> Any:
    """Loads plain data.

    Raises:
      ValueError: the pickle is broken or asks for anything but plain data.
    """
    try:
        return _Plain(io.BytesIO(data)).load()
    except ValueError:
        raise
    except (Exception, MemoryError) as error:  # A broken pickle raises what it likes.
        raise ValueError(f"not a readable pickle: {error}") from None
