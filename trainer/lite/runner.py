"""Runs files of backbones by LiteRT, where it is there."""

import importlib.util
import logging
import threading
import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from beampose.core import machine
from beampose.trainer.quiet import stderr_to_nowhere

LOG = logging.getLogger(__name__)
OTHERWISE = "LiteRT rounds otherwise on this machine: TensorFlow computes the network instead."
ONCE = "LiteRT could not compute a batch of %s (%s): TensorFlow computes it instead."
UNABLE = "LiteRT cannot run the network on this machine (%s): TensorFlow computes it instead."
# Height and width of the first picture; files say 1x1, on which some networks have nothing left to
# convolve.
_SIDE = 72


class Unable(RuntimeError):
    """LiteRT could not compute a batch, mostly for lack of memory: TensorFlow may be asked."""


class LiteRunner:
    """A backbone in LiteRT. Calls follow one another, each on all threads.

    Args:
      content: of a file of `float_file` or of `beampose.trainer.integers.converter`.

    Raises:
      RuntimeError, ValueError: LiteRT cannot run it.
    """

    def __init__(self, content: bytes):
        self._content = content
        self._told: set[tuple[int, ...]] = set()
        self._lock = threading.Lock()
        self._interpreter: Any = None
        self._open()

    def _open(self) -> None:
        # As many as TensorFlow was told to take.
        told = tf.config.threading.get_intra_op_parallelism_threads()
        self._shape: tuple[int, ...] = (1, _SIDE, _SIDE, 3)
        with stderr_to_nowhere(), warnings.catch_warnings():
            # TensorFlow's own one asks for the other, which is taken where it is installed.
            warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated")
            self._interpreter = _interpreter()(
                model_content=self._content, num_threads=told or machine.cores()
            )
            (given,) = self._interpreter.get_input_details()
            self._given = given["index"]
            self._interpreter.resize_tensor_input(self._given, self._shape)
            self._interpreter.allocate_tensors()
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        """What the backbone takes, (batch, height, width, 3), to its maps, one a tap.

        Raises:
          Unable: it cannot compute them, which is told once of batches of a size.
        """
        with self._lock:
            try:
                if self._interpreter is None:
                    self._open()
                return self._computed(pixels)
            except (MemoryError, RuntimeError, ValueError) as error:
                # What is left of it after an error answers no more.
                self._interpreter = None
                why = str(error).strip().partition("\n")[0]
                if pixels.shape not in self._told:
                    LOG.warning(ONCE, "x".join(map(str, pixels.shape)), why)
                    self._told.add(pixels.shape)
                raise Unable(why) from error

    def _computed(self, pixels: np.ndarray) -> list[np.ndarray]:
        if pixels.shape != self._shape:
            self._interpreter.resize_tensor_input(self._given, pixels.shape)
            self._interpreter.allocate_tensors()
            self._shape = pixels.shape
        self._interpreter.set_tensor(self._given, pixels)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def opened(content: bytes) -> LiteRunner | None:
    """A backbone in LiteRT; None, and a line says why, where that cannot run it."""
    try:
        return LiteRunner(content)
    except (RuntimeError, ValueError) as error:
        LOG.warning(UNABLE, str(error).strip().partition("\n")[0])
        return None


def is_there() -> bool:
    """Whether LiteRT is there, and no GPU that TensorFlow would rather use."""
    return _interpreter() is not None and not tf.config.list_physical_devices("GPU")


def _interpreter() -> Any:
    """LiteRT's class, or TensorFlow's own, which is the same of another release, or None."""
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter
    return getattr(getattr(tf, "lite", None), "Interpreter", None)
