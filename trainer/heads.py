"""The trained part: small networks on stored features."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

# Rises when the same settings make another head, so that no run continues from the old one.
VERSION = 4
# Of score maps at the start: few cells hold a bodypart, and a head that says half of them do spends
# its first steps on learning that.
SCORE_BIAS = -4.0


def pose_head(
    *, dims: int, bodyparts: int, hidden: int, layers: int, dropout: float, more: int = 0
) -> keras.Model:
    """Features (batch, rows, columns, dims) to maps (batch, rows, columns, 3 * bodyparts + more).

    The first `bodyparts` channels are score-map logits, then comes locref, x then y of each. The
    second and later convolutions are dilated: they look at more of the animal for the same cost.
    Each cell is normalised after each of them, which learns in half the steps and generalises
    better: docs/accuracy.md.

    Args:
      more: channels for several animals, see `split`.
    """
    inputs = keras.Input((None, None, dims))
    x = keras.layers.SpatialDropout2D(dropout)(inputs) if dropout else inputs
    for layer in range(layers):
        dilation = 1 if layer == 0 else 2
        x = Convolution(hidden, 3, padding="same", activation="relu", dilation_rate=dilation)(x)
        x = keras.layers.LayerNormalization()(x)
    bias = np.zeros(3 * bodyparts + more, np.float32)
    bias[:bodyparts] = SCORE_BIAS
    last = keras.layers.Conv2D(len(bias), 1, bias_initializer=keras.initializers.Constant(bias))
    return keras.Model(inputs, last(x), name="pose_head")


def crop_head(
    *,
    mean: np.ndarray,
    variance: np.ndarray,
    classes: int,
    hidden: int,
    layers: int,
    dropout: float,
) -> keras.Model:
    """Features (batch, dims) to class logits (batch, classes), by `layers` dense layers.

    It begins by knowing nothing: of weights drawn at random most would stay, as a few crops say
    nothing of most channels.

    Args:
      mean, variance: (dims,), of the features, which are normalised by them.
    """
    inputs = keras.Input(mean.shape)
    x = keras.layers.Normalization(mean=mean, variance=variance)(inputs)
    x = keras.layers.Dropout(dropout)(x) if dropout else x
    for _ in range(layers - 1):
        x = keras.layers.Dense(hidden, activation="relu")(x)
        x = keras.layers.Dropout(dropout)(x) if dropout else x
    last = keras.layers.Dense(classes, use_bias=False, kernel_initializer="zeros")
    outputs = _Frequency(x.shape[-1] ** 0.5)(last(x))
    return keras.Model(inputs, outputs, name="crop_head")


class Convolution(keras.layers.Conv2D):
    """As Keras's, but that a dilated one need not cut its maps into pieces where nothing learns.

    Keras does so in any case, since TensorFlow has no gradient of the other on processors.
    """

    def call(self, inputs, training=False):
        if training or self.padding != "same":
            return super().call(inputs)
        kernel, bias = (tf.cast(one, inputs.dtype) for one in (self.kernel, self.bias))
        found = tf.nn.conv2d(inputs, kernel, self.strides, "SAME", None, self.dilation_rate)
        return self.activation(tf.nn.bias_add(found, bias))


class _Frequency(keras.layers.Layer):
    """Adds a number to each class: how often it is meant, whatever a crop looks like.

    Adam moves each number as far in a step. Beside a thousand weights a bias would lag behind, and
    a rare class be seen where crops look like none.

    Args:
      rate: of learning, in that of a weight.
    """

    def __init__(self, rate: float):
        super().__init__(name="frequency")
        self._rate = rate

    def build(self, input_shape):
        self._scaled = self.add_weight(shape=input_shape[-1:], initializer="zeros", name="scaled")

    def call(self, inputs):
        return inputs + self._rate * self._scaled


class Maps(NamedTuple):
    """What a head for keypoints says, each (batch, rows, columns, …).

    Attributes:
      scoremap: logits, or probabilities where it is said, (…, bodyparts).
      locref: (…, bodyparts, 2), x then y.
      paf: part affinity fields, (…, edges, 2), x then y; no edges unless there are several animals.
      identity: logits (…, individuals) of who is there; no channels unless they are learned.
    """

    scoremap: tf.Tensor
    locref: tf.Tensor
    paf: tf.Tensor
    identity: tf.Tensor


def split(outputs: tf.Tensor, bodyparts: int, edges: int) -> Maps:
    """The channels of a head for keypoints by what they mean; score maps are logits."""
    poses, fields = 3 * bodyparts, 3 * bodyparts + 2 * edges
    grid = tf.shape(outputs)[:-1]

    def vectors(first: int, last: int) -> tf.Tensor:
        shape = tf.concat([grid, [(last - first) // 2, 2]], axis=0)
        return tf.reshape(outputs[..., first:last], shape)

    return Maps(
        outputs[..., :bodyparts],
        vectors(bodyparts, poses),
        vectors(poses, fields),
        outputs[..., fields:],
    )
