"""An experiment of this machine to one in a bucket: what workers must read is put there first."""

import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from beampose.core import files, storage
from beampose.core.files import is_address, join
from beampose.core.settings.experiment import Config
from beampose.pipelines.cloud.cloud_settings import Cloud
from beampose.preprocess import images, inside
from beampose.preprocess.labels import LabeledCrop, LabeledFrame

LOG = logging.getLogger(__name__)
UPLOADS = 8


def config(local: Config, cloud: Cloud) -> Config:
    """The experiment with every output in the bucket, and weights of this machine put there.

    `runs/openfield` becomes `<bucket>/openfield`; addresses stay what they are. A store that
    experiments share becomes `<bucket>/store`.

    Raises:
      OSError: the bucket or the weights cannot be used.
    """
    features, output, store = local.features, local.output, local.store_
    if not is_address(output):
        output = join(cloud.root, Path(output).name)
    if store is not None and not is_address(store):
        store = join(cloud.root, "store")
    weights = features.weights
    if Path(weights).is_absolute():
        weights = _put(weights, join(cloud.root, "weights"))
    return dataclasses.replace(
        local,
        output=output,
        store_=store,
        features=dataclasses.replace(features, weights=weights),
    )


def put_images(items: Sequence, folder: str) -> list[LabeledFrame | LabeledCrop]:
    """Labeled items whose images are addresses: those of this machine are put into a folder.

    Names there are digests of the content, so that nothing is sent twice. Frames of videos go as
    PNG, those of videos in a bucket too: workers would each seek in them. An image that cannot be
    read keeps its path: the job makes it a reject.
    """
    there = _names(folder)

    def staged(item):
        within = inside.parse(item.image) is not None
        if is_address(item.image) and not within:
            return item
        try:
            data = images.encoded(item.image)
        except (FileNotFoundError, ValueError):
            return item
        suffix = ".png" if within else files.suffix(item.image)
        return dataclasses.replace(item, image=_put_bytes(data, suffix, folder, there))

    with ThreadPoolExecutor(UPLOADS) as pool:
        return list(pool.map(staged, items))


def put_videos(paths: Sequence[str], folder: str) -> list[str]:
    """Addresses of videos; those of this machine are put into a folder, under their names."""
    found = []
    for path in paths:
        if is_address(path):
            found.append(path)
            continue
        size = Path(path).stat().st_size
        code = hashlib.sha256(f"{Path(path).absolute()}\n{size}".encode()).hexdigest()[:12]
        target = storage.place(folder, code, Path(path).name)
        if not target.is_file() or target.stat().st_size != size:
            LOG.info("Sending %s (%.0f MB) to %s", path, size / 1e6, target)
            target.fs.put_file(path, target.path)
        found.append(str(target))
    return found


def dataset(local: Config, remote: Config) -> bool:
    """Puts the dataset of this machine, and its store, where the remote experiment looks for them.

    Returns whether it did: a dataset that is in the bucket already stays.

    Raises:
      FileNotFoundError: there is no finished dataset at either place.
    """
    if storage.place(remote.dataset, storage.COMPLETED).is_file():
        return False
    if is_address(local.dataset):
        storage.require(remote.dataset, "features")
    info = storage.require(local.dataset, "features")
    _send(join(local.store, info["store"]), join(remote.store, info["store"]))
    _send(local.dataset, remote.dataset)
    return True


def model(local: Config, remote: Config) -> bool:
    """Puts the model of this machine where the remote experiment looks for one.

    Returns whether it did: a model that is in the bucket already stays.

    Raises:
      FileNotFoundError: there is no finished model at either place.
    """
    if storage.place(remote.model, storage.COMPLETED).is_file():
        return False
    if is_address(local.model):
        storage.require(remote.model, "train")
    storage.require(local.model, "train")
    _send(local.model, remote.model)
    return True


def _send(source: str, target: str) -> None:
    """Copies a finished artefact into the bucket; it counts once all of it is there."""
    LOG.info("Sending %s to %s", source, target)
    storage.begin(target)
    storage.upload(Path(source), target)


def _names(folder: str) -> set[str]:
    target = storage.place(folder)
    return {files.name(path) for path in target.fs.find(target.path)}


def _put(path: str, folder: str, there: set[str] | None = None) -> str:
    return _put_bytes(Path(path).read_bytes(), files.suffix(path), folder, there)


def _put_bytes(data: bytes, suffix: str, folder: str, there: set[str] | None) -> str:
    name = hashlib.sha256(data).hexdigest()[:32] + suffix
    target = storage.place(folder, name)
    if name not in (_names(folder) if there is None else there):
        target.fs.pipe_file(target.path, data)
    return str(target)
