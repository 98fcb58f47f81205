"""What a head is told of its errors."""

import keras
import numpy as np
import tensorflow as tf

from beampose.trainer import heads, losses
from beampose.trainer.traced import traced


def shares_found(balance):
    """Of the rare class, in what a head learned from and in other crops; four of 204 are rare."""
    rng = np.random.default_rng(0)

    def crops(*counts):
        labels = np.repeat((0, 1), counts)
        return rng.normal(0, 1, (len(labels), 64)).astype(np.float32) + labels[
            :, None
        ] * 0.3, labels

    features, labels = crops(4, 200)
    keras.utils.set_random_seed(0)
    head = heads.crop_head(
        mean=np.zeros(64), variance=np.ones(64), classes=2, hidden=8, layers=1, dropout=0.0
    )
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(head.trainable_variables)
    ahead = tf.constant(balance * np.log(np.bincount(labels) / len(labels)), tf.float32)

    def step():
        with tf.GradientTape() as tape:
            loss = losses.class_loss(head(features), tf.constant(labels), ahead)
        optimizer.apply(tape.gradient(loss, head.trainable_variables))

    step = traced(step)
    for _ in range(200):
        step()

    def found(features, labels):
        return (head(features).numpy().argmax(axis=1) == 0)[labels == 0].mean()

    return found(features, labels), found(*crops(500, 0))


def test_rare_crops_are_found_though_all_crops_learned_from_are_told_apart():
    (known, by_number), (again, balanced), (_, ahead) = map(shares_found, (0.0, 1.0, 2.0))
    assert known == again == 1
    assert by_number < balanced < ahead
    assert ahead - by_number > 0.08
