"""Hides damaged heaps of an h5 file, in which texts and rows of any length lie, from HDF5.

HDF5 1.14 follows the lengths in such a heap without a look at them: over some it never comes to an
end. It reads by a stream of ours that blanks the signature of a damaged heap, and so refuses it.
https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html (III.E, Global Heap)
"""

import math
import zlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from h5py import h5o  # pyright: ignore[reportAttributeAccessIssue]

from beampose.core import h5_headers
from beampose.core.answering import Unanswered

_FILE = b"\x89HDF\r\n\x1a\n"
# Its signature and its only version. Three zeros follow, which HDF5 does not look at.
_HEAP, _ZEROS = b"GCOL\x01", bytes(3)
_MARGIN = len(_HEAP) - 1
# Bytes of the smallest heap that HDF5 takes.
_LEAST = 4096
# Header of a heap, and of each object in it.
_HEADER = 16
_DEFLATE, _SHUFFLE = 1, 2


class Guarded:
    """A binary stream as h5py reads and writes one, without damaged heaps.

    Attributes:
      unanswered: the error of a bucket that did not give some of it; HDF5 raises another in its
        place.
    """

    def __init__(self, stream: Any):
        self.unanswered: Unanswered | None = None
        self._stream = stream
        self._size = stream.seek(0, 2)
        self._start, self._address, self._width = self._first_words()
        # What stands for a row of any length: its length, the place of a heap, and a number there.
        self.row = np.dtype([("length", "<u4"), ("place", f"V{self._address + 4}")])
        self._known: dict[int, bool] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, size: int = -1) -> bytes:
        """As of a stream."""
        start = self._stream.tell()
        buffer = bytearray(max(self._size - start, 0) if size < 0 else size)
        return bytes(buffer[: self.readinto(buffer)])

    def readinto(self, buffer: Any) -> int:
        """As of a stream."""
        start = self._stream.tell()
        # A signature may lie across the ends of what is asked for.
        before = min(start, _MARGIN)
        wide = bytearray(self._at(start - before, before + len(buffer) + _MARGIN))
        place = wide.find(_HEAP)
        while place >= 0:
            if not self._is_whole(start - before + place):
                wide[place : place + 4] = bytes(4)
            place = wide.find(_HEAP, place + 1)
        found = wide[before : before + len(buffer)]
        buffer[: len(found)] = found
        self._stream.seek(start + len(found))
        return len(found)

    def of_header(
        self, found: Any, which: Callable[..., bytes | None], *words: str
    ) -> bytes | None:
        """What `h5_headers` finds in the header of an object."""

        def read(place: int, size: int) -> bytes:
            return self._at(self._start + place, size)

        place = h5o.get_info(found.id).addr
        return which(read, place, self._address, *words)

    def write(self, data: Any) -> int:
        """As of a stream; heaps are looked at again."""
        self._known.clear()
        done = self._stream.write(data)
        self._size = max(self._size, self._stream.tell())
        return done

    def _at(self, place: int, size: int) -> bytes:
        self._stream.seek(min(place, self._size))
        try:
            return self._stream.read(max(min(size, self._size - place), 0))
        except Unanswered as error:
            self.unanswered = error
            raise

    def _first_words(self) -> tuple[int, int, int]:
        """Where the h5 begins, and the bytes of an address and of a length, 8 in nearly all."""
        place = 0
        while place < self._size:
            head = self._at(place, 16)
            if head.startswith(_FILE) and len(head) == 16:
                first = 13 if head[8] < 2 else 9
                return place, head[first], head[first + 1]
            place = max(2 * place, 512)
        return 0, 8, 8

    def _is_whole(self, start: int) -> bool:
        if start not in self._known:
            self._known[start] = self._walk(start)
        return self._known[start]

    def _walk(self, start: int) -> bool:
        """Follows the objects of a heap, of which each must end inside of it."""
        head = self._at(start, _HEADER)
        end, place = start + self._length(head), start + _HEADER
        if head[len(_HEAP) : 8] != _ZEROS and not start + _LEAST <= end <= self._size:
            # Pixels that begin like a heap by chance; HDF5 would refuse it by its length.
            return True
        if not place <= end <= self._size:
            return False
        while end - place >= _HEADER:
            head = self._at(place, _HEADER)
            size = self._length(head)
            # Number 0 is the space that is free, its header included; others are filled up to 8.
            taken = size if head[:2] == b"\0\0" else _HEADER + -(-size // 8) * 8
            place += taken
            if taken < _HEADER or place > end:
                return False
        return True

    def _length(self, header: bytes) -> int:
        return int.from_bytes(header[8 : 8 + self._width], "little")


def lengths(found: h5py.Dataset, stream: Guarded, rows: slice) -> np.ndarray:
    """The lengths that some rows claim, in items: HDF5 takes memory for them unseen.

    Args:
      found: a dataset of texts or rows of any length.
      stream: its file.

    Raises:
      ValueError: they lie where they cannot be looked at.
    """
    if not found.size:
        return np.zeros(0, np.uint32)
    layout = found.id.get_create_plist().get_layout()
    if layout == h5py.h5d.CHUNKED:
        pieces = _chunks(found, stream.row.itemsize, rows)
    else:
        contiguous = layout == h5py.h5d.CONTIGUOUS
        pieces = [(_contiguous if contiguous else _compact)(found, stream, rows)]
    return np.concatenate([_rows(piece, stream)["length"] for piece in [*pieces, b""]])


def lengths_of_attribute(found: Any, stream: Guarded, name: str, count: int) -> np.ndarray:
    """As `lengths`, of an attribute of so many texts."""
    data = stream.of_header(found, h5_headers.attribute, name)
    if data is None:
        raise ValueError(f"the attribute {name} does not lie with its object, and is not read")
    return _rows(data[: count * stream.row.itemsize], stream)["length"]


def _rows(data: bytes, stream: Guarded) -> np.ndarray:
    return np.frombuffer(data, stream.row, count=len(data) // stream.row.itemsize)


def _contiguous(found: h5py.Dataset, stream: Guarded, rows: slice) -> bytes:
    start = found.id.get_offset()
    if start is None:  # Nothing was written yet.
        return b""
    width = _width(found, stream)
    stream.seek(start + rows.start * width)
    return stream.read((rows.stop - rows.start) * width)


def _compact(found: h5py.Dataset, stream: Guarded, rows: slice) -> bytes:
    data = stream.of_header(found, h5_headers.compact)
    if data is None:
        raise ValueError(f"{found.name} holds rows of any length where they are not read")
    width = _width(found, stream)
    return data[rows.start * width : rows.stop * width]


def _width(found: h5py.Dataset, stream: Guarded) -> int:
    """Bytes of what stands for a row of the first axis."""
    return math.prod((found.shape or (1,))[1:]) * stream.row.itemsize


def _chunks(found: h5py.Dataset, width: int, rows: slice) -> list[bytes]:
    made = found.id.get_create_plist()
    filters = [made.get_filter(i)[0] for i in range(made.get_nfilters())]
    if {*filters} - {_DEFLATE, _SHUFFLE}:
        raise ValueError(f"{found.name} packs rows of any length in a way that is not read")
    shape = found.chunks or (1,)
    high, size = shape[0], math.prod(shape) * width
    places: list[tuple[int, ...]] = []

    def wanted(chunk: Any) -> None:
        if rows.start - high < chunk.chunk_offset[0] < rows.stop:
            places.append(chunk.chunk_offset)

    found.id.chunk_iter(wanted)
    unpacked = []
    for place in places:
        skipped, data = found.id.read_direct_chunk(place)
        for i, code in reversed(list(enumerate(filters))):
            data = data if skipped & 1 << i else _undone(code, data, width, size)
        unpacked.append(data)
    return unpacked


def _undone(code: int, data: bytes, width: int, size: int) -> bytes:
    if code == _SHUFFLE:
        return np.frombuffer(data, np.uint8).reshape(width, -1).T.tobytes()
    return zlib.decompressobj().decompress(data, size)
