"""Pixels to features in a worker: one model a process, fixed batches, images decoded ahead."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from apache_beam.utils import shared

from beampose.core import storage
from beampose.core.answering import Unanswered
from beampose.core.files import join
from beampose.core.infos import Recipe
from beampose.core.infos.dataset_info import INT8
from beampose.core.names import LITE
from beampose.core.settings.experiment import Config
from beampose.preprocess import ahead, images, transform
from beampose.preprocess.recent import Recent
from beampose.preprocess.transform import Ranges, Window
from beampose.trainer import model_calls
from beampose.trainer.quiet import import_tensorflow

# Decoding threads; the network itself uses all cores.
READERS = 2
# Bytes of decoded pixels a process keeps: an image is checked first and embedded with its copies
# later, and a small project is decoded once in all.
RECENT_BYTES = 256 << 20


class ModelSpec(NamedTuple):
    """Specification from which a worker builds the model.

    Attributes:
      transform: folder; None gives raw features.
      lite: file of the backbone as LiteRT reads it, in the precision of the store; None where
        there is none.
      whole: whether it computes in whole numbers.
    """

    backbone: str
    weights: str
    pooled: bool
    taps: str | None
    transform: str | None
    scale: float
    crop_size: int
    lite: str | None = None
    whole: bool = False


class Pending(NamedTuple):
    """An image, or a copy of it, that the store does not hold yet.

    Attributes:
      key: its key in the store.
      image, name, file, row: where it comes from.
      digest: of the pixels the labels were checked with.
      copy: 0 for the image itself.
      height, width: pixels, of a copy its own.
      window: the part of the image that a copy shows; None: all of it.
    """

    key: str
    image: str
    name: str
    file: str
    row: int
    digest: str
    copy: int
    height: int
    width: int
    window: Window | None = None


# Images with their pixels, of one size.
Batch: TypeAlias = list[tuple[Pending, np.ndarray]]

RECENT = Recent[np.ndarray](RECENT_BYTES, lambda pixels: pixels.nbytes)


def store_spec(config: Config, transform: str) -> ModelSpec:
    """Of a store, whose transform has this folder."""
    lite = join(transform, LITE)
    # Stores of before have none of float32.
    there = config.features.precision == INT8 or storage.place(lite).is_file()
    return model_spec(config, transform, lite if there else None)


def model_spec(config: Config, transform: str | None, lite: str | None) -> ModelSpec:
    """See `ModelSpec`."""
    features = config.features
    return ModelSpec(
        config.backbone,
        config.weights,
        config.kind.pooled,
        features.taps,
        transform,
        config.scale,
        features.crop_size,
        lite,
        features.precision == INT8,
    )


@functools.lru_cache(maxsize=1)
def backbone(name: str, weights: str, pooled: bool, taps: str | None, quantized: str | None = None):
    """The frozen network; kept, because on one machine the launcher and the worker both need it."""
    import_tensorflow()
    from beampose.trainer.backbone import Backbone

    content = None if quantized is None else storage.place(quantized).read_bytes()
    return Backbone(name, weights, pooled=pooled, taps=taps, quantized=content)


def network(config: Config):
    """The frozen network of an experiment."""
    return backbone(config.backbone, config.weights, config.kind.pooled, config.features.taps)


def recipe(config: Config, network) -> Recipe:
    """`embed.recipe` of an experiment: what decides its features, apart from the pixels."""
    from beampose.trainer import embed

    features = config.features
    return embed.recipe(
        network,
        scale=config.scale,
        crop_size=features.crop_size,
        pca=config.pca,
        precision=features.precision,
    )


def build(spec: ModelSpec):
    """The model: uint8 frames of one size to features."""
    quantized = spec.lite if spec.whole else None
    network = backbone(spec.backbone, spec.weights, spec.pooled, spec.taps, quantized)
    from beampose.trainer.embed import Embedder
    from beampose.trainer.lite import lite_embedder

    embedder = Embedder(network, spec.transform, scale=spec.scale, crop_size=spec.crop_size)
    lite = None if spec.lite is None else storage.place(spec.lite).read_bytes()
    return lite_embedder.fastest(embedder, lite)


def without_store(config: Config):
    """As `build`, raw features of an experiment that may have no store yet."""
    frozen = network(config)
    from beampose.trainer.embed import Embedder
    from beampose.trainer.lite import lite_embedder

    embedder = Embedder(frozen, None, scale=config.scale, crop_size=config.features.crop_size)
    return lite_embedder.fastest(embedder, frozen.lite_file())


def batch_size(spec: ModelSpec, most: int) -> Callable[[int, int], int]:
    """Images of a height and width that a model embeds at a time, `most` at most."""
    if spec.pooled:
        return lambda height, width: most
    return lambda height, width: model_calls.fitting(most, height * width * spec.scale**2)


def acquire(handle: shared.Shared, spec: ModelSpec):
    """The model of this process, built once however many threads ask."""
    return handle.acquire(functools.partial(build, spec), tag=repr(spec))


def ranges(config: Config) -> Ranges:
    features = config.features
    return Ranges(
        config.rotation, features.zoom, features.translation, features.contrast, features.blur
    )


def draw(digest: str, copy: int, limits: Ranges, seen: Window) -> transform.Copy:
    """The change that makes copy number `copy` of an image; decided by its pixels and by `seen`."""
    return transform.draw(limits, f"{digest}:{copy}:{tuple(limits)}", seen)


def load(pending: Pending, limits: Ranges) -> np.ndarray:
    """Pixels of an image or its copy.

    Raises:
      OSError, ValueError: it cannot be read any more, or changed since it was checked.
    """
    pixels = RECENT.get(pending.digest)
    if pixels is None:
        pixels = images.load(pending.image)[0]
        if images.digest(pixels) != pending.digest:
            raise ValueError("changed while the job ran")
        RECENT.put(pending.digest, pixels)
    if pending.copy:
        seen = pending.window or transform.whole(*pixels.shape[:2])
        change = draw(pending.digest, pending.copy, limits, seen)
        pixels = transform.apply(change, pixels)
    return pixels


class Steps(NamedTuple):
    """How a model makes features of images.

    Attributes:
      batch: (batch, height, width, 3) of one shape to features with a batch axis, as a tensor.
      prepare: uint8 (height, width, 3) to what `batch` takes.
    """

    batch: Callable
    prepare: Callable[[np.ndarray], np.ndarray] = np.asarray


def steps(model, spec: ModelSpec) -> Steps:
    """See `Steps`; of a model that `build` made."""
    if not spec.pooled:
        return Steps(model.frames)
    from beampose.trainer.backbone import square

    # Crops have hardly two of one size: resized alone, they fill batches.
    return Steps(model.images, functools.partial(square, side=spec.crop_size))


def embed(
    work: Steps,
    pending: list[Pending],
    limits: Ranges,
    batch_size: Callable[[int, int], int],
    lost: list,
) -> Iterator[tuple[str, np.ndarray]]:
    """Keys and features of images, sorted by size and key: the order of arrival does not matter.

    Args:
      batch_size: of images of a height and width.
      lost: takes (pending, reason) of what could not be read any more.
    """
    order = sorted(pending, key=lambda p: (p.height, p.width, p.key))
    batches = _batches(order, limits, work.prepare, batch_size, lost)
    run = functools.partial(_features, work.batch)
    # One batch ahead: the network works while the consumer writes.
    for (batch, _), features in ahead.mapped(run, batches, 1, 1):
        for (one, _), found in zip(batch, features, strict=True):
            if isinstance(found, str):
                lost.append((one, found))
            else:
                yield one.key, found


def _batches(
    order: list[Pending],
    limits: Ranges,
    prepare: Callable[[np.ndarray], np.ndarray],
    batch_size: Callable[[int, int], int],
    lost: list,
) -> Iterator[tuple[Batch, int]]:
    """Images with their pixels, of one size in a batch; and how many the model shall be given."""
    batch: Batch = []
    usual: tuple[int, ...] = ()

    def short() -> tuple[Batch, int]:
        shape = batch[0][1].shape
        size = batch_size(*shape[:2])
        # Where all images have sizes of their own, filling up would embed each many times.
        return batch, size if shape == usual else model_calls.few(len(batch), size)

    read = functools.partial(_try_load, limits=limits, prepare=prepare)
    for one, pixels in ahead.mapped(read, order, 2 * batch_size(1, 1), READERS):
        if isinstance(pixels, str):
            lost.append((one, pixels))
            continue
        if batch and batch[0][1].shape != pixels.shape:
            yield short()
            batch = []
        batch.append((one, pixels))
        if len(batch) == batch_size(*pixels.shape[:2]):
            usual = pixels.shape
            yield batch, len(batch)
            batch = []
    if batch:
        yield short()


def _features(model: Callable, given: tuple[Batch, int]) -> list[np.ndarray | str]:
    """Features of each image of a batch, or why it has none."""
    batch, size = given

    def call(some: Sequence[tuple[Pending, np.ndarray]], size: int) -> np.ndarray:
        filled = fixed([pixels for _, pixels in some], size)
        with model_calls.AT_ONCE:
            return model(filled).numpy()

    found: list[np.ndarray | str] = []
    for count, answer in model_calls.halved(call, batch, size):
        failed = isinstance(answer, model_calls.NoMemory)
        found += [str(answer)] if failed else list(answer[:count])
    return found


def fixed(frames: list[np.ndarray], batch_size: int) -> np.ndarray:
    """A batch of always the same shape: the last frame is repeated where frames are missing.

    TensorFlow plans its kernels again for every shape, and answers differ in the last bits.
    """
    return np.stack([*frames, *[frames[-1]] * (batch_size - len(frames))])


def _try_load(
    pending: Pending, limits: Ranges, prepare: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | str:
    try:
        return prepare(load(pending, limits))
    except Unanswered:
        raise
    except (OSError, ValueError) as error:
        return str(error)
