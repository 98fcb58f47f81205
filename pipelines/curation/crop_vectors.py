"""Embeddings of crops, by the backbone that ships in the package."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np

from beampose.core import files, fingerprints, npz_files, storage
from beampose.core.answering import Unanswered
from beampose.core.wording import counted
from beampose.pipelines.predict.crop_batches import compact, resized
from beampose.preprocess import images

BACKBONE, WEIGHTS = "resnet_compact", "builtin"
SIDE = 128
BATCH = 32
# Sides of the small pictures that a page holds.
THUMB = 96
CACHE = ".looks.npz"


class Looks(NamedTuple):
    """Crops as a page needs them.

    Attributes:
      names: files, relative to their folder.
      features: float32 (crops, dims), of length 1.
      thumbs: JPEG bytes of each, small.
      lost: files that are left out, and why.
    """

    names: list[str]
    features: np.ndarray
    thumbs: list[bytes]
    lost: Mapping[str, str] = MappingProxyType({})

    def notes(self) -> list[str]:
        """What is left out, in a sentence; none if nothing is."""
        if not self.lost:
            return []
        name, why = next(iter(self.lost.items()))
        are = "is an image that cannot" if len(self.lost) == 1 else "are images that cannot"
        return [
            f"{counted(len(self.lost), 'file')} {are} be read and left out, such as {name} "
            f"({why}): mend or remove it."
        ]


class _Look(NamedTuple):
    """Of a crop its features, its small picture, and the fingerprint of what was looked at."""

    features: np.ndarray
    thumb: bytes
    code: str


def of_folder(folder: str, progress: Callable[..., Iterable]) -> Looks:
    """Looks of the images that lie in a folder, kept in it for the next time."""
    names = [files.name(path) for path in files.children(folder)]
    names = [n for n in names if files.suffix(n) in images.SUFFIXES and not n.startswith(".")]
    sizes = [(name, files.size(files.join(folder, name))) for name in names]
    codes = dict(zip(names, fingerprints.of_set_and_each(folder, sizes)[1], strict=True))
    # A crop that was cut anew has the name of the one before.
    known = {n: look for n, look in _known(folder).items() if codes.get(n) == look.code}
    new = [name for name in names if name not in known]
    lost: dict[str, str] = {}
    if new:
        batches = [new[i : i + BATCH] for i in range(0, len(new), BATCH)]
        network = _network()
        for batch in progress(batches, len(batches), "crops compared"):
            known |= _look(folder, {name: codes[name] for name in batch}, network, lost)
        # Of a folder that cannot be written to all is looked at anew the next time.
        with contextlib.suppress(OSError):
            _keep(folder, known)
    names = [name for name in names if name in known]
    features = [known[name].features for name in names]
    stacked = np.stack(features).astype(np.float32) if names else np.empty((0, 0), np.float32)
    return Looks(names, stacked, [known[name].thumb for name in names], lost)


def _network() -> Callable[[np.ndarray], np.ndarray]:
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from beampose.trainer.backbone import Backbone
    from beampose.trainer.traced import traced

    backbone = Backbone(BACKBONE, WEIGHTS, pooled=True)
    # One graph for all batches: the last is filled up.
    run = traced(backbone, [tf.TensorSpec((BATCH, SIDE, SIDE, 3), tf.float32)])
    return lambda batch: run(tf.constant(batch)).numpy()  # pyright: ignore[reportAttributeAccessIssue]


def _look(
    folder: str,
    codes: dict[str, str],
    network: Callable[[np.ndarray], np.ndarray],
    lost: dict[str, str],
) -> dict[str, _Look]:
    """Looks of some files; which of them cannot be read, and why, is put into `lost`."""
    batch = np.zeros((BATCH, SIDE, SIDE, 3), np.float32)
    thumbs: dict[str, bytes] = {}
    for name in codes:
        try:
            pixels = images.decode(files.read_bytes(files.join(folder, name)))
        except Unanswered:
            raise
        except (OSError, ValueError) as error:
            lost[name] = files.why(error)
            continue
        batch[len(thumbs)] = resized(pixels, SIDE)
        thumbs[name] = thumb(pixels)
    features = compact(network(batch))
    each = zip(thumbs.items(), features[: len(thumbs)], strict=True)
    return {name: _Look(found, data, codes[name]) for (name, data), found in each}


def thumb(pixels: np.ndarray) -> bytes:
    """A small JPEG of an image (height, width, 3), of its shape."""
    factor = min(THUMB / max(pixels.shape[:2]), 1)
    size = (max(round(pixels.shape[1] * factor), 1), max(round(pixels.shape[0] * factor), 1))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return images.encode_jpeg(small, quality=70)


def _known(folder: str) -> dict[str, _Look]:
    file = storage.place(folder, CACHE)
    if not file.is_file():
        return {}
    try:
        with file.open("rb") as stream, npz_files.opened(stream) as kept:
            ends = np.cumsum(kept["lengths"])
            data = kept["thumbs"].tobytes()
            starts = ends - kept["lengths"]
            thumbs = [data[a:b] for a, b in zip(starts, ends, strict=True)]
            parts = zip(kept["features"], thumbs, kept["codes"].tolist(), strict=True)
            return dict(zip(kept["names"].tolist(), map(_Look._make, parts), strict=True))
    except (OSError, ValueError, KeyError):
        return {}


def _keep(folder: str, known: dict[str, _Look]) -> None:
    if not known:
        return
    thumbs = [look.thumb for look in known.values()]
    with (
        storage.replacing(storage.place(folder, CACHE)) as temporary,
        temporary.open("wb") as stream,
    ):
        np.savez(
            stream,
            names=np.array(list(known)),
            codes=np.array([look.code for look in known.values()]),
            features=np.stack([look.features for look in known.values()]),
            thumbs=np.frombuffer(b"".join(thumbs), np.uint8),
            lengths=np.array([len(data) for data in thumbs], np.int64),
        )
