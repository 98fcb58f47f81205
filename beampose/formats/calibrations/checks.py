"""Numbers of calibrations, checked where they are read: a wrong one would spoil every point."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from beampose.preprocess.cameras import DISTORTIONS, FISHEYE_DISTORTIONS, Camera

# How far a rotation may be from one: files keep some six digits.
_TURNED = 1e-3
# Pixels of a side, as a camera may have.
_LARGEST_SIDE = 1 << 20


def numbers(value: Any, shape: tuple[int, ...] | None, what: str) -> np.ndarray:
    """Finite float64 of a shape; None: of any length.

    Raises:
      ValueError: anything else; the text names `what`.
    """
    try:
        found = np.asarray(value)
        # Text that reads as numbers is none, and neither are lists of unequal length.
        if found.dtype.kind not in "iuf":
            raise ValueError
        found = found.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{what} must be numbers") from None
    found = found.ravel() if shape is None else found
    if shape is not None and found.size == np.prod(shape):
        found = found.reshape(shape)
    if shape is not None and found.shape != shape:
        raise ValueError(f"{what} must hold {' x '.join(map(str, shape))} numbers")
    if not np.isfinite(found).all():
        raise ValueError(f"{what} must be finite numbers")
    return found


def matrix(value: Any, what: str) -> np.ndarray:
    """A camera matrix."""
    found = numbers(value, (3, 3), what)
    if found[0, 0] <= 0 or found[1, 1] <= 0 or not np.allclose(found[2], [0, 0, 1], atol=1e-9):
        raise ValueError(f"{what} must be a camera matrix: fx 0 cx, 0 fy cy, 0 0 1 with fx, fy > 0")
    return found


def distortion(value: Any, what: str, *, fisheye: bool = False) -> np.ndarray:
    found = numbers(value, None, what)
    known = FISHEYE_DISTORTIONS if fisheye else DISTORTIONS
    if len(found) not in known:
        counts = ", ".join(map(str, known))
        raise ValueError(f"{what} must hold {counts} coefficients. Received: {len(found)}")
    # OpenCV takes no fewer than four.
    return np.pad(found, (0, max(4 - len(found), 0)))


def rotation(value: Any, what: str) -> np.ndarray:
    """(3, 3), or (3,) Rodrigues as it stands."""
    if np.size(value) == 3:
        return numbers(value, (3,), what)
    found = numbers(value, (3, 3), what)
    if np.abs(found @ found.T - np.eye(3)).max() > _TURNED or np.linalg.det(found) < 0:
        raise ValueError(f"{what} must be a rotation: three perpendicular rows of length 1")
    return found


def size(value: Any, what: str) -> tuple[int, int] | None:
    """Height and width, of a file's width and height."""
    if value is None:
        return None
    found = numbers(value, (2,), what)
    if (found < 1).any() or (found > _LARGEST_SIDE).any() or (found % 1).any():
        raise ValueError(f"{what} must be width and height in pixels")
    return int(found[1]), int(found[0])


def cameras(found: Sequence[Camera]) -> tuple[Camera, ...]:
    """Cameras of one file.

    Raises:
      ValueError: none, or two of one name.
    """
    names = [one.name for one in found]
    if not names:
        raise ValueError("no camera is in it")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two cameras are called {twice[0]!r}: give each its own name")
    return tuple(found)
