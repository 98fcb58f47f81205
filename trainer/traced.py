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
