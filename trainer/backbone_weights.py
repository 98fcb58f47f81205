"""Backbone weights by name: download with a digest, a package, a file, a bucket, or a seed."""

import hashlib
import os
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np

from beampose.core import npz_files, storage
from beampose.core.files import is_address
from beampose.core.names import NAMED_WEIGHTS
from beampose.trainer import packaged_weights
from beampose.trainer.packaged_weights import Packaged

# Where keras.applications keeps its files; a mirror behind a firewall can stand in.
MIRROR = "BEAMPOSE_WEIGHTS_URL"
HOME = "https://storage.googleapis.com/tensorflow/keras-applications"


# Weights that ship with the package.
BUILTIN = Path(__file__).parent / "builtin"


class Published(NamedTuple):
    """Published weights of a backbone.

    Attributes:
      imagenet: file below `HOME`, None if there are none.
      checksum: of that file, MD5 or SHA-256 in hex, if its publisher names it.
      builtin: file below `BUILTIN`, None if there are none.
      package: of the Python registry that holds them, None if there is none.
    """

    imagenet: str | None = None
    checksum: str | None = None
    builtin: str | None = None
    package: Packaged | None = None

    def names(self) -> list[str]:
        """Values of `features.weights` that stand for them."""
        known = zip(NAMED_WEIGHTS, (self.imagenet, self.builtin, self.package), strict=True)
        return [name for name, there in known if there]


def is_random(weights: str) -> bool:
    return weights.startswith("random:")


def check(weights: str, published: Published) -> None:
    """Raises ValueError or FileNotFoundError if `weights` cannot name weights of a backbone."""
    if is_random(weights):
        if not weights.removeprefix("random:").isdecimal():
            raise ValueError(f"features.weights must be random:SEED. Received: {weights!r}.")
    elif weights in NAMED_WEIGHTS:
        if weights not in published.names():
            others = ", ".join([*published.names(), "a path"])
            raise ValueError(
                f"features.weights: {weights} is not available for this backbone. Use {others}, or "
                "random:SEED."
            )
        if published.package and weights == "package":
            packaged_weights.check(published.package)
    elif not is_address(weights):
        if Path(weights).suffix not in (".h5", ".keras", ".npz"):
            raise ValueError(
                f"features.weights must be an .h5 or .npz file. Received: {weights!r}."
            )
        if not Path(weights).is_file():
            raise FileNotFoundError(f"features.weights: no file {weights}.")


def load(model, weights: str, published: Published) -> None:
    """Fills a Keras model.

    Args:
      weights: `imagenet`, `builtin`, `package`, `random:SEED`, a path or an address.
      published: the weights behind the first three names.

    Raises:
      OSError: the download failed, or the package is missing; the text says what to do.
      ValueError: the file does not fit the model.
    """
    check(weights, published)
    if is_random(weights):
        _randomize(model, int(weights.removeprefix("random:")))
    elif weights == "imagenet":
        _load_file(model, _download(str(published.imagenet), published.checksum))
    elif published.package and weights == "package":
        packaged_weights.load(model, published.package)
    elif weights == "builtin":
        _load_file(model, str(BUILTIN / str(published.builtin)))
    elif is_address(weights):
        with tempfile.TemporaryDirectory() as folder:
            _load_file(model, _fetch(weights, folder))
    else:
        _load_file(model, weights)


def save_npz(model, file: Path) -> None:
    """Writes all weights as bfloat16, by the path of each variable, in NumPy's npz."""
    arrays = {v.path: v.numpy().astype(ml_dtypes.bfloat16).view(np.uint16) for v in model.weights}
    with storage.replacing(file) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)


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

    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            # What it drops is drawn anew, and a seed names its weights. Nothing here trains by it.
            layer.rate = 0.0
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
    if path.endswith(".npz"):
        _load_npz(model, path)
        return
    _check(path)
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that a file lacks, and leaves them their random weights.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise ValueError(f"{path} does not fit backbone {model.name}: {error}") from error


def _check(path: str) -> None:
    """Refuses weights that lie in other files, which Keras would read."""
    from beampose.core import h5

    try:
        if path.endswith(".keras"):
            with npz_files.archive(path) as archive:
                data = archive.read("model.weights.h5")
        else:
            data = path
        with h5.opened(data) as root:
            root.check()
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as weights: {error}") from None


def _load_npz(model, path: str) -> None:
    """Loads the weights that `save_npz` wrote."""
    try:
        with npz_files.opened(path) as saved:
            arrays = {name: saved[name].view(ml_dtypes.bfloat16) for name in saved.files}
        for variable in model.weights:
            variable.assign(arrays.pop(variable.path).astype(np.float32))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} does not fit backbone {model.name}: {error}") from error
    if arrays:
        raise ValueError(f"{path} does not fit backbone {model.name}: {len(arrays)} extra arrays.")


def _download(file: str, checksum: str | None) -> str:
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
            file_hash=checksum,
        )
    except Exception as error:  # Keras raises bare Exception here, and ValueError for the hash.
        raise OSError(
            f"The ImageNet weights could not be downloaded from {origin} ({error}). On a connected "
            "machine download that file, then set features.weights to its path; or set "
            f"{MIRROR} to a mirror. To try the wiring only, use features.weights: random:0."
        ) from error


def _fetch(address: str, folder: str) -> str:
    copy = Path(folder) / address.rpartition("/")[2]
    try:
        storage.download(storage.place(address), copy)
    except OSError as error:
        raise OSError(f"The weights {address} could not be read: {error}") from error
    return str(copy)
