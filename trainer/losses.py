"""DeepLabCut's pose loss on maps of any size: cells outside an image weigh nothing.

In a `tf.distribute` strategy of several replicas each gives its share of the loss of a batch:
the shares add up to what one device says of all of it.
"""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import tensorflow as tf


def scoremap_loss(logits: tf.Tensor, scoremap: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Mean sigmoid cross-entropy.

    Args:
      logits, scoremap: (batch, rows, columns, bodyparts).
      weights: (batch, rows, columns), 1 inside the image, 0 in padding.
    """
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=scoremap, logits=logits)
    per_cell = tf.reduce_mean(entropy, axis=-1)
    return tf.reduce_sum(per_cell * weights) / _of_all(tf.reduce_sum(weights))


def locref_loss(predicted: tf.Tensor, locref: tf.Tensor, scoremap: tf.Tensor) -> tf.Tensor:
    """Mean Huber loss (delta 1) over the cells of the discs, 0 if there are none.

    Args:
      predicted, locref: (batch, rows, columns, bodyparts, 2).
      scoremap: (batch, rows, columns, bodyparts), 1 where the offset is known.
    """
    error = tf.abs(predicted - locref)
    huber = tf.where(error < 1.0, 0.5 * error**2, error - 0.5)
    return tf.math.divide_no_nan(
        tf.reduce_sum(huber * scoremap[..., None]), 2.0 * _of_all(tf.reduce_sum(scoremap))
    )


def paf_loss(predicted: tf.Tensor, paf: tf.Tensor, inside: tf.Tensor) -> tf.Tensor:
    """Squared error of part affinity fields over the number of cells that hold one.

    Divided by all cells, as DeepLabCut does, the loss of thin fields would hardly count.

    Args:
      predicted, paf: (batch, rows, columns, edges, 2).
      inside: (batch, rows, columns), 1 inside the image, 0 in padding.
    """
    squared = tf.reduce_sum((predicted - paf) ** 2, axis=-1) * inside[..., None]
    held = tf.cast(tf.reduce_any(paf != 0, axis=-1), tf.float32) * inside[..., None]
    return tf.reduce_sum(squared) / tf.maximum(_of_all(tf.reduce_sum(held)), 1.0)


def class_loss(logits: tf.Tensor, labels: tf.Tensor, ahead: tf.Tensor) -> tf.Tensor:
    """Mean softmax cross-entropy of (batch, classes) logits and (batch,) labels.

    Args:
      ahead: (classes,), what classes are given in training, and a crop of another class has to make
        up for; the logarithm of how frequent they are balances them.
    """
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits + ahead)
    return tf.reduce_sum(entropy) / _of_all(tf.cast(tf.size(labels), tf.float32))


def _of_all(total: tf.Tensor) -> tf.Tensor:
    """The sum over all replicas."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return total
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, total)
