"""LiteRT computes a quantised network where it is installed and says what TensorFlow would."""

import importlib.util
import logging
import os
import threading
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from beampose.trainer.integers.network import IntegerNetwork
from beampose.trainer.quiet import stderr_to_nowhere

LOG = logging.getLogger(__name__)
OTHERWISE = "LiteRT rounds otherwise on this machine: TensorFlow computes the network instead."
UNABLE = "LiteRT cannot run the network on this machine (%s): TensorFlow computes it instead."
# Side of the picture by which LiteRT is held against TensorFlow; no multiple of its tiles.
_SIDE = 72


class LiteRunner:
    """A quantised network in LiteRT. Calls follow one another, each on all threads.

    Args:
      content: of a file of `converter`.

    Raises:
      RuntimeError, ValueError: LiteRT cannot run it.
    """

    def __init__(self, content: bytes):
        from ai_edge_litert.interpreter import Interpreter

        # As many as TensorFlow was told to take.
        told = tf.config.threading.get_intra_op_parallelism_threads()
        self._shape: tuple[int, ...] = (1, _SIDE, _SIDE, 3)
        with stderr_to_nowhere():
            self._interpreter = Interpreter(
                model_content=content, num_threads=told or os.cpu_count() or 1
            )
            (given,) = self._interpreter.get_input_details()
            self._given = given["index"]
            # The file says 1x1, on which some networks have nothing left to convolve.
            self._interpreter.resize_tensor_input(self._given, self._shape)
            self._interpreter.allocate_tensors()
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]
        self._lock = threading.Lock()

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        """int8 (batch, height, width, 3) to int8 maps, one a tap."""
        with self._lock:
            if pixels.shape != self._shape:
                self._interpreter.resize_tensor_input(self._given, pixels.shape)
                self._interpreter.allocate_tensors()
                self._shape = pixels.shape
            self._interpreter.set_tensor(self._given, pixels)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index) for index in self._outputs]


def runner(network: IntegerNetwork) -> LiteRunner | None:
    """LiteRT, if it is installed and answers as TensorFlow does; None if not.

    Its kernels differ between processors; those of XNNPACK do not differ from TensorFlow here.
    """
    found = opened(network.file.content) if is_there() else None
    if found is None:
        return None
    rng = np.random.default_rng(0)
    pixels = rng.integers(-128, 128, (1, _SIDE, _SIDE, 3)).astype(np.int8)
    expected = network(tf.constant(pixels))
    if _equal(network.maps([tf.constant(one) for one in found(pixels)]), expected):
        return found
    LOG.warning(OTHERWISE)
    return None


def opened(content: bytes) -> LiteRunner | None:
    """A quantised network in LiteRT; None, and a line says why, where that cannot run it."""
    try:
        return LiteRunner(content)
    except (RuntimeError, ValueError) as error:
        LOG.warning(UNABLE, str(error).strip().partition("\n")[0])
        return None


def is_there() -> bool:
    """Whether LiteRT is installed, and no GPU that TensorFlow would rather use."""
    installed = importlib.util.find_spec("ai_edge_litert") is not None
    return installed and not tf.config.list_physical_devices("GPU")


def _equal(ours: Sequence[tf.Tensor], theirs: Sequence[tf.Tensor]) -> bool:
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(ours, theirs, strict=True))
