"""Functions with their weights as constants, for graphs that are loaded without variables."""

from typing import Any

import tensorflow as tf


def freeze(function: Any) -> Any:
    """A concrete function whose variables became constants."""
    from tensorflow.python.framework import convert_to_constants

    return convert_to_constants.convert_variables_to_constants_v2(function)


def put(frozen: Any, given: Any, name: str) -> Any:
    """Puts a frozen function of one input and one output into the v1 graph that is being built.

    Args:
      given: the tensor that it takes.
      name: of the scope of its operations.

    Returns:
      The tensor that it gives.
    """
    (found,) = tf.compat.v1.import_graph_def(
        frozen.graph.as_graph_def(),
        input_map={frozen.inputs[0].name: given},
        return_elements=[frozen.outputs[0].name],
        name=name,
    )
    return found
