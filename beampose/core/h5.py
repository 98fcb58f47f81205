"""The one module that opens h5 files: only what lies in the file itself, checked before it is read.

An h5 file can name other files (links, external storage, virtual datasets), ask for filters that
are loaded as programs, and declare far more than it holds. Files come from strangers, so all of
that is refused, with a sentence.
"""

import contextlib
import io
import math
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import h5py
import numpy as np

from beampose.core import file_kinds, files, h5_heaps, machine
from beampose.core.answering import Unanswered

# What is read at once: no more than a quarter of the memory, nor than so many times the size of
# the file, but always as much as the floor. Labels with few points in them pack 30:1.
_RATIO = 64
_FLOOR = 1 << 24
_LONGEST_ATTRIBUTE = 1 << 24
_MOST_NAMES = 100_000
# Deflate, shuffle, checksum, LZF: others are loaded from the folder an environment names.
_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
_DEFLATE = 1
# HDF5 unpacks whatever a chunk holds, and deflate packs 1032:1: larger chunks are counted first.
_LARGE_CHUNK = 1 << 18


@contextlib.contextmanager
def opened(source: str | bytes | bytearray) -> "Iterator[Group]":
    """The root of an h5 file: a path, local or in a bucket, or its bytes.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not a whole h5 file; also what a damaged file makes the block raise.
    """
    if isinstance(source, str):
        with files.open_file(source) as stream, _root(stream, "r", files.name(source)) as root:
            yield root
    else:
        with _root(io.BytesIO(source), "r", "the file") as root:
            yield root


@contextlib.contextmanager
def edited(stream: io.BytesIO) -> "Iterator[Group]":
    """As `opened`, of bytes in memory whose datasets may be changed in their places."""
    with _root(stream, "r+", "the file") as root:
        yield root


