"""Quantises a network: int8 weights for each channel, int8 maps, ranges of real pictures."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from beampose.trainer.quiet import stderr_to_nowhere
from beampose.trainer.traced import traced


def quantize(network: Callable, pictures: Sequence[np.ndarray]) -> bytes:
    """A LiteRT file of a network.

    Args:
      network: float32 (1, height, width, 3) to a list of maps.
      pictures: float32 (height, width, 3) each, as the network takes them; their ranges decide.

    Raises:
      ValueError: the network has operations that cannot be quantised.
    """
    spec = tf.TensorSpec((1, None, None, 3), tf.float32)
    concrete = traced(network, [spec]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[None]] for one in pictures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    try:
        with stderr_to_nowhere(), warnings.catch_warnings():
            # It wants ranges of the inputs, which those of the pictures are.
            warnings.filterwarnings("ignore", "Statistics for quantized inputs")
            return converter.convert()
    except Exception as error:  # The converter raises its own and RuntimeError alike.
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        raise ValueError(f"The backbone cannot be quantised: {first[:300]}") from error
