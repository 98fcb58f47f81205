"""Puts files of this machine where workers on other machines can read them."""

import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from beampose.core import files, fingerprints, storage
from beampose.core.files import is_address
from beampose.preprocess import images, inside
from beampose.preprocess.labels import LabeledCrop, LabeledFrame

LOG = logging.getLogger(__name__)
UPLOADS = 8


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
    """Addresses of videos; those of this machine are put into a folder, under their names.

    A film that was changed is another one: it is sent again.
    """
    found = []
    for path in paths:
        if is_address(path):
            found.append(path)
            continue
        size = Path(path).stat().st_size
        code = fingerprints.of_file(path)[:12]
        target = storage.place(folder, code, Path(path).name)
        if not target.is_file() or target.stat().st_size != size:
            LOG.info("Sending %s (%.0f MB) to %s", path, size / 1e6, target)
            target.fs.put_file(path, target.path)
        found.append(str(target))
    return found


def put_file(path: str, folder: str) -> str:
    """The address of a file of this machine, put into a folder under the digest of its content."""
    return _put_bytes(Path(path).read_bytes(), files.suffix(path), folder, _names(folder))


def _names(folder: str) -> set[str]:
    target = storage.place(folder)
    return {files.name(path) for path in target.fs.find(target.path)}


def _put_bytes(data: bytes, suffix: str, folder: str, there: set[str]) -> str:
    name = hashlib.sha256(data).hexdigest()[:32] + suffix
    target = storage.place(folder, name)
    if name not in there:
        target.fs.pipe_file(target.path, data)
    return str(target)
