"""A model as one file for LiteRT, formerly TensorFlow Lite: phones, Raspberry Pi, microscopes."""

import numpy as np
from upath import UPath

from beampose.core import storage
from beampose.pipelines.exports.whole_pipeline import FRAMES, WholePipeline
from beampose.trainer import quiet

NAME = "model.tflite"


def write(pipeline: WholePipeline, folder: UPath) -> UPath:
    """Writes the file, whole or not at all.

    Raises:
      ValueError: the model has an operation that LiteRT does not know.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [pipeline.function], pipeline.variables
    )
    try:
        content = converter.convert()
    except Exception as error:  # The converter raises its own and RuntimeError alike.
        raise ValueError(f"The model cannot be converted for LiteRT: {_first(error)}") from error
    file = folder / NAME
    storage.write_bytes(file, content)
    return file


class Runner:
    """The file, run by LiteRT on all cores."""

    def __init__(self, file: UPath, threads: int):
        from ai_edge_litert.interpreter import Interpreter

        # LiteRT says on stderr which delegate it made.
        with quiet.stderr_to_nowhere():
            interpreter = Interpreter(model_content=file.read_bytes(), num_threads=threads)
            self._run = interpreter.get_signature_runner()

    def __call__(self, frame: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (height, width, 3) to the outputs, by name, with a batch axis."""
        return dict(self._run(**{FRAMES: frame[None]}))


def _first(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if "error" in line), str(error))[:300]
