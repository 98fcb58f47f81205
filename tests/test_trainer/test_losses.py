"""What a head is told of its errors, and what it then takes crops for."""

import keras
import numpy as np
import tensorflow as tf

from beampose.trainer import heads, losses
from beampose.trainer.traced import traced


def crops(rng, counts, dims, shift):
    """Features and labels; those of class 0 have the first dims moved."""
    labels = np.repeat((0, 1), counts)
    features = rng.normal(0, 1, (len(labels), dims)).astype(np.float32)
    features += np.where(labels[:, None] == 0, shift, 0).astype(np.float32)
    return features, labels


def learned(features, labels, balance, rate):
    """The share taken for class 0 of some features, by a head that learned others."""
    dims = features.shape[1]
    keras.utils.set_random_seed(0)
    head = heads.crop_head(
        mean=np.zeros(dims), variance=np.ones(dims), classes=2, hidden=8, layers=1, dropout=0.0
    )
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(head.trainable_variables)
    ahead = tf.constant(balance * np.log(np.bincount(labels) / len(labels)), tf.float32)

    def step():
        with tf.GradientTape() as tape:
            loss = losses.class_loss(head(features), tf.constant(labels), ahead)
        optimizer.apply(tape.gradient(loss, head.trainable_variables))

    step = traced(step)
    for _ in range(200):
        step()
    return lambda some: (head(some).numpy().argmax(axis=1) == 0).mean()


def shares_found(balance):
    """Of a rare class, in what a head learned from and in other crops; four of 204 are rare."""
    rng = np.random.default_rng(0)
    shift = np.full(64, -0.3)
    features, labels = crops(rng, (4, 200), 64, shift)
    share = learned(features, labels, balance, 0.01)
    return share(features[labels == 0]), share(crops(rng, (500, 0), 64, shift)[0])


def test_rare_crops_are_found_though_all_crops_learned_from_are_told_apart():
    (known, by_number), (again, balanced), (_, ahead) = map(shares_found, (0.0, 1.0, 2.0))
    assert known == again == 1
    assert by_number < balanced < ahead
    assert ahead - by_number > 0.08


def test_crops_that_look_like_none_are_not_taken_for_a_rare_class():
    rng = np.random.default_rng(0)
    shift = np.zeros(1024)
    shift[:40] = 1
    features, labels = crops(rng, (15, 250), 1024, shift)
    share = learned(features, labels, 1.0, 0.004)
    assert share(features[labels == 0]) == 1
    others, rare = (crops(rng, counts, 1024, shift)[0] for counts in ((0, 500), (500, 0)))
    assert share(others) < 0.1 < 0.2 < share(rare)
