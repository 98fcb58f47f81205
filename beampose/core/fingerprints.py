"""Fingerprints of films: their content decides which film it is, not their name or place."""

import hashlib
import itertools
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from beampose.core import files

# A file up to this many bytes is read whole; of a longer one, that many in pieces that lie evenly
# from its beginning to its end. Both take milliseconds beside a pass over the packets of a film.
WHOLE = 1 << 24
_PIECES = 64
# A file of a set up to this many bytes is read whole: it costs no more than a part of it.
_SMALL = 1 << 16
# Bytes in the middle and at the end that are read of each other file, which depend on all that
# comes before. In images that are not compressed they may be the same dark rows in all.
_GLANCE = 2048
_PLAIN = (".bmp", ".dib", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm")
# So many of these are read at the same time, for the sake of memory.
_READING = threading.Semaphore(8)
# Files of a bucket that are looked at together.
_TOGETHER = 64
_DIGITS = 32


def of_file(path: str) -> str:
    """Hex digits that files share if, and only if, their size and the bytes looked at are equal.

    The same content has the same fingerprint on a disk and in a bucket.

    Raises:
      FileNotFoundError: no such file.
    """
    return _content(path, files.size(path))


def _content(path: str, size: int) -> str:
    code = hashlib.sha256(str(size).encode())
    for piece in files.read_pieces(path, _spans(size)):
        code.update(piece)
    return code.hexdigest()[:_DIGITS]


def of_set(root: str, every: Iterable[tuple[str, int]]) -> str:
    """Hex digits of a set of many small files: their names, sizes, and a few bytes of each.

    A byte that is not looked at is hardly ever the only one in which two images of one size differ.
    Images that may not be compressed are read as `of_file` does.

    Args:
      root: the folder that names count from.
      every: names and bytes, in order.

    Raises:
      FileNotFoundError: one of them is not there.
    """
    return of_set_and_each(root, every)[0]


def of_set_and_each(root: str, every: Iterable[tuple[str, int]]) -> tuple[str, list[str]]:
    """As `of_set`, and hex digits of the size and the looked at bytes of each file."""
    whole, each = hashlib.sha256(), []
    for name, size, seen in _seen(root, every):
        whole.update(f"{name}\n{size}\n".encode() + seen)
        each.append(hashlib.sha256(f"{size}\n".encode() + seen).hexdigest()[:_DIGITS])
    return whole.hexdigest()[:_DIGITS], each


def _seen(root: str, every: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int, bytes]]:
    """Name, bytes and what is looked at of each file, in order."""

    def look(one: tuple[str, int]) -> tuple[str, int, bytes]:
        name, size = one
        path = files.join(root, name) if root else name
        if size > _SMALL and files.suffix(name) in _PLAIN:
            with _READING:
                return name, size, _content(path, size).encode()
        spans = [(0, size)] if size <= _SMALL else _glances(size)
        return name, size, b"".join(files.read_pieces(path, spans))

    rest = iter(every)
    with ThreadPoolExecutor(_TOGETHER) as pool:
        while some := list(itertools.islice(rest, _TOGETHER)):
            remote = files.is_address(root or some[0][0])
            yield from pool.map(look, some) if remote else map(look, some)


def _glances(size: int) -> list[tuple[int, int]]:
    middle = size // 2
    return [(middle, middle + _GLANCE), (size - _GLANCE, size)]


def _spans(size: int) -> list[tuple[int, int]]:
    """First byte and the one after the last of each piece that is read."""
    if size <= WHOLE:
        return [(0, size)]
    length = WHOLE // _PIECES
    # From the first byte to the last: beginnings of pieces are evenly spaced.
    starts = [(size - length) * i // (_PIECES - 1) for i in range(_PIECES)]
    # Pieces of a file that is hardly longer than `WHOLE` touch each other.
    ends = [min(start + length, after) for start, after in itertools.pairwise([*starts, size])]
    return list(zip(starts, ends, strict=True))
