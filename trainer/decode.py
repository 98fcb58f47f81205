"""Score maps and location refinement to keypoints with likelihood; inverse of `trainer.targets`."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import numpy as np
import tensorflow as tf

# Cells around the peak that vote on its place. A cell's vote is its own estimate of the keypoint,
# weighted by its squared probability: in trials on openfield the error fell by 17 to
# 25 % against the peak cell alone, and cells of an ideal map all vote for the same point.
VOTE_RADIUS = 2
# Peaks of a bodypart among which the others help to choose.
CANDIDATES = 5
# Log of the least probability a candidate is counted with.
_FLOOR = -9.0
# What a pair out of reach of each other costs at most, in log probability.
_APART = 4.0
# Training frames that must show two bodyparts before their distance says anything.
_SEEN = 5


def keypoints(
    scoremap: tf.Tensor,
    locref: tf.Tensor,
    x: tf.Tensor,
    y: tf.Tensor,
    *,
    locref_stdev: float,
    reach: np.ndarray | None = None,
) -> tf.Tensor:
    """The most likely place of each bodypart.

    Args:
      scoremap: probabilities, float32 (batch, rows, columns, bodyparts).
      locref: (batch, rows, columns, bodyparts, 2), in units of `locref_stdev`.
      x, y: cell centres, (batch, columns) and (batch, rows), see `targets.centres`.
      reach: how far bodyparts lie from each other, see `reaches`. A peak that no other bodypart
        can belong to then yields to a lower one that fits. None: the highest peak counts.

    Returns:
      float32 (batch, bodyparts, 3): x, y in source pixels, and the likelihood, which is the
      probability at the cell of the peak.
    """
    count = 1 if reach is None else CANDIDATES
    cells, likelihood = _peaks(scoremap, count)
    place = _vote(scoremap, locref, x, y, cells, locref_stdev)
    if reach is None:
        chosen = tf.zeros(tf.shape(likelihood)[:2], tf.int32)
    else:
        chosen = _choose(place, likelihood, tf.constant(reach, tf.float32))
    return tf.concat(
        [
            tf.gather(place, chosen, axis=2, batch_dims=2),
            tf.gather(likelihood, chosen, axis=2, batch_dims=2)[..., None],
        ],
        axis=-1,
    )


def reaches(keypoints: np.ndarray) -> np.ndarray | None:
    """The largest distance of each two bodyparts in the training frames.

    Args:
      keypoints: (frames, bodyparts, 2), NaN = not labeled.

    Returns:
      float32 (bodyparts, bodyparts), infinite where too few frames show both; None if no pair says
      anything.
    """
    bodyparts = keypoints.shape[1]
    found = np.full((bodyparts, bodyparts), np.inf, np.float32)
    for i in range(bodyparts):
        distance = np.linalg.norm(keypoints[:, i, None] - keypoints, axis=-1)
        seen = np.isfinite(distance).sum(axis=0) >= _SEEN
        found[i, seen] = np.nanmax(distance[:, seen], axis=0)
    np.fill_diagonal(found, np.inf)
    return found if np.isfinite(found).any() else None


def _peaks(scoremap: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The highest local peaks: flat cell index and probability, (batch, bodyparts, count)."""
    shape = tf.shape(scoremap)
    if count > 1:
        size = 2 * VOTE_RADIUS + 1
        highest = tf.nn.max_pool2d(scoremap, size, 1, "SAME")
        # What is no peak comes after every peak, in a map of fewer peaks than are asked for.
        scores = tf.where(scoremap >= highest, scoremap, scoremap - 1.0)
    else:
        scores = scoremap
    flat = tf.reshape(tf.transpose(scores, (0, 3, 1, 2)), (shape[0], shape[3], -1))
    if count == 1:
        cells = tf.argmax(flat, axis=2, output_type=tf.int32)[..., None]
    else:
        short = tf.maximum(count - tf.shape(flat)[2], 0)
        flat = tf.pad(flat, ((0, 0), (0, 0), (0, short)), constant_values=-2.0)
        cells = tf.minimum(tf.math.top_k(flat, count).indices, shape[1] * shape[2] - 1)
    flat = tf.reshape(tf.transpose(scoremap, (0, 3, 1, 2)), (shape[0], shape[3], -1))
    return cells, tf.gather(flat, cells, axis=2, batch_dims=2)


