"""An update of the weights: gradient and optimizer, on one device or several."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from beampose.trainer.tasks.contract import Trainable
from beampose.trainer.traced import traced


def adamw(
    rate: keras.optimizers.schedules.LearningRateSchedule, weight_decay: float
) -> keras.optimizers.Optimizer:
    """The optimizer of all training: AdamW."""
    return keras.optimizers.AdamW(rate, weight_decay=weight_decay)  # pyright: ignore[reportArgumentType]


def cosine(rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """A rate that falls as a cosine to 0."""
    return keras.optimizers.schedules.CosineDecay(rate, steps)


class Rounds(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that falls to 0 in each of several rounds, and starts high again after it.

    At the end of a round the weights are as settled as those of a training of its own (warm
    restarts, Loshchilov & Hutter 2017).

    Args:
      rate: at the start of a round.
      ends: the last step of each round, ascending.
    """

    def __init__(self, rate: float, ends: Sequence[int]):
        super().__init__()
        self._rate, self._ends = rate, list(ends)

    def __call__(self, step):
        ends = tf.constant([0, *self._ends], tf.float32)
        now = tf.cast(step, tf.float32)
        number = tf.reduce_sum(tf.cast(now >= ends[1:-1], tf.int32))
        first, last = ends[number], ends[number + 1]
        done = tf.minimum((now - first) / (last - first), 1.0)
        return self._rate * 0.5 * (1.0 + tf.cos(np.pi * done))

    def get_config(self):
        return {"rate": self._rate, "ends": self._ends}


def variables_of(task: Trainable) -> list:
    """What the gradient changes."""
    return [v for model in task.trained for v in model.trainable_variables]


def update(
    task: Trainable,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy | None = None,
) -> Callable:
    """A function that changes the weights by a batch and returns its loss, in all and by parts."""
    variables = variables_of(task)
    kind = type(task.signature)

    def step(*parts):
        with tf.GradientTape() as tape:
            total, losses = task.loss(kind(*parts))
            scaled = optimizer.scale_loss(total)
        gradients = _agreed(tape.gradient(scaled, variables))
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return total, losses

    if strategy is None or strategy.num_replicas_in_sync == 1:
        alone = traced(step, tuple(task.signature))
        return lambda batch: alone(*batch)

    @traced
    def together(parts):
        # The shares of the replicas add up, see `beampose.trainer.losses`; so do their gradients.
        shares = strategy.run(step, args=parts)
        return tf.nest.map_structure(
            lambda share: strategy.reduce(tf.distribute.ReduceOp.SUM, share, axis=None), shares
        )

    return lambda batch: together(_dealt(batch, strategy))


def _dealt(batch, strategy: tf.distribute.Strategy) -> tuple:
    """Each replica's slice of a batch."""
    count = strategy.num_replicas_in_sync

    def deal(part: tf.Tensor):
        slices = tf.split(part, count)
        return strategy.experimental_distribute_values_from_function(
            lambda context: slices[context.replica_id_in_sync_group]
        )

    return tuple(deal(part) for part in batch)


def _agreed(gradients: Sequence[Any]) -> Sequence[Any]:
    """Gradients that are not finite on one replica are so on all: loss scaling asks only one."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return gradients
    broken = [tf.reduce_any(~tf.math.is_finite(g)) for g in gradients]
    number = tf.cast(tf.reduce_any(tf.stack(broken)), tf.float32)
    number = replica.all_reduce(tf.distribute.ReduceOp.SUM, number)
    return [tf.where(number > 0, tf.constant(np.nan, g.dtype), g) for g in gradients]
