"""TIFF files by their tags: a page, wherever it lies in a file, as a file of its own.

TIFF 6.0, and BigTIFF for more than 4 GB.
"""

import io
import struct
from typing import IO, NamedTuple

import numpy as np

from beampose.preprocess import pixel_limit

# Numbers of tags.
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION = 254, 256, 257, 258, 259
DESCRIPTION, SAMPLES = 270, 277
# Where the pieces of a page lie, and their bytes: strips, or tiles.
PIECES = {273: 279, 324: 325}
# What decoding asks for: bits, photometric, fill order, samples, rows of a strip, planes, fax,
# predictor, colours, tiles, extra samples and their kinds, tables of JPEG, YCbCr, black and white.
_KEPT = frozenset(
    (*(254, 256, 257, 258, 259, 262, 266, 277, 278, 284, 292, 293, 317, 320, 322, 323, 338, 339),)
    + (347, 529, 530, 531, 532)
)
# Bytes of a value by its type, and types of whole numbers, BigTIFF's among them.
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTES |= {16: 8, 17: 8, 18: 8}
_WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
# A page is not larger than its pixels at 32 bytes each, and some more.
_PIXEL, _MORE = 32, 1 << 20
_MOST_TAGS = 4096


class Page(NamedTuple):
    """Place of a page: of its list of tags, and bytes that its pixels lie behind those listed.

    ImageJ writes more than 4 GB as one page that all others follow without lists of their own.
    """

    offset: int
    behind: int = 0


class Tag(NamedTuple):
    """Type, number and bytes of the values of a tag."""

    kind: int
    count: int
    data: bytes


class TiffFile:
    """An open TIFF, read by the order of its bytes."""

    def __init__(self, stream: IO[bytes]):
        self._stream = stream
        self.size = stream.seek(0, io.SEEK_END)
        head = self.read(0, 16, short=True)
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        if not self.order or len(head) < 8:
            raise ValueError("is not a TIFF")
        version = self.number(head[2:4])
        if version not in (42, 43) or (version == 43 and len(head) < 16):
            raise ValueError("is not a TIFF")
        self.big = version == 43
        self.first = self.number(head[8:16] if self.big else head[4:8])

    def read(self, offset: int, count: int, *, short: bool = False) -> bytes:
        self._stream.seek(min(offset, self.size))
        found = self._stream.read(count)
        if len(found) < count and not short:
            raise ValueError("is cut short")
        return found

    def number(self, data: bytes) -> int:
        return int.from_bytes(data, "little" if self.order == "<" else "big")

    def raw(self, offset: int) -> tuple[bytes, int, int]:
        """Entries of a list of tags, where they begin, and the offset of the next list."""
        head, entry, link = (8, 20, 8) if self.big else (2, 12, 4)
        count = self.number(self.read(offset, head))
        if not 0 < count <= _MOST_TAGS:
            raise ValueError(f"has a page of {count} tags")
        data = self.read(offset + head, count * entry + link)
        return data[:-link], offset + head, self.number(data[-link:])

    def tags(self, offset: int, wanted: frozenset[int]) -> dict[int, Tag]:
        """The wanted tags of a page with their values."""
        data, _, _ = self.raw(offset)
        form = f"{self.order}HHQ8s" if self.big else f"{self.order}HHI4s"
        found = {}
        for number, kind, count, value in struct.iter_unpack(form, data):
            size = _BYTES.get(kind, 0) * count
            if number not in wanted or not size:
                continue
            if size > self.size:
                raise ValueError("has a tag that is longer than the file")
            inline = size <= len(value)
            found[number] = Tag(
                kind, count, value[:size] if inline else self.read(self.number(value), size)
            )
        return found

    def whole(self, tag: Tag | None) -> list[int]:
        """Values of a tag of whole numbers."""
        if tag is None or tag.kind not in _WHOLE:
            return []
        return list(struct.unpack(f"{self.order}{tag.count}{_WHOLE[tag.kind]}", tag.data))

    def one(self, tags: dict[int, Tag], number: int, default: int = 0) -> int:
        return (self.whole(tags.get(number)) or [default])[0]


def alone(file: TiffFile, place: Page) -> bytes:
    """A page as a TIFF of its own, of the same order of bytes."""
    tags = file.tags(place.offset, _KEPT | {*PIECES, *PIECES.values()})
    height, width = file.one(tags, HEIGHT), file.one(tags, WIDTH)
    pixel_limit.check(width, height)
    pieces: list[bytes] = []
    for starts, counts in PIECES.items():
        found = list(
            zip(
                file.whole(tags.pop(starts, None)), file.whole(tags.pop(counts, None)), strict=False
            )
        )
        if not found:
            continue
        if sum(size for _, size in found) > width * height * _PIXEL + _MORE:
            raise ValueError("has more bytes than its pixels need")
        pieces = [file.read(start + place.behind, size) for start, size in found]
        sizes = struct.pack(f"{file.order}{len(pieces)}I", *map(len, pieces))
        tags[counts] = tags[starts] = Tag(4, len(pieces), sizes)
    return _written(file.order, tags, pieces)


def _written(order: str, tags: dict[int, Tag], pieces: list[bytes]) -> bytes:
    """A TIFF of one page; the places of its pieces are known only here."""
    head = 8 + 2 + 12 * len(tags) + 4
    values, entries, body = bytearray(), [], head + sum(len(tag.data) + 8 for tag in tags.values())
    starts = np.cumsum([body, *map(len, pieces)])[:-1]
    places = struct.pack(f"{order}{len(pieces)}I", *starts.tolist())
    for number, (kind, count, data) in sorted(tags.items()):
        data = places if number in PIECES else data
        if len(data) > 4:
            value = struct.pack(f"{order}I", head + len(values))
            values += data + bytes(len(data) % 2)
        else:
            value = data.ljust(4, b"\0")
        entries.append(struct.pack(f"{order}HHI", number, kind, count) + value)
    first = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    listed = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)
    return (first + listed + values).ljust(body, b"\0") + b"".join(pieces)