@contextlib.contextmanager
def _root(stream: Any, mode: str, name: str) -> "Iterator[Group]":
    guarded: h5_heaps.Guarded | None = None
    try:
        size = stream.seek(0, 2)
        stream.seek(0)
        kind = file_kinds.name(stream.read(file_kinds.BEGINNING))
        if kind not in ("", file_kinds.H5):
            raise ValueError(f"{name} is not an h5 file but {kind}")
        stream.seek(0)
        if stream.read(1) in (b"{", b"["):
            raise ValueError(f"{name} is not an h5 file but text, such as JSON")
        guarded = h5_heaps.Guarded(stream)
        with h5py.File(guarded, mode) as file:
            most = max(_FLOOR, min(machine.memory() // 4, _RATIO * size))
            yield Group(file, _Source(guarded, most))
    except Unanswered:
        raise
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} holds text that cannot be read: {error.reason}") from None
    except ValueError:
        raise
    except (Exception, MemoryError) as error:  # Damaged bytes raise many types, such as KeyError.
        if guarded is not None and guarded.unanswered is not None:
            raise guarded.unanswered from error
        raise ValueError(f"{name} cannot be read as h5 (cut short?): {error}") from None


class _Source(NamedTuple):
    """The file of an object, and how many bytes are believed at once."""

    stream: h5_heaps.Guarded
    limit: int


class _Object:
    """An object of a file with its attributes."""

    def __init__(self, found: Any, source: _Source):
        self._found, self._source, self._limit = found, source, source.limit

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, as h5py gives it.

        Raises:
          ValueError: it is longer than 16 MB, or refers to something else.
        """
        if name not in self._found.attrs:
            return default
        about = self._found.attrs.get_id(name)
        _check_type(about.dtype, name, texts=True)
        count = math.prod(about.shape or ())
        size = count * about.dtype.itemsize
        if about.dtype.kind == "O":
            stream = self._source.stream
            size = h5_heaps.lengths_of_attribute(self._found, stream, name, count).sum()
        if size > _LONGEST_ATTRIBUTE:
            raise ValueError(f"the attribute {name} is longer than {_LONGEST_ATTRIBUTE:,} bytes")
        value = self._found.attrs[name]
        return default if isinstance(value, h5py.Empty) else value


class Group(_Object):
    """A group; what it holds is reached by hard links alone."""

    def __init__(self, found: h5py.Group, source: _Source):
        super().__init__(found, source)
        self._known: dict[str, Dataset] = {}

    def names(self) -> list[str]:
        """Names of what a group holds.

        Raises:
          ValueError: there are links, or very many.
        """
        if len(self._found) > _MOST_NAMES:
            raise ValueError(f"holds {len(self._found):,} objects, above {_MOST_NAMES:,}")
        names = list(self._found)
        for name in names:
            _check_link(self._found, name)
        return names

    def group(self, path: str) -> "Group | None":
        """A group by its path, or None if there is no such thing.

        Raises:
          ValueError: it is reached by a link: links could name any file here.
        """
        found = self._followed(path)
        return Group(found, self._source) if isinstance(found, h5py.Group) else None

    def dataset(self, path: str) -> "Dataset | None":
        """A dataset by its path, or None if there is no such thing.

        Raises:
          ValueError: it lies in another file, or is packed in a way that is not read.
        """
        if path not in self._known:
            found = self._followed(path)
            if not isinstance(found, h5py.Dataset):
                return None
            self._known[path] = Dataset(found, path, self._source)
        return self._known[path]

    def check(self) -> None:
        """Looks at everything below, for readers of other libraries, which do not ask.

        Raises:
          ValueError: some of it lies elsewhere, is packed in a way that is not read, or claims more
            than the file can hold.
        """
        ahead: list[tuple[str, h5py.Group]] = [("", self._found)]
        seen = 0
        while ahead:
            path, group = ahead.pop()
            names = Group(group, self._source).names()
            seen += len(names)
            if seen > _MOST_NAMES:
                raise ValueError(f"holds more than {_MOST_NAMES:,} objects")
            for name in names:
                found = group[name]
                if isinstance(found, h5py.Group):
                    ahead.append((f"{path}/{name}", found))
                elif isinstance(found, h5py.Dataset):
                    Dataset(found, f"{path}/{name}", self._source).check_claim()

    def values(self, path: str) -> np.ndarray:
        """All values of a dataset.

        Raises:
          ValueError: there is none, or it claims more than the file can hold.
        """
        found = self.dataset(path)
        if found is None:
            raise ValueError(f"holds no dataset {path!r}")
        return found.values()

    def _followed(self, path: str) -> Any:
        found: Any = self._found
        for part in path.strip("/").split("/"):
            if not isinstance(found, h5py.Group) or part in ("", ".") or part not in found:
                return None
            _check_link(found, part)
            found = found[part]
        return found


class Dataset(_Object):
    """A dataset whose numbers lie in the file.

    Attributes:
      shape, dtype: as of an array.
    """

    def __init__(self, found: h5py.Dataset, name: str, source: _Source):
        super().__init__(found, source)
        self._name = name
        if found.external or found.is_virtual:
            raise ValueError(f"{name} lies in another file, which is not read")
        if found.shape is None:
            raise ValueError(f"{name} holds no values")
        self.shape: tuple[int, ...] = found.shape
        self.dtype: np.dtype = found.dtype
        _check_type(self.dtype, name, texts=True)
        _check_packing(found, name, source.limit)

    def values(self) -> np.ndarray:
        """All values. Raises ValueError if they claim more than the file can hold."""
        self._check_claim(self.shape)
        if self.dtype.kind != "O":
            return np.asarray(self._found[()])
        self._check_lengths(slice(0, self.shape[0] if self.shape else 1))
        # Texts are stored once and may be pointed at any number of times.
        flat, taken = [], 0
        for place in np.ndindex(self.shape):
            flat.append(self._found[place])
            taken += len(flat[-1])
            if taken > self._limit:
                raise ValueError(f"{self._name} claims more than {self._limit:,} bytes of text")
        values = np.empty(len(flat), object)
        values[:] = flat
        return values.reshape(self.shape)

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows `start` to `stop` (not included)."""
        self._check_claim((max(min(stop, self.shape[0]) - start, 0), *self.shape[1:]))
        self._check_lengths(slice(start, min(stop, self.shape[0])), together=True)
        return np.asarray(self._found[start:stop])

    def row(self, number: int) -> Any:
        """One row of it, as an array or a number; of rows of any length an array, too."""
        self._check_claim(self.shape[1:])
        self._check_lengths(slice(number, number + 1))
        return self._found[number]

    def check_claim(self) -> None:
        """Raises ValueError if all values claim more than the file can hold."""
        self._check_claim(self.shape)

    def put(self, values: np.ndarray, field: str | None = None) -> None:
        """Changes its values, or those of one of its fields, in their places."""
        self._found[... if field is None else field] = values

    def _check_lengths(self, rows: slice, together: bool = False) -> None:
        """Raises ValueError if a row of any length, or all of them, claim too many bytes."""
        if self.dtype.kind == "O":
            lengths = h5_heaps.lengths(self._found, self._source.stream, rows)
            claimed = int(lengths.sum() if together else lengths.max(initial=0))
            if claimed > self._limit:
                what = "rows" if together else "a row"
                raise ValueError(
                    f"{self._name} claims {what} of {claimed:,} bytes, above {self._limit:,}"
                )

    def _check_claim(self, shape: tuple[int, ...]) -> None:
        claimed = math.prod(shape) * self.dtype.itemsize
        if claimed > self._limit:
            raise ValueError(
                f"{self._name} claims {claimed:,} bytes, above {self._limit:,}, the most that is "
                "believed of a file of this size"
            )


def _check_link(group: h5py.Group, name: str) -> None:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link, which is not followed")


def _check_type(kind: np.dtype, name: str, *, texts: bool) -> None:
    """Refuses all but numbers and words, of one length each or, if `texts`, of any."""
    of_any_length = h5py.check_string_dtype(kind) or h5py.check_vlen_dtype(kind) in _BYTES
    if kind.names:
        for field in kind.names:
            _check_type(kind[field], f"{name}.{field}", texts=False)
    elif kind.subdtype:
        _check_type(kind.subdtype[0], name, texts=False)
    elif kind.kind not in "biufcSV" and not (texts and kind.kind == "O" and of_any_length):
        raise ValueError(f"{name} holds neither numbers nor words, but {kind}, which is not read")


_BYTES = (np.dtype(np.int8), np.dtype(np.uint8))


def _check_packing(found: h5py.Dataset, name: str, limit: int) -> None:
    """Refuses unknown filters, and chunks that hold more than they say."""
    made = found.id.get_create_plist()
    filters = [made.get_filter(i)[0] for i in range(made.get_nfilters())]
    for code in filters:
        if code not in _FILTERS:
            known = ", ".join(_FILTERS.values())
            raise ValueError(
                f"{name} is packed by filter {code}, which is not read ({known} are): save it "
                "again without packing"
            )
    if not filters:
        return
    size = math.prod(found.chunks or ()) * found.dtype.itemsize
    if size > limit:
        raise ValueError(f"{name} is packed in pieces of {size:,} bytes, above {limit:,}")
    large: list[tuple[int, ...]] = []

    def remember(chunk: Any) -> None:
        if chunk.size > _LARGE_CHUNK:
            large.append(chunk.chunk_offset)

    found.id.chunk_iter(remember)
    for offset in large if _DEFLATE in filters else ():
        mask, data = found.id.read_direct_chunk(offset)
        if not mask and len(zlib.decompressobj().decompress(data, size + 1024)) > size + 512:
            raise ValueError(f"{name} holds more than it says")
