"""Writes a network in float32 as LiteRT reads it."""

import logging
from collections.abc import Callable

import tensorflow as tf

from beampose.trainer.quiet import stderr_to_nowhere
from beampose.trainer.traced import traced

LOG = logging.getLogger(__name__)


def of_network(network: Callable) -> bytes | None:
    """A LiteRT file of a network; None, and a line says why, if it cannot be one.

    The same network gives the same bytes, whatever the process made before.

    Args:
      network: float32 (1, height, width, 3) to a list of maps.
    """
    try:
        # Of other releases of TensorFlow, which may do without either.
        from tensorflow.lite.tools import flatbuffer_utils

        spec = tf.TensorSpec((1, None, None, 3), tf.float32)
        concrete = traced(network, [spec]).get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        with stderr_to_nowhere():
            content = converter.convert()
        # Names of its tensors count the layers that were made before.
        model = flatbuffer_utils.convert_bytearray_to_object(content)
        flatbuffer_utils.strip_strings(model)
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    except Exception as error:  # The converter raises its own and RuntimeError alike.
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        LOG.info("LiteRT cannot be given the backbone, TensorFlow computes it: %s", first[:300])
        return None
