"""The network that tells animals apart by the features under their keypoints, and its file.

A transformer over bodyparts, DeepLabCut's (pose_tracking_pytorch; Lauer et al. 2022). Bodyparts
that are missing are masked, and an animal is the mean over those that are there: DeepLabCut takes
the token of the first bodypart for the whole, which may be the one that was not seen.
"""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from beampose.core import artefacts, npz_files, storage
from beampose.core.infos import ReidInfo
from beampose.core.wording import counted
from beampose.trainer import scaling

WEIGHTS = "weights.npz"
BLOCKS = 4
HEADS = 4
# Of the last block; the first is never left out (stochastic depth, Huang et al. 2016).
DROP_PATH = 0.1
# Detections that are embedded together.
_AT_ONCE = 1024
# Of the file format, and of the layers it has weights for.
_VERSION = 1
# What a header of NumPy's may take.
_HEADER = 4096


class _Scale(keras.layers.Layer):
    """Standardises, and leaves nothing of what is missing: not even a NaN."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__(name="scale", trainable=False)
        self.mean = self.add_weight(shape=shape, initializer="zeros", name="mean")
        self.deviation = self.add_weight(shape=shape, initializer="ones", name="deviation")

    def call(self, vectors, present):
        known = tf.where(present[..., None], vectors, self.mean)
        return (known - self.mean) / self.deviation


class _Position(keras.layers.Layer):
    """Adds what says which bodypart a token is."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__(name="position")
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.position = self.add_weight(shape=shape, initializer=start, name="position")

    def call(self, tokens):
        return tokens + self.position


class _Attention(keras.layers.Layer):
    """Multi-head attention to what is there. A few large products: Keras's own takes 3.6 times as
    long on a CPU, with 13 tokens."""

    def __init__(self, out: int):
        super().__init__()
        self._out = out
        self._ask, self._mix = keras.layers.Dense(3 * out), keras.layers.Dense(out)

    def build(self, shape, *_):
        self._ask.build(shape)
        self._mix.build(shape)

    def call(self, tokens, present):
        count, width = tokens.shape[1], self._out // HEADS
        asked = tf.reshape(self._ask(tokens), (-1, count, 3, HEADS, width))
        query, key, value = tf.unstack(tf.transpose(asked, (2, 0, 3, 1, 4)), 3)
        weight = tf.matmul(query, key, transpose_b=True) / width**0.5
        # Of a detection without any bodypart all weights are alike; `embed` says it is unknown.
        weight = tf.nn.softmax(tf.where(present[:, None, None], weight, -1e9))
        mixed = tf.transpose(tf.matmul(weight, value), (0, 2, 1, 3))
        return self._mix(tf.reshape(mixed, (-1, count, self._out)))


class _DropPath(keras.layers.Layer):
    """Leaves a branch out, of some of the examples of a batch."""

    def __init__(self, rate: float):
        super().__init__()
        self._rate = rate
        self._seeds = keras.random.SeedGenerator()

    def call(self, x, training=False):
        if not training or not self._rate:
            return x
        drawn = keras.random.uniform((tf.shape(x)[0], 1, 1), seed=self._seeds)
        return tf.where(drawn < self._rate, 0.0, x / (1 - self._rate))


class _Pool(keras.layers.Layer):
    """The mean of the tokens that are there, of length 1."""

    def call(self, tokens, present):
        weight = tf.cast(present, tf.float32)[..., None]
        mean = tf.reduce_sum(tokens * weight, axis=1) / tf.maximum(
            tf.reduce_sum(weight, axis=1), 1.0
        )
        return tf.math.l2_normalize(mean, axis=-1)


def network(bodyparts: int, dims: int, out: int) -> keras.Model:
    """Vectors (n, bodyparts, dims) and what of them is present, bool (n, bodyparts), to (n, out) of
    length 1."""
    vectors = keras.Input((bodyparts, dims), name="vectors")
    present = keras.Input((bodyparts,), dtype="bool", name="present")
    x = keras.layers.Dense(out)(_Scale((bodyparts, dims))(vectors, present))
    x = _Position((bodyparts, out))(x)
    for block in range(BLOCKS):
        rate = DROP_PATH * block / (BLOCKS - 1)
        y = keras.layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + _DropPath(rate)(_Attention(out)(y, present))
        y = keras.layers.LayerNormalization(epsilon=1e-6)(x)
        y = keras.layers.Dense(out, activation="gelu")(y)
        x = x + _DropPath(rate)(keras.layers.Dense(out)(y))
    x = keras.layers.LayerNormalization(epsilon=1e-6)(x)
    return keras.Model([vectors, present], _Pool()(x, present), name="reid")


