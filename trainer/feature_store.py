"""Reads stored records by key: one index per shard, one seek per record.

Of each record 48 bytes are held in memory: the digest that its key is, and its place.
"""

import array
import contextlib
import fnmatch
import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from beampose.core import json_files, storage, tfrecords
from beampose.trainer import schema

SHARDS = "shards"
SUFFIX = ".tfrecord"
# Beside a shard in which a reader found damage; the feature job looks at it first.
DAMAGED = ".damaged"
_REPAIR = "Run `beampose features` again: it embeds again what is lost"

Record = TypeVar("Record")


# Of the numbers by which an index says where records are.
_MOST = 1 << 62
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"(?:.*-)?(\d{5,})-of-(\d{5,})-")


class Place(NamedTuple):
    """Location of a record's bytes."""

    shard: str
    offset: int
    size: int


class Part(NamedTuple):
    """The keys whose shard is one of some number, of a power of two; and their shards.

    Stores have shards of other powers of two, of when there were fewer or more images: their
    numbers agree where both are taken by the smaller power.
    """

    number: int
    of: int

    def holds(self, file: str) -> bool:
        """Whether a shard may hold such keys; also one whose name does not tell."""
        match = _SHARD.match(file)
        if match is None:
            return True
        least = min(int(match[2]), self.of)
        return int(match[1]) % least == self.number % least


class Records(Generic[Record]):
    """The keys of the records of some shards and their places.

    Every shard has a JSON file beside it that lists its records; it is written after the shard, so
    a shard without one does not count. Nor do the records of one that is missing.

    Attributes:
      missing: shards that are not there, or whose list of records cannot be read.

    Args:
      folder: of the shards.
      pattern: of the JSON files beside them.
      parse: bytes of a record to its key and value; raises ValueError if they are no such record.
      part: of the keys; the others are not looked for.
      there: names of what the folder holds, where that is known already.
    """

    def __init__(
        self,
        folder: str,
        pattern: str,
        parse: Callable[[bytes], tuple[str, Record]],
        part: Part | None = None,
        there: Collection[str] | None = None,
    ):
        self.folder = folder
        self._parse = parse
        self._copies: Path | None = None
        self.missing: list[str] = []
        there = storage.names(folder) if there is None else there
        wanted = [
            name
            for name in sorted(there)
            if fnmatch.fnmatchcase(name, pattern)
            and not name.startswith(".")
            and (part is None or part.holds(name))
        ]
        self._shards: list[str] = []
        self._odd: dict[bytes, str] = {}
        self._fill(there, wanted)

    def _fill(self, there: Collection[str], wanted: list[str]) -> None:
        """Reads the indices of shards; of a key that stands in several, the first counts."""
        digests, places = bytearray(), array.array("q")
        for name, data in zip(wanted, storage.read_all(self.folder, wanted), strict=True):
            shard = f"{name.removesuffix('.json')}{SUFFIX}"
            try:
                if shard not in there or data is None:
                    raise ValueError
                records = json_files.parse(data, name)["records"]
                found = self._digests_of([key for key, _, _ in records])
                rows = [(len(self._shards), int(at), int(size)) for _, at, size in records]
                if any(not 0 <= number < _MOST for row in rows for number in row):
                    raise ValueError
            except (KeyError, TypeError, ValueError, OverflowError):
                self.missing.append(str(storage.place(self.folder, shard)))
                continue
            self._shards.append(shard)
            digests += found
            places.extend(itertools.chain.from_iterable(rows))
        every = np.frombuffer(digests, "S32")
        self._digests, first = np.unique(every, return_index=True)
        self._places = np.frombuffer(places, np.int64).reshape(-1, 3)[first]

    def _digest(self, key: str) -> bytes:
        """Bytes of a key: itself, which is a sha256; of any other text its own."""
        if _DIGEST.fullmatch(key):
            return bytes.fromhex(key)
        found = hashlib.sha256(key.encode()).digest()
        self._odd[found] = key
        return found

    def _digests_of(self, keys: list[str]) -> bytes:
        joined = "".join(keys)
        if {len(key) for key in keys} <= {64} and joined == joined.lower():
            with contextlib.suppress(ValueError):
                found = bytes.fromhex(joined)
                if len(found) == 32 * len(keys):
                    return found
        return b"".join(map(self._digest, keys))

    def _row(self, key: str) -> int | None:
        """Row of a key in the arrays; None if it is not there."""
        wanted = np.frombuffer(self._digest(key), "S32")
        row = int(np.searchsorted(self._digests, wanted)[0])
        there = row < len(self._digests) and self._digests[row] == wanted[0]
        return row if there else None

    def __contains__(self, key: str) -> bool:
        return self._row(key) is not None

    def __len__(self) -> int:
        return len(self._digests)

    def keys(self) -> Iterator[str]:
        """All keys."""
        for digest in self._digests:
            full = bytes(digest).ljust(32, b"\0")
            yield self._odd.get(full) or full.hex()

    def bytes_of(self, keys: Iterable[str]) -> int:
        """Total size of some records."""
        return sum(self._place(key).size for key in keys)

    def _place(self, key: str) -> Place:
        row = self._row(key)
        if row is None:
            raise KeyError(f"{self.folder} has no record for key {key}.")
        shard, offset, size = map(int, self._places[row])
        return Place(str(storage.place(self.folder, self._shards[shard])), offset, size)

    def read(self, key: str) -> Record:
        """The record of a key.

        Raises:
          KeyError: there is no such key.
          ValueError: the shard is damaged; the text names it.
        """
        shard, offset, size = self._place(key)
        try:
            with self._local(shard).open("rb") as file:
                found, record = self._parse(tfrecords.record_at(file, offset, size))
            if found != key:
                raise ValueError("another record stands there")
        except FileNotFoundError:
            raise ValueError(f"{shard} is missing. {_REPAIR}.") from None
        except ValueError as error:
            with contextlib.suppress(OSError):
                storage.write_text(storage.place(shard).with_suffix(DAMAGED), str(error))
            raise ValueError(f"{shard} is damaged at byte {offset}: {error}. {_REPAIR}.") from error
        return record

    def _local(self, shard: str) -> Path:
        """The shard on this machine; one of a bucket is copied when its first record is read."""
        if storage.is_local(shard):
            return Path(shard)
        if self._copies is None:
            self._copies = storage.scratch(self)
        source = storage.place(shard)
        copy = self._copies / source.name
        if not copy.is_file():
            with storage.replacing(copy) as temporary:
                temporary.write_bytes(source.read_bytes())
        return copy


class Index(Records[np.ndarray]):
    """The features of a store by key, bfloat16.

    Args:
      folder: the store.
      part, there: see `Records`.
    """

    def __init__(self, folder: str, part: Part | None = None, there: Collection[str] | None = None):
        shards = str(storage.place(folder, SHARDS))
        super().__init__(shards, "*.json", schema.parse_features, part, there)
