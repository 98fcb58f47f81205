"""Hides damaged heaps of an h5 file, in which texts and rows of any length lie, from HDF5.

HDF5 1.14 follows the lengths in such a heap without a look at them: over some it never comes to an
end. It reads by a stream of ours that blanks the signature of a damaged heap, and so refuses it.
https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html (III.E, Global Heap)
"""

import zlib
from typing import Any

import h5py
import numpy as np

_FILE = b"\x89HDF\r\n\x1a\n"
# Its signature, its only version, three zeros.
_HEAP = b"GCOL\x01\0\0\0"
_MARGIN = len(_HEAP) - 1
# Header of a heap, and of each object in it.
_HEADER = 16
# What stands for a row of any length: its length, and the place in a heap.
_ROW = np.dtype([("length", "<u4"), ("heap", "<u8"), ("number", "<u4")])
_DEFLATE, _SHUFFLE = 1, 2


class Guarded:
    """A binary stream as h5py reads and writes one, without damaged heaps."""

    def __init__(self, stream: Any):
        self._stream = stream
        self._size = stream.seek(0, 2)
        self._width = self._bytes_of_a_length()
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

    def write(self, data: Any) -> int:
        """As of a stream; heaps are looked at again."""
        self._known.clear()
        done = self._stream.write(data)
        self._size = max(self._size, self._stream.tell())
        return done

    def _at(self, place: int, size: int) -> bytes:
        self._stream.seek(place)
        return self._stream.read(size)

    def _bytes_of_a_length(self) -> int:
        """As the file itself says; 8 in nearly all."""
        place = 0
        while place < self._size:
            head = self._at(place, 16)
            if head.startswith(_FILE) and len(head) == 16:
                return head[14 if head[8] < 2 else 10]
            place = max(2 * place, 512)
        return 8

    def _is_whole(self, start: int) -> bool:
        if start not in self._known:
            self._known[start] = self._walk(start)
        return self._known[start]

    def _walk(self, start: int) -> bool:
        """Follows the objects of a heap, of which each must end inside of it."""
        end = start + self._length(self._at(start, _HEADER))
        place = start + _HEADER
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


def longest(found: h5py.Dataset, stream: Any, rows: slice) -> int:
    """The length that the longest of some rows claims, in items: HDF5 takes memory for it unseen.

    Args:
      found: a dataset of texts or rows of any length.
      stream: its file, or a `Guarded` one.

    Raises:
      ValueError: they lie where they cannot be looked at.
    """
    if not found.size:
        return 0
    layout = found.id.get_create_plist().get_layout()
    if layout == h5py.h5d.CONTIGUOUS:
        pieces = [_contiguous(found, stream, rows)]
    elif layout == h5py.h5d.CHUNKED:
        pieces = _chunks(found, rows)
    else:
        raise ValueError(f"{found.name} holds rows of any length in its header, which is not read")
    return max((int(_rows(piece)["length"].max(initial=0)) for piece in pieces), default=0)


def _rows(data: bytes) -> np.ndarray:
    return np.frombuffer(data, _ROW, count=len(data) // _ROW.itemsize)


def _contiguous(found: h5py.Dataset, stream: Any, rows: slice) -> bytes:
    start = found.id.get_offset()
    if start is None:  # Nothing was written yet.
        return b""
    width = (found.size or 0) // (found.shape or (1,))[0] * _ROW.itemsize
    stream.seek(start + rows.start * width)
    return stream.read((rows.stop - rows.start) * width)


def _chunks(found: h5py.Dataset, rows: slice) -> list[bytes]:
    made = found.id.get_create_plist()
    filters = [made.get_filter(i)[0] for i in range(made.get_nfilters())]
    if {*filters} - {_DEFLATE, _SHUFFLE}:
        raise ValueError(f"{found.name} packs rows of any length in a way that is not read")
    shape = found.chunks or (1,)
    high, size = shape[0], int(np.prod(shape)) * _ROW.itemsize
    places: list[tuple[int, ...]] = []

    def wanted(chunk: Any) -> None:
        if rows.start - high < chunk.chunk_offset[0] < rows.stop:
            places.append(chunk.chunk_offset)

    found.id.chunk_iter(wanted)
    unpacked = []
    for place in places:
        skipped, data = found.id.read_direct_chunk(place)
        for i, code in reversed(list(enumerate(filters))):
            data = data if skipped & 1 << i else _undone(code, data, size)
        unpacked.append(data)
    return unpacked


def _undone(code: int, data: bytes, size: int) -> bytes:
    if code == _SHUFFLE:
        return np.frombuffer(data, np.uint8).reshape(_ROW.itemsize, -1).T.tobytes()
    return zlib.decompressobj().decompress(data, size)
