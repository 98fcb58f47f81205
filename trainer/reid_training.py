"""Learns to tell animals apart by the features under their keypoints, from triplets."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import logging
import time
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from beampose.core.settings.animal_settings import Reid
from beampose.trainer import scaling
from beampose.trainer.reid_network import clean, embed, network
from beampose.trainer.scaling import Scaling
from beampose.trainer.traced import traced

LOG = logging.getLogger(__name__)
MARGIN = 1.0
# Of the epochs, in which the learning rate rises from a hundredth; then it falls to this share.
WARM_UP = 0.05
FLOOR = 0.002


class Examples(NamedTuple):
    """Detections, and triplets of them.

    Attributes:
      vectors: (m, bodyparts, dims), any floating point; what is missing may hold anything.
      present: bool (m, bodyparts).
      triplets: int (n, 3), rows of anchor, positive and negative.
    """

    vectors: np.ndarray
    present: np.ndarray
    triplets: np.ndarray


class Trained(NamedTuple):
    """A network with its best weights in place, and how it got there.

    Attributes:
      network: to `embed` with.
      scaling: that was put into it.
      history: one dict an epoch: epoch, seconds, loss, accuracy of both sides, held-out loss.
      best_epoch: whose weights are kept; the last one if nothing was held out.
      accuracy: share of held-out triplets whose positive is nearer than the negative at that
        epoch, None if nothing was held out. It chose the epoch, so it flatters a little.
    """

    network: keras.Model
    scaling: Scaling
    history: list[dict[str, Any]]
    best_epoch: int
    accuracy: float | None


def train(training: Examples, held_out: Examples | None, settings: Reid) -> Trained:
    """Trains, and keeps the weights of the epoch that does best on the held-out triplets.

    Args:
      held_out: of other tracklets than those of `training`; None keeps the last weights.

    Raises:
      ValueError: no triplets, shapes that do not fit, or the loss became NaN or infinite.
    """
    training = _checked(training, "training")
    held_out = None if held_out is None else _checked(held_out, "held-out")
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    known = scaling.of(training.vectors, training.present)
    bodyparts, dims = training.vectors.shape[1:]
    model = network(bodyparts, dims, settings.dims)
    model.get_layer("scale").set_weights(list(known))
    step = _compile(model, _optimizer(settings, len(training.triplets)))
    rng = np.random.default_rng(settings.seed)
    history: list[dict[str, Any]] = []
    best_epoch, score, weights = 0, None, []
    for epoch in range(1, settings.epochs + 1):
        began = time.perf_counter()
        entry = {
            "epoch": epoch,
            **_epoch(step, training, settings, rng),
            **_judged(model, held_out),
        }
        entry["seconds"] = round(time.perf_counter() - began, 3)
        history.append(entry)
        LOG.info("  ".join(f"{name} {value:.4g}" for name, value in entry.items()))
        # Many epochs have the same accuracy: of those the one with the widest margin.
        now = (entry["test_accuracy"], -entry["test_loss"]) if held_out else None
        if now is None or score is None or now > score:
            best_epoch, score, weights = epoch, now, model.get_weights()
        if 0 < settings.patience <= epoch - best_epoch:
            break
    model.set_weights(weights)
    return Trained(model, known, history, best_epoch, None if score is None else score[0])


def _judged(model: keras.Model, held_out: Examples | None) -> dict[str, float]:
    if held_out is None:
        return {}
    accuracy, loss = judge(model, held_out)
    return {"test_accuracy": accuracy, "test_loss": loss}


def judge(model: keras.Model, examples: Examples) -> tuple[float, float]:
    """Share of triplets whose positive is nearer than the negative, and their mean loss. A tie is
    half right."""
    where = embed(model, examples.vectors, examples.present)[examples.triplets]
    near = np.linalg.norm(where[:, 0] - where[:, 1], axis=-1)
    far = np.linalg.norm(where[:, 0] - where[:, 2], axis=-1)
    right = np.less(near, far) + 0.5 * np.equal(near, far)
    return float(np.mean(right)), float(np.maximum(near - far + MARGIN, 0).mean())


def _checked(examples: Examples, which: str) -> Examples:
    """With what is present and usable only."""
    vectors, present, triplets = examples
    there = scaling.usable(vectors, present)
    if triplets.ndim != 2 or triplets.shape[1] != 3 or not len(triplets):
        raise ValueError(f"There are no {which} triplets. Received: {triplets.shape}")
    told = np.asarray(there.any(axis=1))[triplets].all(axis=1)
    if not told.any():
        raise ValueError(f"No {which} triplet has a vector under all three of its detections.")
    return Examples(vectors, there, triplets[told])


def _optimizer(settings: Reid, triplets: int) -> keras.optimizers.Optimizer:
    total = -(-triplets // settings.batch_size) * settings.epochs
    warm = max(round(WARM_UP * total), 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 100,
        max(total - warm, 1),
        alpha=FLOOR,
        warmup_target=settings.learning_rate,
        warmup_steps=warm,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)  # pyright: ignore[reportArgumentType]


def _epoch(step, training: Examples, settings: Reid, rng: np.random.Generator) -> dict[str, float]:
    order = rng.permutation(len(training.triplets))
    loss = right = 0.0
    for start in range(0, len(order), settings.batch_size):
        rows = training.triplets[order[start : start + settings.batch_size]].ravel()
        present = _hidden(training.present[rows], settings.hide, rng)
        some, hits = step(clean(training.vectors[rows], present), present)
        loss, right = loss + float(some), right + float(hits)
    if not np.isfinite(loss):
        raise ValueError(f"The loss of re-identification is {loss}: lower reid.learning_rate.")
    return {"loss": loss / len(order), "accuracy": right / len(order)}


def _hidden(present: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Without some of the bodyparts, but with one at least."""
    drawn = np.where(present, rng.random(present.shape), -1.0)
    kept = np.greater_equal(drawn, share) | np.equal(drawn, drawn.max(axis=1, keepdims=True))
    return np.logical_and(present, kept)


def _compile(model: keras.Model, optimizer: keras.optimizers.Optimizer):
    """A training step: vectors (3 n, …) and what is present to the sum of losses, and of hits."""
    variables = model.trainable_variables
    optimizer.build(variables)
    shape = model.input_shape[0][1:]

    def step(vectors, present):
        with tf.GradientTape() as tape:
            found = model([vectors, present], training=True)
            found = tf.reshape(found, (-1, 3, model.output_shape[-1]))
            near, far = (_distance(found[:, 0], found[:, i]) for i in (1, 2))
            losses = tf.nn.relu(near - far + MARGIN)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return tf.reduce_sum(losses), tf.reduce_sum(tf.cast(near < far, tf.float32))

    vectors = tf.TensorSpec((None, *shape), tf.float32)
    return traced(step, [vectors, tf.TensorSpec((None, *shape[:1]), tf.bool)])


def _distance(one: tf.Tensor, two: tf.Tensor) -> tf.Tensor:
    # A root has no slope at 0, where two are the same.
    return tf.sqrt(tf.reduce_sum((one - two) ** 2, axis=-1) + 1e-12)
