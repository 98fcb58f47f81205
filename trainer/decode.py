"""Score maps and location refinement to keypoints with likelihood; inverse of `trainer.targets`."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Cells around the peak that vote on its place. A cell's vote is its own estimate of the keypoint,
# weighted by its squared probability: in trials on openfield the error fell by 17 to
# 25 % against the peak cell alone, and cells of an ideal map all vote for the same point.
VOTE_RADIUS = 2
# Peaks of a bodypart among which the others help to choose.
CANDIDATES = 5
# Points of a line between two peaks at which a part affinity field is read; DeepLabCut's number.
SAMPLES = 10
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


class Peaks(NamedTuple):
    """Places of each bodypart, as many as there may be; those with likelihood 0 are none.

    Attributes:
      place: float32 (batch, bodyparts, peaks, 2), x and y in source pixels, always numbers.
      likelihood: (batch, bodyparts, peaks), from the highest down.
      cells: int32 (batch, bodyparts, peaks), flat index of the cell.
    """

    place: tf.Tensor
    likelihood: tf.Tensor
    cells: tf.Tensor


def peaks(
    scoremap: tf.Tensor,
    locref: tf.Tensor,
    x: tf.Tensor,
    y: tf.Tensor,
    *,
    locref_stdev: float,
    count: int,
    apart: float,
) -> Peaks:
    """The highest local maxima of each bodypart, however many the maps have.

    Args:
      scoremap, locref, x, y, locref_stdev: as in `keypoints`.
      count: of peaks.
      apart: source pixels; of peaks that mean nearly the same place only the highest stays.
    """
    cells, likelihood = _peaks(scoremap, 2 * count, neighbours=1)
    place = _vote(scoremap, locref, x, y, cells, locref_stdev, agreed=2 * apart)
    offsets = place[:, :, :, None] - place[:, :, None]
    near = tf.reduce_sum(offsets**2, axis=-1) < apart**2
    # The highest come first: a peak yields to those before it.
    before = np.tril(np.ones((2 * count, 2 * count), bool), -1)
    likelihood = tf.where(tf.reduce_any(near & before, axis=-1), 0.0, likelihood)
    likelihood, chosen = tf.math.top_k(likelihood, count)
    return Peaks(
        tf.gather(place, chosen, axis=2, batch_dims=2),
        likelihood,
        tf.gather(cells, chosen, axis=2, batch_dims=2),
    )


def edge_costs(found: Peaks, paf: tf.Tensor, cell: tf.Tensor, edges: np.ndarray) -> tf.Tensor:
    """Scores how well the field along the line between two peaks points from one to the other.

    The mean of its component along the line, sampled at `SAMPLES` points from end to end (the line
    integral of Cao et al. 2017): 1 at best, 0 or less where no animal joins them, 0 where one of
    them is no peak.

    Args:
      paf: (batch, rows, columns, edges, 2).
      cell: (batch, 2), width and height of a cell in source pixels.
      edges: int (edges, 2), indices of bodyparts.

    Returns:
      float32 (batch, edges, peaks, peaks): rows are peaks of the edge's first bodypart.
    """
    first = tf.gather(found.place, edges[:, 0], axis=1)[:, :, :, None]
    second = tf.gather(found.place, edges[:, 1], axis=1)[:, :, None]
    along = second - first
    length = tf.sqrt(tf.reduce_sum(along**2, axis=-1, keepdims=True))
    steps = tf.linspace(0.0, 1.0, SAMPLES)[:, None]
    points = first[..., None, :] + steps * along[..., None, :]
    shape = tf.shape(paf)
    at = tf.cast(points / cell[:, None, None, None, None], tf.int32)
    column = tf.clip_by_value(at[..., 0], 0, shape[2] - 1)
    row = tf.clip_by_value(at[..., 1], 0, shape[1] - 1)
    edge = tf.range(len(edges))[:, None, None, None]
    flat = tf.reshape(paf, (shape[0], -1, 2))
    field = tf.gather(flat, (row * shape[2] + column) * len(edges) + edge, batch_dims=1)
    mean = tf.reduce_mean(field, axis=-2)
    cost = tf.math.divide_no_nan(tf.reduce_sum(mean * along, axis=-1), length[..., 0])
    real = found.likelihood > 0
    a, b = (tf.gather(real, edges[:, side], axis=1) for side in (0, 1))
    return tf.where(a[..., :, None] & b[..., None, :], cost, 0.0)


def at_cells(maps: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
    """The channels of maps (batch, rows, columns, channels) at flat cells (batch, …)."""
    shape = tf.shape(maps)
    flat = tf.reshape(maps, (shape[0], shape[1] * shape[2], maps.shape[-1]))
    return tf.gather(flat, cells, batch_dims=1)


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


def _peaks(
    scoremap: tf.Tensor, count: int, neighbours: int | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The highest local peaks: flat cell index and probability, (batch, bodyparts, count).

    Args:
      neighbours: cells to each side that a peak must not be below; then what is no peak has
        probability 0. None: those that vote, and what is no peak may fill the count.
    """
    shape = tf.shape(scoremap)
    if count > 1 or neighbours is not None:
        size = 2 * (VOTE_RADIUS if neighbours is None else neighbours) + 1
        highest = tf.nn.max_pool2d(scoremap, size, 1, "SAME")
        # What is no peak comes after every peak, in a map of fewer peaks than are asked for.
        scores = tf.where(scoremap >= highest, scoremap, scoremap - 1.0)
    else:
        scores = scoremap
    flat = tf.reshape(tf.transpose(scores, (0, 3, 1, 2)), (shape[0], shape[3], -1))
    if count == 1 and neighbours is None:
        cells = tf.argmax(flat, axis=2, output_type=tf.int32)[..., None]
    else:
        short = tf.maximum(count - tf.shape(flat)[2], 0)
        flat = tf.pad(flat, ((0, 0), (0, 0), (0, short)), constant_values=-2.0)
        best = tf.math.top_k(flat, count)
        cells = tf.minimum(best.indices, shape[1] * shape[2] - 1)
        if neighbours is not None:
            return cells, tf.maximum(best.values, 0.0)
    flat = tf.reshape(tf.transpose(scoremap, (0, 3, 1, 2)), (shape[0], shape[3], -1))
    return cells, tf.gather(flat, cells, axis=2, batch_dims=2)


