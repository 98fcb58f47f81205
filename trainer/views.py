"""Views of a frame for finetuning: turned, zoomed, brightened, cut; points moved alike.

A view is drawn with NumPy, from a generator of random numbers and the labels alone, and sampled
with TensorFlow. Points are x, y from the corner of the first pixel; pixels are those the network
sees, of the frame scaled to whole cells.
"""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from beampose.core.settings.experiment import Features
from beampose.trainer.dataset import NEAR


class Change(NamedTuple):
    """A drawn change. `matrix` (2, 3) maps points of a frame to points of the changed frame."""

    matrix: np.ndarray
    gain: float


UNCHANGED = Change(np.eye(2, 3), 1.0)


def draw(features: Features, size: np.ndarray, rng: np.random.Generator, shift: bool) -> Change:
    """Draws a change within the ranges of the settings, about the middle of the frame.

    Args:
      size: (2,) width and height of the frame.
      shift: also moves it by up to `features.translation`; where windows are cut, they do that.
    """
    angle, zoom, dx, dy, gain = rng.uniform(-1, 1, 5)
    turn = np.deg2rad(angle * features.rotation)
    # As the stored copies: as often 1 / 1.2 as 1.2.
    scale = (1 + features.zoom) ** zoom
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = np.array([dx, dy]) * size * features.translation * shift
    matrix = np.column_stack([linear, size / 2 - linear @ (size / 2) + moved])
    return Change(matrix, 1 + gain * features.contrast)


def move(change: Change, points: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Points (..., 2) of a frame in the changed frame of the same size; NaN where they left it."""
    moved = points @ change.matrix[:, :2].T + change.matrix[:, 2]
    outside = ((moved < 0) | (moved >= size)).any(axis=-1)
    return np.where(outside[..., None], np.nan, moved)


def corner(points: np.ndarray, size: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """x and y of the first pixel of a window, mostly around one of the points; int (2,).

    It lies inside the frame as far as it fits.
    """
    known = points.reshape(-1, 2)
    known = known[np.isfinite(known).all(axis=1)]
    limits = np.maximum(size.astype(int) - side, 0)
    if len(known) and rng.random() < NEAR:
        wanted = np.floor(known[rng.integers(len(known))]).astype(int) - rng.integers(side, size=2)
    else:
        wanted = rng.integers(limits + 1)
    return np.clip(wanted, 0, limits)


def sampling(change: Change, first: np.ndarray) -> np.ndarray:
    """Transform from a window's pixels to the frame's, float32 (8,), as `look` takes it.

    Args:
      first: x and y of the window's first pixel in the changed frame.
    """
    back = np.linalg.inv(change.matrix[:, :2])
    # TensorFlow counts from pixel centres.
    offset = back @ (first + 0.5 - change.matrix[:, 2]) - 0.5
    rows = np.column_stack([back, offset])
    return np.concatenate([rows.ravel(), [0.0, 0.0]]).astype(np.float32)


def look(frame: tf.Tensor, sampling: tf.Tensor, gain: tf.Tensor, side: int) -> tf.Tensor:
    """The window of a changed frame.

    Args:
      frame: float32 (height, width, 3), 0 to 255.
      sampling: see `sampling`.
      gain: of the contrast.
      side: of the square window.

    Returns:
      float32 (side, side, 3), 0 to 255; outside the frame its edge is repeated.
    """
    found = tf.raw_ops.ImageProjectiveTransformV3(
        images=frame[None],
        transforms=sampling[None],
        output_shape=tf.constant([side, side]),
        fill_value=tf.constant(0.0),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )[0]
    mean = tf.reduce_mean(found)
    changed = tf.clip_by_value((found - mean) * gain + mean, 0.0, 255.0)
    return tf.ensure_shape(changed, (side, side, 3))
