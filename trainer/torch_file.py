"""Reads tensors from PyTorch's format before version 1.6, without PyTorch, and runs nothing of it.

Such a file is a row of pickles (a magic number, a version, facts about the machine, the tensors as
views of storages, the keys of the storages) and then each storage: its length and plain numbers.
A pickle is a program. Its instructions are looked at first, and only those are run that such files
are made of; the names it asks for stand for values of ours.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
# A hundred times the network it is for; its pickle has 42 kB and 10,000 instructions.
MAX_BYTES = 2 << 30
MAX_PICKLE, MAX_INSTRUCTIONS = 1 << 20, 1 << 15
_PLAIN = {
    *("PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE"),
    *("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"),
    *("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("SETITEM", "SETITEMS", "APPEND", "APPENDS"),
    *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
}
_OBJECTS = {*_PLAIN, "GLOBAL", "REDUCE", "BUILD", "BINPERSID"}
_PUT = ("BINPUT", "LONG_BINPUT")


class _Storage(NamedTuple):
    """A run of numbers that follows the pickles."""

    key: str
    dtype: str
    length: int


class _View(NamedTuple):
    """A tensor: a part of a storage, offset and strides counted in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Named(dict):
    """Tensors by name. What else PyTorch hangs on it, versions of its layers, is dropped."""

    def __setstate__(self, state: object) -> None:
        pass


class _Number(NamedTuple):
    """Stands for the class of a storage."""

    dtype: str


class _Call(NamedTuple):
    """Stands for a function: unlike one, it has nothing that a pickle could change."""

    run: Callable[..., Any]

    def __call__(self, *arguments: object) -> Any:
        return self.run(*arguments)


def _view(storage: object, offset: object, shape: object, strides: object, *_: object) -> _View:
    numbers = (offset, *_integers(shape), *_integers(strides))
    whole = len(_integers(shape)) == len(_integers(strides)) and min(_integers(numbers)) >= 0
    if not isinstance(storage, _Storage) or not whole:
        raise ValueError("it holds a broken tensor.")
    return _View(storage, numbers[0], tuple(shape), tuple(strides))  # pyright: ignore[reportArgumentType]


def _integers(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple) or not all(type(one) is int for one in values):
        raise ValueError("it holds a broken tensor.")
    return values


def _named(*_: object) -> _Named:
    return _Named()


_KNOWN = {
    "collections OrderedDict": _Call(_named),
    "torch._utils _rebuild_tensor_v2": _Call(_view),
    "torch FloatStorage": _Number("<f4"),
    "torch LongStorage": _Number("<i8"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        asked = f"{module} {name}"
        if asked not in _KNOWN:
            raise ValueError(f"it asks for {module}.{name}, which no tensor needs.")
        return _KNOWN[asked]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, number, key, _, length, part = pid
        if kind != "storage" or not isinstance(number, _Number) or part is not None:
            raise ValueError("it holds a storage of an unknown kind.")
        if not isinstance(key, str) or type(length) is not int or length < 0:
            raise ValueError("it holds a broken storage.")
        return _Storage(key, number.dtype, length)


def read(file: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name, float32 or int64.

    Raises:
      ValueError: it is no such file, is damaged, or asks for anything but tensors.
      OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise ValueError(f"it has {size} bytes, more than {MAX_BYTES}.")
        try:
            return _read(stream, size)
        except ValueError:
            raise
        except (Exception, MemoryError) as error:  # A broken pickle raises what it likes.
            raise ValueError(f"it is damaged ({type(error).__name__}: {error}).") from None


def _read(stream: BinaryIO, size: int) -> dict[str, np.ndarray]:
    if _load(stream, _PLAIN) != MAGIC or _load(stream, _PLAIN) != VERSION:
        raise ValueError("it is not in PyTorch's format before version 1.6.")
    machine = _load(stream, _PLAIN)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("it was written on a machine with another order of bytes.")
    tensors, keys = _load(stream, _OBJECTS), _load(stream, _PLAIN)
    if not isinstance(tensors, _Named) or not isinstance(keys, list):
        raise ValueError("it does not hold tensors by name.")
    views = {name: view for name, view in tensors.items() if isinstance(view, _View)}
    if len(views) != len(tensors) or not all(isinstance(name, str) for name in views):
        raise ValueError("it does not hold tensors by name.")
    storages = {view.storage.key: view.storage for view in views.values()}
    if sorted(keys) != sorted(storages):
        raise ValueError("its tensors and its storages do not belong together.")
    numbers = {key: _numbers(stream, storages[key], size) for key in keys}
    if stream.read(1):
        raise ValueError("something follows its last storage.")
    return {name: _values(view, numbers[view.storage.key]) for name, view in views.items()}


def _load(stream: BinaryIO, allowed: set[str]) -> Any:
    """The next pickle; of a few instructions, none of which has an effect outside of it."""
    start = stream.tell()
    # What is looked at is bounded, whatever lengths it claims.
    head = io.BytesIO(stream.read(MAX_PICKLE))
    try:
        for number, (code, argument, _) in enumerate(pickletools.genops(head)):
            if number == MAX_INSTRUCTIONS:
                raise ValueError(f"it has more than {number} instructions")
            if code.name not in allowed:
                raise ValueError(f"{code.name} has no place there")
            if code.name in _PUT and int(argument or 0) > MAX_INSTRUCTIONS:
                raise ValueError(f"it remembers number {argument}")
    except ValueError as error:
        raise ValueError(f"it holds a pickle that is not read: {error}.") from None
    end = head.tell()
    stream.seek(start + end)
    return _Unpickler(io.BytesIO(head.getvalue()[:end])).load()


def _numbers(stream: BinaryIO, storage: _Storage, size: int) -> np.ndarray:
    length = int.from_bytes(stream.read(8), "little")
    wanted = storage.length * np.dtype(storage.dtype).itemsize
    if length != storage.length or wanted > size - stream.tell():
        raise ValueError("it ends too early: it was not copied whole.")
    return np.frombuffer(stream.read(wanted), storage.dtype)


def _values(view: _View, numbers: np.ndarray) -> np.ndarray:
    count = int(np.prod(view.shape, dtype=object))
    steps = zip(view.shape, view.strides, strict=True)
    last = view.offset + sum((many - 1) * step for many, step in steps)
    # A tensor that repeats numbers could be larger than any memory.
    if count and (last >= len(numbers) or count > len(numbers)):
        raise ValueError("it holds a tensor that is larger than its storage.")
    if not count:
        return np.empty(view.shape, numbers.dtype)
    strides = [step * numbers.itemsize for step in view.strides]
    part = np.lib.stride_tricks.as_strided(numbers[view.offset :], view.shape, strides)
    return np.ascontiguousarray(part)
