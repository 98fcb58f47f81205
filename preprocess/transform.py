"""Augmented copies: an image changed together with its keypoints, and the way back."""

import hashlib
from typing import NamedTuple

import cv2
import numpy as np

# A window's place is told in parts of its side.
STEPS = 8


class Ranges(NamedTuple):
    """Ranges of a copy's changes: degrees, shares of size and contrast, blur sigma in pixels."""

    rotation: float
    zoom: float
    translation: float
    contrast: float
    blur: float


class Window(NamedTuple):
    """Part of an image: its first pixel and its size, in pixels."""

    left: int
    top: int
    width: int
    height: int


class Copy(NamedTuple):
    """One drawn change.

    Attributes:
      matrix: (2, 3), maps points of the source to points of the copy.
      gain, sigma: of contrast and blur.
      height, width: of the copy.
    """

    matrix: np.ndarray
    gain: float
    sigma: float
    height: int
    width: int


def draw(ranges: Ranges, seed: str, seen: Window) -> Copy:
    """Draws a change of an image; the same for the same seed on every machine.

    Args:
      seen: the part that the copy shows, changed about its middle; what is beside it moves in.
    """
    code = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "little")
    angle, zoom, dx, dy, gain, sigma = np.random.default_rng(code).uniform(-1, 1, 6)
    turn = np.deg2rad(angle * ranges.rotation)
    # Zoom is symmetric in its logarithm: as often 1 / 1.2 as 1.2.
    scale = (1 + ranges.zoom) ** zoom
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    size = np.array([seen.width, seen.height])
    middle = size / 2 + [seen.left, seen.top]
    shift = np.array([dx, dy]) * size * ranges.translation
    matrix = np.column_stack([linear, size / 2 - linear @ middle + shift])
    gain, sigma = 1 + gain * ranges.contrast, abs(sigma) * ranges.blur
    return Copy(matrix, gain, sigma, seen.height, seen.width)


def whole(height: int, width: int) -> Window:
    """All of an image."""
    return Window(0, 0, width, height)


def animal(keypoints: np.ndarray, copy: int, side: int, height: int, width: int) -> Window | None:
    """What copy number `copy` of an image shows: one labeled animal of it after the other.

    Args:
      keypoints: (individuals, bodyparts, 2), NaN = not labeled.
      side: of the window, pixels; 0: all of the image.

    Returns:
      None for all of the image.
    """
    labeled = keypoints[np.isfinite(keypoints).all(axis=-1).any(axis=-1)]
    if not side or not len(labeled):
        return None
    return around(labeled[(copy - 1) % len(labeled)], side, height, width)


def around(points: np.ndarray, side: int, height: int, width: int) -> Window:
    """A window about the middle of some points that lies in the image, as far as it fits.

    Its place goes in steps: a point that is labeled a little differently seldom moves it.

    Args:
      points: (n, 2), at least one finite.
      side: of the window, pixels.
      height, width: of the image.
    """
    known = points[np.isfinite(points).all(axis=-1)]
    size = np.minimum(side, [width, height])
    step = max(side // STEPS, 1)
    middle = step * np.round((known.min(axis=0) + known.max(axis=0)) / 2 / step)
    left, top = np.clip(np.round(middle - size / 2), 0, [width, height] - size).astype(int)
    return Window(int(left), int(top), int(size[0]), int(size[1]))


def apply(copy: Copy, pixels: np.ndarray) -> np.ndarray:
    """The changed image, uint8 (height, width, 3) of the copy; edge pixels are repeated."""
    # OpenCV counts from pixel centres, keypoints from the corner of the first pixel.
    half = np.full(2, 0.5)
    matrix = copy.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ half - half
    moved = cv2.warpAffine(
        pixels,
        matrix,
        (copy.width, copy.height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if copy.sigma > 0.1:
        moved = cv2.GaussianBlur(moved, (0, 0), copy.sigma)
    mean = float(moved.mean())
    return np.clip((moved - mean) * copy.gain + mean, 0, 255).astype(np.uint8)


def move(copy: Copy, keypoints: np.ndarray) -> np.ndarray:
    """Keypoints (..., 2) of the source in the copy; NaN where they are not in it."""
    moved = keypoints @ copy.matrix[:, :2].T + copy.matrix[:, 2]
    outside = ((moved < 0) | (moved >= np.array([copy.width, copy.height]))).any(axis=-1)
    return np.where(outside[..., None], np.nan, moved)
