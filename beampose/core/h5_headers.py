"""The messages in the header of an object of an h5 file, as bytes: what HDF5 would follow unseen.

https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html (IV.A, Data Object Headers)
"""

from collections.abc import Iterator
from typing import Any

_LAYOUT, _ATTRIBUTE, _CONTINUED = 0x08, 0x0C, 0x10
# A message that is kept elsewhere and shared.
_SHARED = 2
_COMPACT = 0
_MOST_PIECES = 1000


def attribute(read: Any, start: int, width: int, name: str) -> bytes | None:
    """The values of an attribute as they lie in the file; None if they do not lie in the header.

    Args:
      read: gives the bytes at a place: `read(place, size)`, where 0 is the beginning of the h5.
      start: place of the object.
      width: bytes of an address.
    """
    wanted = name.encode()
    for kind, data in _messages(read, start, width):
        if kind == _ATTRIBUTE:
            sizes = [_number(data, place, 2) for place in (2, 4, 6)]
            version, place = data[0], 9 if data[0] == 3 else 8
            if data[place : place + sizes[0]].split(b"\0")[0] == wanted:
                padded = [-(-size // 8) * 8 if version == 1 else size for size in sizes]
                return data[place + sum(padded) :]
    return None


def compact(read: Any, start: int, width: int) -> bytes | None:
    """The values of a dataset that lie in its header, or None. Arguments: as of `attribute`."""
    for kind, data in _messages(read, start, width):
        if kind == _LAYOUT and data[0] in (3, 4) and data[1] == _COMPACT:
            return data[4 : 4 + _number(data, 2, 2)]
        if kind == _LAYOUT and data[0] in (1, 2) and data[2] == _COMPACT:
            place = 8 + 4 * data[1]
            return data[place + 4 : place + 4 + _number(data, place, 4)]
    return None


def _messages(read: Any, start: int, width: int) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of each message that the header holds itself."""
    head = read(start, 16)
    ordered = 0
    if new := head.startswith(b"OHDR"):
        flags = head[5]
        place = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        size = 1 << (flags & 3)
        ordered = 2 if flags & 4 else 0
        pieces = [(start + place + size, _number(read(start + place, size), 0, size))]
    else:
        pieces = [(start + 16, _number(head, 8, 4))]
    for place, size in pieces:  # Grows below.
        piece = read(place, size)
        for kind, data in _of_piece(piece, new, ordered):
            yield kind, data
            if kind == _CONTINUED and len(pieces) < _MOST_PIECES:
                next_place, length = _number(data, 0, width), _number(data, width, width)
                # A new one begins with its signature and ends with a checksum.
                pieces.append((next_place + 4, length - 8) if new else (next_place, length))


def _of_piece(piece: bytes, new: bool, ordered: int) -> Iterator[tuple[int, bytes]]:
    place, header = 0, 4 + ordered if new else 8
    while place + header <= len(piece):
        kind = piece[place] if new else _number(piece, place, 2)
        size = _number(piece, place + (1 if new else 2), 2)
        flags = piece[place + (3 if new else 4)]
        data = piece[place + header : place + header + size]
        # Each has at least so many bytes of its own.
        if len(data) >= 8 and not flags & _SHARED:
            yield kind, data
        place += header + size


def _number(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "little")
