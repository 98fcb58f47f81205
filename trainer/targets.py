"""Keypoints to score maps and location refinement; the grid convention stands here.

Cell (row, column) of a map covers a rectangle of the source image; its centre lies at
((column + 0.5) * cell_width, (row + 0.5) * cell_height) in source pixels. Targets are DeepLabCut's
(pose_imgaug.py): a disc of radius `pos_dist_thresh` in the score map, and at its cells the offset
to the keypoint divided by `locref_stdev`. `trainer.decode` is the inverse.
"""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

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
