"""The trained part: small networks on stored features."""

import keras
import tensorflow as tf


def pose_head(*, dims: int, bodyparts: int, hidden: int, layers: int, dropout: float) -> keras.Model:
    """Features (batch, rows, columns, dims) to logits (batch, rows, columns, 3 * bodyparts).

    The first `bodyparts` channels are score-map logits, the others locref, x then y of each.
    """
    inputs = keras.Input((None, None, dims))
    x = keras.layers.SpatialDropout2D(dropout)(inputs) if dropout else inputs
    for _ in range(layers):
        x = keras.layers.Conv2D(hidden, 3, padding="same", activation="relu")(x)
    return keras.Model(inputs, keras.layers.Conv2D(3 * bodyparts, 1)(x), name="pose_head")


def crop_head(*, dims: int, classes: int, hidden: int, dropout: float) -> keras.Model:
    """Features (batch, dims) to class logits (batch, classes); `hidden` 0 leaves one dense layer."""
    inputs = keras.Input((dims,))
    x = keras.layers.Dropout(dropout)(inputs) if dropout else inputs
    if hidden:
        x = keras.layers.Dense(hidden, activation="relu")(x)
        x = keras.layers.Dropout(dropout)(x) if dropout else x
    return keras.Model(inputs, keras.layers.Dense(classes)(x), name="crop_head")


def split_maps(outputs: tf.Tensor, bodyparts: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Pose logits to score-map logits (…, bodyparts) and locref (…, bodyparts, 2)."""
    locref = outputs[..., bodyparts:]
    return outputs[..., :bodyparts], tf.reshape(
        locref, tf.concat([tf.shape(outputs)[:-1], [bodyparts, 2]], axis=0)
    )
