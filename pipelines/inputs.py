"""Puts files of this machine where workers on other machines can read them."""

import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from upath import UPath

from beampose.core import files, fingerprints, storage
from beampose.core.files import is_address
from beampose.core.wording import counted
from beampose.pipelines import still_sets
from beampose.preprocess import images, inside
from beampose.preprocess.labels import LabeledCrop, LabeledFrame

LOG = logging.getLogger(__name__)
UPLOADS = 8
# Beside images that were sent: which, with fingerprints; written after so many.
_SENT, _TOGETHER = ".sent.json", 2000


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
        if is_address(path) or not Path(path).is_file():
            # One that is not there keeps its path: the job says so, and predicts the others.
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


def put_sources(sources: still_sets.Sources, output: str) -> still_sets.Sources:
    """Videos and images whose files are addresses; those of this machine are put below a folder."""
    films = put_videos(sources.videos, files.join(output, "videos"))
    sets = [_put_set(one, files.join(output, "images")) for one in sources.sets]
    return still_sets.Sources(films, sets)


def _put_set(one: still_sets.StillSet, folder: str) -> still_sets.StillSet:
    """A set whose images are in a folder, under their names; what is there is not sent again.

    A folder that grew is the same one: of it only what is new is sent. `_SENT` tells what was.
    """
    if is_address(one.root or next(iter(one.sizes))):
        return one
    there = {name: size for name, size in one.sizes.items() if size}
    _, each = fingerprints.of_set_and_each(one.root, there.items())
    codes = dict(zip(there, each, strict=True))
    target = storage.place(folder, storage.digest(one.root)[:12])
    record = storage.place(target, _SENT)
    sent = _sent(record)

    def put(name: str) -> None:
        source = files.join(one.root, name) if one.root else name
        place = storage.place(target, name.lstrip("/"))
        place.fs.put_file(source, place.path)

    missing = [name for name, code in codes.items() if sent.get(name) != code]
    pictures = counted(len(codes), "image")
    LOG.info("Sending %d of %s of %s to %s", len(missing), pictures, one.path, target)
    with ThreadPoolExecutor(UPLOADS) as pool:
        for first in range(0, len(missing), _TOGETHER):
            some = missing[first : first + _TOGETHER]
            list(pool.map(put, some))
            sent |= {name: codes[name] for name in some}
            storage.write_json(record, sent)
    sizes = {name.lstrip("/"): size for name, size in one.sizes.items()}
    return one._replace(root=str(target), sizes=sizes)


def _sent(record: UPath) -> dict[str, str]:
    """Fingerprints of images that were sent, by name; without its record all are sent again."""
    try:
        found = storage.read_json(record)
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


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