def embed(model: keras.Model, vectors: np.ndarray, present: np.ndarray) -> np.ndarray:
    """float32 (n, dims) of length 1; a detection without a usable bodypart is NaN.

    Args:
      vectors: (n, bodyparts, dims), any floating point; present: bool (n, bodyparts).

    Raises:
      ValueError: shapes do not fit each other, or the network.
    """
    there = scaling.usable(vectors, present)
    if vectors.shape[1:] != model.input_shape[0][1:]:
        raise ValueError(
            "vectors must be (n, {}, {}): bodyparts and dims.".format(*model.input_shape[0][1:])
            + f" Received: {vectors.shape}"
        )
    found = np.full((len(vectors), model.output_shape[-1]), np.nan, np.float32)
    some = np.flatnonzero(there.any(axis=1))
    for start in range(0, len(some), _AT_ONCE):
        rows = some[start : start + _AT_ONCE]
        # Batches of one size: another would be traced again.
        full = np.concatenate([rows, np.repeat(rows[:1], _AT_ONCE - len(rows))])
        given = [clean(vectors[full], there[full]), there[full]]
        found[rows] = np.asarray(model.predict_on_batch(given))[: len(rows)]
    return found


def clean(vectors: np.ndarray, present: np.ndarray) -> np.ndarray:
    """float32 vectors, 0 where there is nothing: no NaN gets further than here."""
    return np.where(present[..., None], vectors.astype(np.float32), np.float32(0))


def save(folder: storage.Address, model: keras.Model, info: ReidInfo) -> ReidInfo:
    """Writes the network into a folder of its own, whole or not at all. Returns what it says.

    Args:
      info: `bodyparts`, their names, and `descriptors`, a digest of what made the vectors, which
        `load` compares; and whatever else says what it was trained on.

    Raises:
      ValueError: other bodyparts than the network's.
    """
    parts, dims = model.input_shape[0][1:]
    if len(info.bodyparts) != parts:
        raise ValueError(
            f"The network has {counted(parts, 'bodypart')}. Received: {info.bodyparts}"
        )
    arrays = {f"w{i}": np.asarray(v) for i, v in enumerate(model.variables)}
    info = info.replace(version=_VERSION, dims=dims, out=model.output_shape[-1])
    with storage.replacing_folder(folder) as temporary:
        np.savez(temporary / WEIGHTS, allow_pickle=False, **arrays)
        artefacts.complete(temporary, info)
    return info


def load(
    folder: storage.Address, *, bodyparts: Sequence[str], dims: int, descriptors: str
) -> tuple[keras.Model, ReidInfo]:
    """The network of a folder, and its info. Nothing the files say is run.

    Args:
      bodyparts, dims, descriptors: of the vectors it is to tell apart.

    Raises:
      FileNotFoundError: there is none, or it was not finished.
      ValueError: it belongs to other vectors, or is damaged; the text names the folder.
    """
    info = artefacts.require(folder, ReidInfo)
    again = f"Train it again for these. ({folder})"
    if info.version != _VERSION:
        raise ValueError(f"{folder} was made by another version of beampose: train it again.")
    if info.bodyparts != list(bodyparts):
        raise ValueError(
            f"The network tells animals apart by bodyparts {info.bodyparts}, but here are "
            f"{list(bodyparts)}. {again}"
        )
    if info.dims != dims or info.descriptors != descriptors:
        raise ValueError(
            f"The network was trained on features of another model ({info.dims} numbers per "
            f"bodypart, {info.descriptors}), here are {dims}, {descriptors}. {again}"
        )
    out = info.out
    if not HEADS <= out <= 1024 or out % HEADS:
        raise ValueError(f"{folder}: `out` must be a multiple of {HEADS}. Received: {out!r}")
    model = network(len(bodyparts), dims, out)
    with storage.local(storage.place(folder, WEIGHTS)) as file:
        try:
            _fill(model, file)
        except (OSError, ValueError) as error:
            raise ValueError(f"{folder} is damaged ({error}): train it again.") from error
    return model, info


def _fill(model: keras.Model, file) -> None:
    shapes = {f"w{i}": tuple(v.shape) for i, v in enumerate(model.variables)}
    with npz_files.archive(file) as archive:
        # Before anything is unpacked: a small file may hold a large one.
        sizes = {one.filename.removesuffix(".npy"): one.file_size for one in archive.infolist()}
    if sizes.keys() != shapes.keys():
        raise ValueError("its weights belong to another network")
    most = {name: 8 * int(np.prod(shape)) + _HEADER for name, shape in shapes.items()}
    if any(size > most[name] for name, size in sizes.items()):
        raise ValueError("its weights are larger than the network")
    with npz_files.opened(file) as saved:
        values = {name: saved[name] for name in shapes}
    for (name, shape), variable in zip(shapes.items(), model.variables, strict=True):
        value = values[name]
        if value.shape != shape or value.dtype.kind not in "fiu" or not np.isfinite(value).all():
            raise ValueError(f"{name} does not hold {shape} numbers")
        variable.assign(value)
