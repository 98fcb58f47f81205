"""Reads stored records by key: one index per shard, one seek per record, nothing held in memory."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from beampose.core import storage, tfrecords
from beampose.trainer import schema

SHARDS = "shards"
SUFFIX = ".tfrecord"

Record = TypeVar("Record")


class Place(NamedTuple):
    """Location of a record's bytes."""

    shard: str
    offset: int
    size: int


class Records(Generic[Record]):
    """The keys of the records of some shards and their places.

    Every shard has a JSON file beside it that lists its records; it is written after the shard, so
    a shard without one does not count.

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
        for file in storage.whole(folder, pattern):
            entry = json.loads(file.read_text(encoding="utf-8"))
            shard = str(file.with_suffix(SUFFIX))
            for key, offset, size in entry["records"]:
                self._places.setdefault(key, Place(shard, offset, size))

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
        with self._local(shard).open("rb") as file:
            file.seek(offset)
            length, _ = tfrecords.HEADER.unpack(file.read(tfrecords.HEADER.size))
            data = file.read(length)
        try:
            found, record = self._parse(data) if length == size else ("", None)
        except ValueError as error:
            raise ValueError(f"{shard} is damaged at byte {offset}: {error}") from error
        if found != key or record is None:
            raise ValueError(f"{shard} is damaged at byte {offset}: another record stands there.")
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