def _vote(
    scoremap: tf.Tensor,
    locref: tf.Tensor,
    x: tf.Tensor,
    y: tf.Tensor,
    cells: tf.Tensor,
    locref_stdev: float,
    agreed: float | None = None,
) -> tf.Tensor:
    """Averages where the cells around each candidate (batch, bodyparts, count) place it: (…, 2).

    With `agreed`, cells that mean a place farther than that from the peak cell's own do not vote:
    they speak of another animal.
    """
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
    if agreed is not None:
        said = centre + offset
        own = said[..., 2 * VOTE_RADIUS * (VOTE_RADIUS + 1), :]
        beyond = tf.reduce_sum((said - own[..., None, :]) ** 2, axis=-1) > agreed**2
        votes = tf.where(beyond, 0.0, votes)
    total = tf.reduce_sum(votes, axis=-1, keepdims=True)
    # A peak of probability zero has no votes: its place is the mean of the window.
    votes = tf.where(total > 0, votes, tf.cast(inside, tf.float32))
    place = tf.reduce_sum(votes[..., None] * (centre + offset), axis=-2)
    return place / tf.reduce_sum(votes, axis=-1)[..., None]


def _choose(place: tf.Tensor, likelihood: tf.Tensor, reach: tf.Tensor) -> tf.Tensor:
    """Chooses each bodypart's candidate that fits the others best, int32 (batch, bodyparts).

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
    # Not by einsum, which other runtimes do not know.
    support = tf.reduce_sum(apart * taken[:, None, None], axis=[3, 4])
    return tf.argmax(unary + support, axis=-1, output_type=tf.int32)