def _vote(
    scoremap: tf.Tensor,
    locref: tf.Tensor,
    x: tf.Tensor,
    y: tf.Tensor,
    cells: tf.Tensor,
    locref_stdev: float,
) -> tf.Tensor:
    """Where the cells around each candidate (batch, bodyparts, count) say it lies: (…, 2)."""
    shape = tf.shape(scoremap)
    window = tf.range(-VOTE_RADIUS, VOTE_RADIUS + 1)
    row, column = cells // shape[2], tf.math.floormod(cells, shape[2])
    r = row[..., None] + tf.repeat(window, 2 * VOTE_RADIUS + 1)
    c = column[..., None] + tf.tile(window, [2 * VOTE_RADIUS + 1])
    inside = (r >= 0) & (r < shape[1]) & (c >= 0) & (c < shape[2])
    r, c = tf.clip_by_value(r, 0, shape[1] - 1), tf.clip_by_value(c, 0, shape[2] - 1)
    bodypart = tf.broadcast_to(tf.range(shape[3])[None, :, None, None], tf.shape(r))
    index = tf.stack([r, c, bodypart], axis=-1)
    votes = tf.where(inside, tf.gather_nd(scoremap, index, batch_dims=1), 0.0) ** 2
    offset = tf.gather_nd(locref, index, batch_dims=1) * locref_stdev
    centre = tf.stack([tf.gather(x, c, batch_dims=1), tf.gather(y, r, batch_dims=1)], axis=-1)
    total = tf.reduce_sum(votes, axis=-1, keepdims=True)
    # A peak of probability zero has no votes: its place is the mean of the window.
    votes = tf.where(total > 0, votes, tf.cast(inside, tf.float32))
    place = tf.reduce_sum(votes[..., None] * (centre + offset), axis=-2)
    return place / tf.reduce_sum(votes, axis=-1)[..., None]


def _choose(place: tf.Tensor, likelihood: tf.Tensor, reach: tf.Tensor) -> tf.Tensor:
    """Which candidate of each bodypart fits those of the others best, int32 (batch, bodyparts).

    Every candidate in turn is taken for true, and each other bodypart chooses by its probability
    and its distance from it; the best such constellation wins. Then each bodypart chooses once
    more, by its distance from all the others.
    """
    unary = tf.maximum(tf.math.log(tf.maximum(likelihood, 1e-30)), _FLOOR)
    bodyparts = tf.shape(unary)[1]
    offsets = place[:, :, :, None, None] - place[:, None, None, :, :]
    distance = tf.sqrt(tf.reduce_sum(offsets**2, axis=-1))
    limit = tf.maximum(reach, 1.0)[:, None, :, None]
    beyond = tf.maximum(distance - limit, 0.0) / (0.25 * limit)
    # (batch, bodypart, candidate, other bodypart, its candidate)
    apart = -tf.minimum(beyond**2, _APART)
    answers = unary[:, None, None] + apart
    score = tf.reduce_sum(tf.reduce_max(answers, axis=-1), axis=-1)
    count = tf.shape(unary)[2]
    best = tf.argmax(tf.reshape(score, (-1, bodyparts * count)), axis=1, output_type=tf.int32)
    flat = tf.reshape(answers, (-1, bodyparts * count, bodyparts, count))
    first = tf.argmax(tf.gather(flat, best, batch_dims=1), axis=-1, output_type=tf.int32)
    taken = tf.one_hot(first, count)
    support = tf.einsum("bikjl,bjl->bik", apart, taken)
    return tf.argmax(unary + support, axis=-1, output_type=tf.int32)
