"""Inventory of the stores in a folder: content, checksums, and features that no dataset uses."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from upath import UPath

from beampose.core import artefacts, files, storage
from beampose.core.answering import Unanswered
from beampose.core.infos import DatasetInfo, Shard, StoreInfo
from beampose.core.names import COMPLETED, INFO
from beampose.core.wording import counted
from beampose.pipelines.features import shard_repair, store_writer
from beampose.trainer import embed, feature_store, schema
from beampose.trainer.dataset import read_labels
from beampose.trainer.feature_store import Index

# Files without an index may belong to a writer at work; older ones are what a killed one left.
LEFT_AFTER_SECONDS = 3600
_REPAIR = "Run `beampose features` again: it embeds again what is lost"
_ANEW = "Delete {} and run `beampose features` again: all features depend on it"


class Holding(NamedTuple):
    """A store.

    Attributes:
      folder, info, index: the store.
      datasets: those that refer to it, with the keys of their records.
      lost: datasets that once referred to it and are not there any more.
    """

    folder: UPath
    info: StoreInfo
    index: Index
    datasets: dict[str, set[str]]
    lost: list[str]

    @property
    def records(self) -> int:
        return len(self.index)

    @property
    def bytes(self) -> int:
        return self.index.bytes_of(self.index.keys())

    @property
    def unused(self) -> set[str]:
        """Keys no dataset refers to."""
        return set(self.index.keys()).difference(*self.datasets.values())


class Pruned(NamedTuple):
    """Total that pruning removed from all stores."""

    records: int
    bytes: int
    files: int


def listed(stores: str, own: str) -> list[Holding]:
    """Every store below a folder.

    Args:
      stores: the folder.
      own: the dataset of the experiment that asks; it counts without a note in the store.

    Raises:
      FileNotFoundError: there is none.
    """
    found = [storage.place(stores, name) for name in sorted(storage.names(stores))]
    folders = [folder for folder in found if (folder / INFO).is_file()]
    if not folders:
        raise FileNotFoundError(f"{stores} holds no store. Run `beampose features` first.")
    return [_holding(folder, own) for folder in folders]


def verify(
    stores: str, own: str, progress: Callable[[Iterable, int, str], Iterable]
) -> Iterator[str]:
    """Reads every byte; gives a line for each thing that is wrong."""
    for holding in listed(stores, own):
        folder = holding.folder
        if not (folder / COMPLETED).is_file():
            yield f"{folder} was not finished. Run `beampose features` again"
        shards = storage.whole(folder / feature_store.SHARDS, "*.json")
        manifest = {shard.file: shard for shard in holding.info.shards}
        info = holding.info
        check = shard_repair.check(schema.parse_features, dims=info.dims, pooled=info.recipe.pooled)
        for file in progress(shards, len(shards), "shards"):
            name = f"{feature_store.SHARDS}/{file.with_suffix(feature_store.SUFFIX).name}"
            yield from _verify_shard(file, manifest.pop(name, None), check)
        for name in manifest:
            yield f"{folder / name} is in the manifest of {INFO} but not on disk. {_REPAIR}"
        yield from _verify_transform(folder, holding.info)
        for dataset, keys in holding.datasets.items():
            lacking = sum(key not in holding.index for key in keys)
            if lacking:
                what = f"{dataset} refers to {counted(lacking, 'feature')} {folder} lacks"
                yield f"{what}. Run `beampose features` of that experiment again"


def prune(stores: str, own: str, *, dry: bool) -> Pruned:
    """Drops what no dataset refers to, whole stores too, and what killed writers left.

    Shards are rewritten before the old ones are removed: a killed run leaves a valid store.

    Raises:
      ValueError: a dataset that referred to a store is missing, so what it needs is unknown.
    """
    holdings = listed(stores, own)
    lost = [dataset for holding in holdings for dataset in holding.lost]
    if lost:
        notes = storage.place(stores, "<store>", store_writer.USERS)
        raise ValueError(
            f"{counted(len(lost), 'dataset')} that used these stores not found, such as "
            f"{lost[0]}. If they are gone for good, delete their notes in "
            f"{notes}; if they moved, run `beampose features` on them."
        )
    records = size = files = 0
    for holding in holdings:
        left, unused = list(_left_behind(holding.folder)), holding.unused
        files += len(left)
        records += len(unused)
        size += holding.index.bytes_of(unused)
        if dry:
            continue
        for path in left:
            path.unlink(missing_ok=True)
        if not holding.datasets:
            # Without COMPLETED no reader takes it if this is killed halfway.
            artefacts.begin(holding.folder)
            storage.remove(holding.folder)
        elif unused:
            _rewrite(holding, unused)
    return Pruned(records, size, files)


def line(holding: Holding) -> str:
    """Describes a store's content in a human-readable line."""
    recipe = holding.info.recipe
    size = f"crops {recipe.crop_size} px" if recipe.pooled else f"scale {recipe.scale:g}"
    each = holding.bytes / max(holding.records, 1) / 1e3
    return (
        f"{holding.folder.name}  {size}  {holding.info.dims} of {recipe.channels} channels  "
        f"{counted(holding.records, 'feature')}  {holding.bytes / 1e6:.1f} MB ({each:.1f} kB "
        f"each)  {counted(len(holding.datasets), 'dataset')}  {len(holding.unused)} unused"
    )


