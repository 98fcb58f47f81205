"""Augmented copies: an image changed together with its keypoints, and the way back."""

import hashlib
from typing import NamedTuple

import cv2
import numpy as np


class Ranges(NamedTuple):
    """Ranges of a copy's changes: degrees, shares of size and contrast, blur sigma in pixels."""

    rotation: float
    zoom: float
    translation: float
    contrast: float
    blur: float


class Copy(NamedTuple):
    """One drawn change. `matrix` (2, 3) maps points of the source to points of the copy."""

    matrix: np.ndarray
    gain: float
    sigma: float


def draw(ranges: Ranges, seed: str, height: int, width: int) -> Copy:
    """Draws a change of an image; the same for the same seed on every machine."""
    code = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "little")
    angle, zoom, dx, dy, gain, sigma = np.random.default_rng(code).uniform(-1, 1, 6)
    turn = np.deg2rad(angle * ranges.rotation)
    # Zoom is symmetric in its logarithm: as often 1 / 1.2 as 1.2.
    scale = (1 + ranges.zoom) ** zoom
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array([width / 2, height / 2])
    shift = np.array([dx * width, dy * height]) * ranges.translation
    matrix = np.column_stack([linear, centre - linear @ centre + shift])
    return Copy(matrix, 1 + gain * ranges.contrast, abs(sigma) * ranges.blur)


def apply(copy: Copy, pixels: np.ndarray) -> np.ndarray:
    """The changed image, uint8 (height, width, 3), of the same size; edge pixels are repeated."""
    height, width = pixels.shape[:2]
    # OpenCV counts from pixel centres, keypoints from the corner of the first pixel.
    half = np.full(2, 0.5)
    matrix = copy.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ half - half
    moved = cv2.warpAffine(
        pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if copy.sigma > 0.1:
        moved = cv2.GaussianBlur(moved, (0, 0), copy.sigma)
    mean = float(moved.mean())
    return np.clip((moved - mean) * copy.gain + mean, 0, 255).astype(np.uint8)


def move(copy: Copy, keypoints: np.ndarray, height: int, width: int) -> np.ndarray:
    """Keypoints (..., 2) of the source in the copy; NaN where they left the image."""
    moved = keypoints @ copy.matrix[:, :2].T + copy.matrix[:, 2]
    outside = ((moved < 0) | (moved >= np.array([width, height]))).any(axis=-1)
    return np.where(outside[..., None], np.nan, moved)
