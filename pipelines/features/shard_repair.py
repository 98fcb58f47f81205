"""Finds rotten records in shards, and takes them out, so that the feature job makes them again."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple

from upath import UPath

from beampose.core import files, storage, tfrecords
from beampose.core.answering import Unanswered
from beampose.pipelines.features import store_writer
from beampose.trainer.feature_store import DAMAGED, SUFFIX

# Bytes of a record to its key; raises ValueError if it is none or does not fit the others.
Check = Callable[[bytes], str]


class Damage(NamedTuple):
    """A shard with records that cannot be read.

    Attributes:
      index: the JSON file beside the shard.
      why: the first reason, human-readable.
      lost, kept: keys of its records.
    """

    index: UPath
    why: str
    lost: list[str]
    kept: list[str]

    def __str__(self) -> str:
        shard = self.index.with_suffix(SUFFIX)
        if not self.kept and not self.lost:
            return f"{shard} {self.why}"
        return f"{shard} {self.why}: {len(self.lost)} of {len(self.lost + self.kept)} are lost"


def check(
    parse: Callable[[bytes], tuple[str, Any]], *, dims: int = 0, pooled: bool = False
) -> Check:
    """A check of records by what they must be.

    Args:
      parse: bytes of a record to its key and value.
      dims: length of the vectors of features; 0 where a record holds something else.
      pooled: whether it holds one vector; else a map of them.
    """

    def key_of(serialized: bytes) -> str:
        key, value = parse(serialized)
        wanted = f"({dims},)" if pooled else f"(rows, columns, {dims})"
        if dims and (value.ndim != (1 if pooled else 3) or value.shape[-1] != dims):
            raise ValueError(f"its features have the shape {value.shape}, not {wanted}")
        return key

    return key_of


def examine(index: UPath, check: Check) -> Damage | None:
    """What is wrong with a shard; every byte is read. None if nothing is."""
    try:
        entry = entry_of(index)
    except Unanswered:
        raise
    except (OSError, ValueError) as error:
        return Damage(
            index, f"cannot be used, since its index is damaged ({files.why(error)})", [], []
        )
    keys = [key for key, _, _ in entry["records"]]
    shard = index.with_suffix(SUFFIX)
    if not shard.is_file():
        return Damage(index, "is missing", keys, [])
    with storage.local(shard) as copy, copy.open("rb") as stream:
        wrong = {}
        for key, offset, size in entry["records"]:
            try:
                found = check(tfrecords.record_at(stream, offset, size))
                if found != key:
                    raise ValueError("another record stands there")
            except ValueError as error:
                wrong[key] = f"is damaged at byte {offset} ({error})"
        end = stream.seek(0, 2)
        changed = end != entry["bytes"] or store_writer.sha256(copy) != entry["sha256"]
    kept = [key for key in keys if key not in wrong]
    if wrong:
        return Damage(index, next(iter(wrong.values())), list(wrong), kept)
    if changed:
        return Damage(index, "is damaged: its checksum is not the one of its index", [], kept)
    return None


def repair(damage: Damage) -> None:
    """Takes what is lost out of a shard; what is sound is written anew before it is removed."""
    shard = damage.index.with_suffix(SUFFIX)
    if damage.kept:
        entry = entry_of(damage.index)
        kept = set(damage.kept)
        with storage.local(shard) as copy, copy.open("rb") as stream:
            payloads = (
                (key, tfrecords.record_at(stream, offset, size))
                for key, offset, size in entry["records"]
                if key in kept
            )
            name = f"{shard.stem.rpartition('-')[0]}-{storage.digest(damage.kept)[:16]}{SUFFIX}"
            store_writer.write_records(shard.with_name(name), payloads)
    for file in (damage.index, shard, shard.with_suffix(DAMAGED)):
        file.unlink(missing_ok=True)


def mend(indices: Iterable[UPath], check: Check, keys: Collection[str]) -> Iterator[Damage]:
    """Repairs shards; gives what was wrong.

    On a disk those that hold some of the keys are read. In a bucket, which keeps checksums of its
    own, those that are missing or that a reader found damaged: its listing says so.
    """
    wanted, there = set(keys), dict[str, set[str]]()
    for index in indices:
        folder = str(index.parent)
        if folder not in there:
            there[folder] = storage.names(folder)
        if _suspicious(index, wanted, there[folder]):
            damage = examine(index, check)
            if damage is not None:
                repair(damage)
                yield damage


def _suspicious(index: UPath, keys: set[str], there: set[str]) -> bool:
    shard = index.with_suffix(SUFFIX)
    if shard.name not in there or shard.with_suffix(DAMAGED).name in there:
        return True
    if not storage.is_local(shard):
        return False
    try:
        return any(key in keys for key, _, _ in entry_of(index)["records"])
    except (OSError, ValueError):
        return True


def entry_of(index: UPath) -> dict[str, Any]:
    """The index of a shard.

    Raises:
      ValueError: it is damaged.
    """
    entry = storage.read_json(index, "records", "bytes", "sha256")
    try:
        for key, offset, size in entry["records"]:
            if not (isinstance(key, str) and type(offset) is type(size) is int):
                raise TypeError
        return {name: entry[name] for name in ("records", "bytes", "sha256")}
    except (KeyError, TypeError, ValueError):
        raise ValueError("it does not list keys and places of records") from None
