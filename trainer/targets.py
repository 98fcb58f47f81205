"""Keypoints to score maps and location refinement; the grid convention stands here.

Cell (row, column) of a map covers a rectangle of the source image; its centre lies at
((column + 0.5) * cell_width, (row + 0.5) * cell_height) in source pixels. Targets are DeepLabCut's
(pose_imgaug.py): a disc of radius `pos_dist_thresh` in the score map, and at its cells the offset
to the keypoint divided by `locref_stdev`. `beampose.trainer.decode` is the inverse.
"""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import numpy as np
import tensorflow as tf


def centres(
    rows: int | tf.Tensor, columns: int | tf.Tensor, cell: tf.Tensor, origin: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cell centres of maps of images of several sizes, or of windows of such maps.

    Args:
      rows, columns: cells of the maps.
      cell: float32 (batch, 2), width and height of a cell in source pixels.
      origin: float32 (batch, 2), x and y of the corner of the first cell in source pixels.

    Returns:
      x (batch, columns) and y (batch, rows), float32 source pixels.
    """
    x = origin[:, 0, None] + cell[:, 0, None] * (tf.range(columns, dtype=tf.float32) + 0.5)
    y = origin[:, 1, None] + cell[:, 1, None] * (tf.range(rows, dtype=tf.float32) + 0.5)
    return x, y


def pose_targets(
    keypoints: tf.Tensor,
    x: tf.Tensor,
    y: tf.Tensor,
    *,
    pos_dist_thresh: float,
    locref_stdev: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Target maps.

    Args:
      keypoints: float32 (batch, individuals, bodyparts, 2), x then y, source pixels, NaN = missing.
      x, y: cell centres, (batch, columns) and (batch, rows).

    Returns:
      scoremap: (batch, rows, columns, bodyparts), 1 inside a disc of any individual, else 0.
      locref: (batch, rows, columns, bodyparts, 2), offset to the nearest individual's keypoint over
        `locref_stdev` where the score map is 1, else 0.
    """
    dx = keypoints[:, None, None, :, :, 0] - x[:, None, :, None, None]
    dy = keypoints[:, None, None, :, :, 1] - y[:, :, None, None, None]
    squared = dx**2 + dy**2
    squared = tf.where(tf.math.is_nan(squared), tf.fill(tf.shape(squared), tf.float32.max), squared)
    individuals = tf.shape(keypoints)[1]
    nearest = tf.one_hot(tf.argmin(squared, axis=3), individuals, True, False, axis=3)
    offset = tf.stack([tf.reduce_sum(tf.where(nearest, d, 0.0), axis=3) for d in (dx, dy)], axis=-1)
    scoremap = tf.cast(tf.reduce_min(squared, axis=3) <= pos_dist_thresh**2, tf.float32)
    locref = tf.where(scoremap[..., None] > 0, offset / locref_stdev, 0.0)
    return scoremap, locref


def paf_targets(
    keypoints: tf.Tensor, x: tf.Tensor, y: tf.Tensor, edges: np.ndarray, *, width: float
) -> tf.Tensor:
    """Part affinity fields (Cao et al. 2017, tapered as in DeepLabCut's pose_multianimal_imgaug).

    Along an edge of an animal, the unit vector from its first bodypart to its second, less the
    farther a cell is from the line and nothing beyond `width`. Where animals cross, the nearer line
    counts.

    Args:
      keypoints, x, y: as in `pose_targets`.
      edges: int (edges, 2), indices of bodyparts.
      width: source pixels.

    Returns:
      (batch, rows, columns, edges, 2), x then y.
    """
    first = tf.gather(keypoints, edges[:, 0], axis=2)
    along = tf.gather(keypoints, edges[:, 1], axis=2) - first
    length = tf.sqrt(tf.reduce_sum(along**2, axis=-1))
    seen = length > 0  # Not where a bodypart is missing, NaN.
    safe = tf.where(seen, length, 1.0)
    unit = tf.where(seen[..., None], along / safe[..., None], 0.0)
    first = tf.where(seen[..., None], first, 0.0)
    dx = x[:, None, :, None, None] - first[:, None, None, ..., 0]
    dy = y[:, :, None, None, None] - first[:, None, None, ..., 1]
    ux, uy = unit[:, None, None, ..., 0], unit[:, None, None, ..., 1]
    forward = dx * ux + dy * uy
    beside = tf.abs(dx * uy - dy * ux) / width
    on = (forward >= 0) & (forward <= safe[:, None, None]) & seen[:, None, None]
    strength = tf.where(on, tf.maximum(1.0 - beside, 0.0), 0.0)
    individuals = tf.shape(keypoints)[1]
    nearest = tf.one_hot(tf.argmax(strength, axis=3), individuals, axis=3) * strength
    return tf.einsum("brcie,biek->brcek", nearest, unit)


def identity_targets(
    keypoints: tf.Tensor, x: tf.Tensor, y: tf.Tensor, *, pos_dist_thresh: float
) -> tf.Tensor:
    """Maps of each individual, (batch, rows, columns, individuals): the union of its discs."""
    # An animal's own bodyparts are to its channel what animals are to a bodypart's.
    by_owner = tf.transpose(keypoints, (0, 2, 1, 3))
    discs, _ = pose_targets(by_owner, x, y, pos_dist_thresh=pos_dist_thresh, locref_stdev=1.0)
    return discs