def _holding(folder: UPath, own: str) -> Holding:
    datasets, lost = {}, []
    notes = storage.whole(folder / store_writer.USERS, "*.json")
    users = {storage.read_json(note, "dataset")["dataset"] for note in notes}
    if storage.place(own).is_dir():
        users.add(store_writer.address(own))
    for dataset in sorted(users):
        if not storage.place(dataset, COMPLETED).is_file():
            lost.append(dataset)
            continue
        if artefacts.require(dataset, DatasetInfo).store != folder.name:
            # The experiment's recipe changed: it refers to another store now.
            continue
        datasets[dataset] = {record.key for record in read_labels(dataset)}
    info = artefacts.read_info(folder / INFO, StoreInfo)
    return Holding(folder, info, Index(str(folder)), datasets, lost)


def _verify_shard(file: UPath, listed: Shard | None, check: shard_repair.Check) -> Iterator[str]:
    damage = shard_repair.examine(file, check)
    if damage is not None:
        with contextlib.suppress(OSError):
            storage.write_text(file.with_suffix(feature_store.DAMAGED), damage.why)
        yield f"{damage}. {_REPAIR}"
    elif listed is not None and listed.sha256 != shard_repair.entry_of(file)["sha256"]:
        yield f"{file} and {INFO} name different checksums. {_REPAIR}"


def _verify_transform(folder: UPath, info: StoreInfo) -> Iterator[str]:
    from beampose.pipelines.features import analyze

    try:
        found = analyze.digest(str(folder / embed.TRANSFORM), info.recipe.channels)
    except Unanswered:
        raise
    except (OSError, ValueError) as error:
        why = files.why(error)
        yield f"{folder / embed.TRANSFORM} cannot be loaded: {why}. {_ANEW.format(folder)}"
        return
    if found != info.transform_digest:
        what = f"{folder / embed.TRANSFORM} is not the transform its features were made with"
        yield f"{what}. {_ANEW.format(folder)}"


def _left_behind(folder: UPath) -> Iterator[UPath]:
    """Files of writers that were killed: hidden temporaries, and shards without an index."""
    now = time.time()
    shards = folder / feature_store.SHARDS
    # Globbing would take the folder's own name for a pattern, too.
    endings = (feature_store.SUFFIX, feature_store.DAMAGED)
    found = [folder / name for name in storage.names(folder) if name.startswith(".")]
    found += [
        shards / name
        for name in storage.names(shards)
        if name.startswith(".") or name.endswith(endings)
    ]
    for path in sorted(found, key=str):
        if not path.is_file() or now - path.stat().st_mtime < LEFT_AFTER_SECONDS:
            continue
        if path.name.startswith(".") or not path.with_suffix(".json").is_file():
            yield path


def _rewrite(holding: Holding, unused: set[str]) -> None:
    folder = str(holding.folder)
    artefacts.begin(folder)
    for file in storage.whole(holding.folder / feature_store.SHARDS, "*.json"):
        keys = [key for key, _, _ in shard_repair.entry_of(file)["records"]]
        kept = [key for key in keys if key not in unused]
        if len(kept) == len(keys):
            continue
        if kept:
            shard, _, shards, _ = file.stem.split("-")
            records = ((key, holding.index.read(key)) for key in kept)
            name = storage.digest(sorted(kept))
            store_writer.write_shard(folder, int(shard), int(shards), records, name)
        file.unlink()
        file.with_suffix(feature_store.SUFFIX).unlink()
    info = holding.info
    store_writer.describe(
        folder,
        recipe=info.recipe,
        weights=info.weights,
        dims=info.dims,
        transform_digest=info.transform_digest,
    )
