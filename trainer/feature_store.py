"""Reads stored records by key: one index per shard, one seek per record, nothing held in memory."""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from beampose.core import storage, tfrecords
from beampose.trainer import schema

SHARDS = "shards"
SUFFIX = ".tfrecord"
# Beside a shard in which a reader found damage; the feature job looks at it first.
DAMAGED = ".damaged"
_REPAIR = "Run `beampose features` again: it embeds again what is lost"

Record = TypeVar("Record")


class Place(NamedTuple):
    """Location of a record's bytes."""

    shard: str
    offset: int
    size: int


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
    """

    def __init__(self, folder: str, pattern: str, parse: Callable[[bytes], tuple[str, Record]]):
        self.folder = folder
        self._parse = parse
        self._places: dict[str, Place] = {}
        self._copies: Path | None = None
        self.missing: list[str] = []
        there = {file.name for file in storage.whole(folder, f"*{SUFFIX}")}
        for file in storage.whole(folder, pattern):
            shard = file.with_suffix(SUFFIX)
            try:
                if shard.name not in there:
                    raise ValueError
                for key, offset, size in storage.read_json(file)["records"]:
                    self._places.setdefault(key, Place(str(shard), offset, size))
            except (KeyError, TypeError, ValueError):
                self.missing.append(str(shard))

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def keys(self) -> Iterable[str]:
        """All keys."""
        return self._places.keys()

    def bytes_of(self, keys: Iterable[str]) -> int:
        """Total size of some records."""
        return sum(self._places[key].size for key in keys)

    def read(self, key: str) -> Record:
        """The record of a key.

        Raises:
          KeyError: there is no such key.
          ValueError: the shard is damaged; the text names it.
        """
        if key not in self._places:
            raise KeyError(f"{self.folder} has no record for key {key}.")
        shard, offset, size = self._places[key]
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
                storage.download(source, temporary)
        return copy


class Index(Records[np.ndarray]):
    """The features of a store by key, bfloat16.

    Args:
      folder: the store.
    """

    def __init__(self, folder: str):
        shards = str(storage.place(folder, SHARDS))
        super().__init__(shards, "*.json", schema.parse_features)
