"""Functions as TensorFlow graphs, traced as they stand.

TensorFlow rewrites the source of a function and of all that it calls, to allow `if` and `for` over
tensors; ours have none, and the rewriting takes a quarter of a short training with its export. Who
writes one is told by TensorFlow that a symbolic tensor is no Python bool: use `tf.cond`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def traced(function: Callable, signature: Sequence[Any] | None = None) -> Any:
    """A function of tensors as a graph; for inputs of `signature` alone, if it is given."""
    return tf.function(function, input_signature=signature, autograph=False)


def traced_once(function: Callable, signature: Sequence[Any]) -> Callable:
    """A function of tensors as one graph, made when it is first called.

    TensorFlow makes another one for the time a model is saved, with all that the function calls.
    """
    graphs: list[Any] = []

    def call(*tensors: tf.Tensor) -> Any:
        if not graphs:
            # Outside the graph that calls it.
            with tf.init_scope():
                graphs.append(traced(function, signature).get_concrete_function())
        return graphs[0](*tensors)

    return call
