"""Imports TensorFlow without its start-up chatter, which users take for errors."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from beampose.trainer import memory


def import_tensorflow() -> None:
    """Imports TensorFlow and wakes its devices. Its log level applies only after that.

    Memory it frees is kept, see `beampose.trainer.memory`.

    Raises:
      ModuleNotFoundError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    memory.keep_freed()
    if "tensorflow" in sys.modules:
        return
    with stderr_to_nowhere():
        import tensorflow as tf

        tf.constant(0)
    tf.get_logger().setLevel("ERROR")


@contextmanager
def stderr_to_nowhere() -> Iterator[None]:
    """Nothing that is written to stderr is seen, what libraries in C++ write included."""
    # The messages come from C++ and go past sys.stderr, so the file descriptor itself is turned.
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
