"""Backbone weights by name: download with a digest, a file, a bucket, or a seed."""

import hashlib
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np

from trainer.config import is_address

# Where keras.applications keeps its files; a mirror behind a firewall can stand in.
MIRROR = "BEAMPOSE_WEIGHTS_URL"
HOME = "https://storage.googleapis.com/tensorflow/keras-applications"


def is_random(weights: str) -> bool:
    return weights.startswith("random:")


def check(weights: str) -> None:
    """Raises ValueError or FileNotFoundError if `weights` cannot name weights."""
    if is_random(weights):
        if not weights.removeprefix("random:").isdigit():
            raise ValueError(f"features.weights must be random:SEED. Received: {weights!r}.")
    elif weights == "builtin":
        raise ValueError(
            "features.weights: builtin needs a backbone whose weights ship with the package; this "
            "version has none. Use imagenet, a path, or random:SEED."
        )
    elif weights != "imagenet" and not is_address(weights):
        if Path(weights).suffix not in (".h5", ".keras"):
            raise ValueError(f"features.weights must be an .h5 file. Received: {weights!r}.")
        if not Path(weights).is_file():
            raise FileNotFoundError(f"features.weights: no file {weights}.")


def load(model, weights: str, *, file: str, md5: str | None) -> None:
    """Fills a Keras model.

    Args:
      weights: `imagenet`, `random:SEED`, a path or an address.
      file: where the ImageNet weights lie below `HOME`.
      md5: their checksum, if their publisher names one.

    Raises:
      OSError: the download failed; the text says what to do instead.
      ValueError: the file does not fit the model.
    """
    check(weights)
    if is_random(weights):
        _randomize(model, int(weights.removeprefix("random:")))
    elif weights == "imagenet":
        _load_file(model, _download(file, md5))
    elif is_address(weights):
        with tempfile.TemporaryDirectory() as folder:
            _load_file(model, _fetch(weights, folder))
    else:
        _load_file(model, weights)


def digest(model) -> str:
    """sha256 of all weights in order, in hex: the same however they were stored."""
    code = hashlib.sha256()
    for variable in model.weights:
        array = np.ascontiguousarray(variable.numpy(), dtype="<f4")
        code.update(repr(array.shape).encode())
        code.update(array.data)
    return code.hexdigest()


def _randomize(model, seed: int) -> None:
    # He-normal kernels keep the size of activations through the depth of a network.
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name.endswith("kernel"):
            fan_in = float(np.prod(variable.shape[:-1]))
            if "depthwise" in variable.path:
                fan_in = float(np.prod(variable.shape[:2]))
            variable.assign(rng.standard_normal(variable.shape) * np.sqrt(2.0 / fan_in))
    _calibrate(model, rng)


def _calibrate(model, rng: np.random.Generator) -> None:
    """Sets the batch normalisation of random weights to what noise with a natural spectrum gives.

    Without it activations grow from block to block until ReLU6 cuts most of them off.
    """
    import keras

    layers = [la for la in model.layers if isinstance(la, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(_natural_noise(rng, count=4, size=128), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        for variable in layer.non_trainable_variables:
            # Three digits: the same on machines whose kernels differ in the last bits.
            variable.assign(_rounded(variable.numpy()))


def _natural_noise(rng: np.random.Generator, *, count: int, size: int) -> np.ndarray:
    """Float32 (count, size, size, 3), mean 0, power falling with frequency as in photographs."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    white = np.fft.fft2(rng.standard_normal((count, 3, size, size)))
    coloured = np.fft.ifft2(white / frequency).real
    coloured /= coloured.std(axis=(2, 3), keepdims=True)
    return (0.5 * coloured).clip(-1, 1).transpose(0, 2, 3, 1).astype(np.float32)


def _rounded(values: np.ndarray) -> np.ndarray:
    size = 10.0 ** np.floor(np.log10(np.maximum(np.abs(values), 1e-12)) - 2)
    return np.round(values / size) * size


def _load_file(model, path: str) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that a file lacks, and leaves them their random weights.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise ValueError(f"{path} does not fit backbone {model.name}: {error}") from error


def _download(file: str, md5: str | None) -> str:
    import keras

    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    # Keras turns to a folder that all users share where this one does not exist.
    cache.mkdir(parents=True, exist_ok=True)
    origin = f"{os.environ.get(MIRROR, HOME).rstrip('/')}/{file}"
    try:
        return keras.utils.get_file(
            Path(file).name,
            origin,
            cache_subdir="models",
            cache_dir=str(cache),
            file_hash=md5,
            hash_algorithm="md5",
        )
    except Exception as error:  # Keras raises bare Exception here, and ValueError for the hash.
        raise OSError(
            f"The ImageNet weights could not be had from {origin} ({error}). On a connected "
            "machine download that file, then set features.weights to its path; or set "
            f"{MIRROR} to a mirror. To try the wiring only, use features.weights: random:0."
        ) from error


def _fetch(address: str, folder: str) -> str:
    import tensorflow as tf

    copy = str(Path(folder) / address.rpartition("/")[2])
    try:
        tf.io.gfile.copy(address, copy)
    except tf.errors.OpError as error:
        raise OSError(f"The weights {address} could not be read: {error.message}") from error
    return copy
