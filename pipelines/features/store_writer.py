"""Writes stored features: a shard whole or not at all, and an index that says it is there."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from upath import UPath

from beampose.core import __version__, artefacts, disk, json_files, leftovers, storage, tfrecords
from beampose.core.infos import Recipe, Shard, StoreInfo
from beampose.core.names import INFO
from beampose.trainer import embed, feature_store, schema

# Frames a shard: small enough that little is lost with a killed worker, large enough to be few.
FRAMES_A_SHARD = 64
CROPS_A_SHARD = 4096
# Augmentation id of the image itself.
ORIGINAL = "original"
# Where a store notes which datasets refer to it.
USERS = "datasets"


def key(digest: str, recipe_id: str, transform_digest: str, augmentation: str) -> str:
    """Key of stored features: a digest of pixels, backbone, weights, transform and augmentation."""
    text = "\n".join([digest, recipe_id, transform_digest, augmentation])
    return hashlib.sha256(text.encode()).hexdigest()


def shard_of(key: str, shards: int) -> int:
    return int(key[:8], 16) % shards


def count_shards(images: int, pooled: bool) -> int:
    """A power of two, so that growing data splits shards instead of mixing them."""
    wanted = images / (CROPS_A_SHARD if pooled else FRAMES_A_SHARD)
    return 1 << max(int(np.ceil(np.log2(max(wanted, 1)))), 0)


def write_shard(
    folder: str, shard: int, shards: int, records: Iterable[tuple[str, np.ndarray]], name: str
) -> Shard:
    """Writes records in the order they come. Returns the line of the store's manifest.

    Args:
      folder: the store.
      records: keys and features, read one by one.
      name: tells this shard from others of the same number; a digest of what it should hold.
    """
    file = f"{shard_name(shard, shards, name)}{feature_store.SUFFIX}"
    examples = ((one, schema.feature_example(one, features)) for one, features in records)
    return write_records(storage.place(folder, feature_store.SHARDS, file), examples)


def shard_name(shard: int, shards: int, name: str) -> str:
    return f"{shard:05d}-of-{shards:05d}-{name[:16]}"


def write_records(target: UPath, keyed: Iterable[tuple[str, bytes]]) -> Shard:
    """Writes keys and serialized records as a TFRecord file and, after it, its index beside it.

    Returns what was written; `file` counts from the folder of its folder.
    """
    index: list[tuple[str, int, int]] = []
    end = 0
    with storage.replacing(target, durable=True) as temporary:
        with temporary.open("wb") as stream:
            for key, payload in keyed:
                index.append((key, end, len(payload)))
                end += stream.write(tfrecords.framed(payload))
        digest = sha256(temporary)
    entry = {"records": index, "bytes": end, "sha256": digest}
    storage.write_json(target.with_suffix(".json"), entry)
    file = f"{target.parent.name}/{target.name}"
    return Shard(file=file, records=len(index), bytes=end, sha256=digest)


def adopt_transform(folder: str, source: str) -> None:
    """Freezes a transform graph with the store; whichever writer comes first decides."""
    target = storage.place(folder, embed.TRANSFORM)
    if not storage.is_local(target):
        # `saved_model.pb` says that it is there; a bucket has no folder that could be renamed.
        if not embed.exists(str(target)):
            storage.upload(Path(source), target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    leftovers.clear(Path(str(target.parent)))
    prefix = leftovers.prefix(embed.TRANSFORM)
    staging = Path(tempfile.mkdtemp(dir=str(target.parent), prefix=prefix))
    try:
        with disk.naming(target, staging):
            shutil.copytree(source, staging, dirs_exist_ok=True)
        staging.chmod(disk.allowed(0o777))
        # Once it has its name, whoever comes next takes it for whole, after a power cut too.
        artefacts.settle(staging)
        # Another writer's transform may be in place already, and its features may be too.
        with contextlib.suppress(OSError):
            staging.rename(str(target))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def describe(
    folder: str,
    *,
    recipe: Recipe,
    weights: str,
    dims: int,
    transform_digest: str,
    stored: Iterable[Shard] = (),
) -> None:
    """Writes the store's info with a manifest of its shards, and marks it whole.

    Args:
      stored: shards that a job wrote. Of a bucket, where to read all indices anew would take a
        request for each, these and those of the manifest before are known.
    """
    place = storage.place(folder, feature_store.SHARDS)
    known = {} if storage.is_local(place) else {one.file: one for one in _manifest(folder)}
    known |= {one.file: one for one in stored}
    names = [n for n in sorted(storage.names(place)) if n.endswith(".json") and n[0] != "."]
    files = {f"{feature_store.SHARDS}/{n[:-5]}{feature_store.SUFFIX}": n for n in names}
    unknown = [name for file, name in files.items() if file not in known]
    read = dict(zip(unknown, storage.read_all(place, unknown), strict=True))
    shards = [known.get(file) or _shard(file, read[name]) for file, name in files.items()]
    info = StoreInfo(
        made_by=f"beampose {__version__} features",
        recipe=recipe,
        weights=weights,
        dims=dims,
        transform_digest=transform_digest,
        records=sum(shard.records for shard in shards),
        bytes=sum(shard.bytes for shard in shards),
        shards=shards,
    )
    artefacts.complete(folder, info)


def _manifest(folder: str) -> list[Shard]:
    """Shards of the store's info, as far as there is one."""
    try:
        found = artefacts.find_info(storage.place(folder, INFO), StoreInfo)
    except ValueError:
        return []
    return [] if found is None else found.shards


def _shard(file: str, data: bytes | None) -> Shard:
    if data is None:
        raise FileNotFoundError(f"{file}: its index went away. Run the same command again.")
    entry = json_files.record(data, file, "records", "bytes", "sha256")
    return Shard(
        file=file, records=len(entry["records"]), bytes=entry["bytes"], sha256=entry["sha256"]
    )


def register(folder: str, dataset: str) -> None:
    """Notes in a store that a dataset refers to it, so that pruning knows."""
    path = address(dataset)
    name = hashlib.sha256(path.encode()).hexdigest()[:16]
    storage.write_json(storage.place(folder, USERS, f"{name}.json"), {"dataset": path})


def address(folder: str) -> str:
    """A folder's full path or address, under which a store knows a dataset."""
    return Path(folder).absolute().as_posix() if storage.is_local(folder) else folder


def sha256(path: Path | UPath) -> str:
    code = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            code.update(block)
    return code.hexdigest()
