"""Several heads that answer as one."""

from collections.abc import Sequence

import tensorflow as tf


def average(values: Sequence[tf.Tensor], weights: Sequence[tf.Tensor] | None = None) -> tf.Tensor:
    """The mean of what each head says; of one head what it says.

    Args:
      weights: of each value, of shapes that broadcast; where all of them are 0 the mean is 0.
    """
    if len(values) == 1:
        return values[0]
    if weights is None:
        return tf.add_n(values) / len(values)
    weighted = tf.add_n([value * weight for value, weight in zip(values, weights, strict=True)])
    return tf.math.divide_no_nan(weighted, tf.add_n(weights))
