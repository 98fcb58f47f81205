"""The arithmetic of a quantised network in TensorFlow: whole numbers, kept in float32.

Sums of products of int8 stay below 2**24, so float32 holds them exactly, in any order: the answer
does not depend on threads or processors, and is that of LiteRT's kernels (XNNPACK) bit by bit.
"""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from beampose.trainer.integers.lite_file import LiteFile, Operation

# Binary digits of a factor by which a map is added to another, after the first.
_DIGITS = 20


class IntegerNetwork(tf.Module):
    """A quantised network.

    Args:
      file: of `lite_file.read`.
    """

    def __init__(self, file: LiteFile):
        super().__init__()
        self.file = file
        self._given = file.scales[file.given]
        self._numbers = {
            one.output: (_kept(one.kernel), _kept(one.bias))
            for one in file.operations
            if one.kernel is not None
        }

    def __call__(self, pixels: tf.Tensor) -> list[tf.Tensor]:
        """int8 (batch, height, width, 3), see `quantized`, to float32 maps, one a tap."""
        found = {self.file.given: tf.cast(pixels, tf.float32) - float(self._given.zero)}
        for one in self.file.operations:
            found[one.output] = tf.clip_by_value(
                _KINDS[one.kind](self, one, found), one.low, one.high
            )
        return [found[number] * self._step(number) for number in self.file.outputs]

    def quantized(self, images: tf.Tensor) -> tf.Tensor:
        """What the network was made for, float32, to the int8 values that it takes."""
        whole = tf.round(images / self._step(self.file.given)) + float(self._given.zero)
        return tf.cast(tf.clip_by_value(whole, -128.0, 127.0), tf.int8)

    def maps(self, outputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """int8 outputs of the same network, run by something else, to float32 maps."""
        return [
            (tf.cast(values, tf.float32) - float(self.file.scales[number].zero))
            * self._step(number)
            for values, number in zip(outputs, self.file.outputs, strict=True)
        ]

    def _step(self, number: int) -> float:
        return float(self.file.scales[number].step[0])

    def _convolved(self, one: Operation, found: dict[int, tf.Tensor]) -> tf.Tensor:
        kernel, bias = self._numbers[one.output]
        padding = "SAME" if one.same else "VALID"
        values = found[one.inputs[0]]
        if one.kind == "CONV_2D":
            sums = tf.nn.conv2d(values, kernel, one.strides, padding)
        else:
            sums = tf.nn.depthwise_conv2d(values, kernel, [1, *one.strides, 1], padding)
        assert one.kernel_step is not None
        # In float32, as the kernels of LiteRT compute it.
        step = np.float32(self._step(one.inputs[0])) * one.kernel_step
        return tf.round(tf.nn.bias_add(sums, bias) * (step / np.float32(self._step(one.output))))

    def _added(self, one: Operation, found: dict[int, tf.Tensor]) -> tf.Tensor:
        step = np.float32(self._step(one.output))
        ratios = [np.float32(self._step(number)) / step for number in one.inputs]
        # As the kernels of LiteRT add: in fixed point, the larger ratio with 21 binary digits.
        shift = _DIGITS - int(np.floor(np.log2(max(ratios))))
        a, b = (
            tf.cast(found[number], tf.int32) * int(np.rint(ratio * 2.0**shift))
            for number, ratio in zip(one.inputs, ratios, strict=True)
        )
        return tf.cast(tf.bitwise.right_shift(a + b + (1 << (shift - 1)), shift), tf.float32)

    def _padded(self, one: Operation, found: dict[int, tf.Tensor]) -> tf.Tensor:
        return tf.pad(found[one.inputs[0]], one.padding)

    def _pooled(self, one: Operation, found: dict[int, tf.Tensor]) -> tf.Tensor:
        padding = "SAME" if one.same else "VALID"
        return tf.nn.max_pool2d(found[one.inputs[0]], one.window, one.strides, padding)


_KINDS: dict[str, Callable[[IntegerNetwork, Operation, dict[int, tf.Tensor]], tf.Tensor]] = {
    "CONV_2D": IntegerNetwork._convolved,
    "DEPTHWISE_CONV_2D": IntegerNetwork._convolved,
    "PAD": IntegerNetwork._padded,
    "ADD": IntegerNetwork._added,
    "MAX_POOL_2D": IntegerNetwork._pooled,
}


def _kept(numbers: np.ndarray | None) -> tf.Variable:
    return tf.Variable(np.asarray(numbers, np.float32), trainable=False)
