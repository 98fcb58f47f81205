"""A model as one file for ONNX Runtime and what else reads ONNX."""

import contextlib
import logging
from collections.abc import Iterator

import numpy as np
from upath import UPath

from beampose.core import storage
from beampose.pipelines.exports.whole_pipeline import FRAMES, WholePipeline

NAME = "model.onnx"
# Version of the operations; every runtime since 2022 reads it.
OPSET = 17


def write(pipeline: WholePipeline, folder: UPath) -> UPath:
    """Writes the file, whole or not at all.

    Raises:
      ValueError: the model has an operation that ONNX does not know.
    """
    import onnx

    from beampose.trainer import frozen

    # Outputs come in the order of their names.
    names = sorted(pipeline.function.structured_outputs)
    try:
        model = _converted(frozen.freeze(pipeline.function))
        _rename(model.graph, [FRAMES], names)
        _size_resize(model.graph, pipeline.scaled, onnx)
        onnx.checker.check_model(model)
    except Exception as error:  # Libraries of conversion raise whatever they meet.
        why = str(error).splitlines()[0][:300]
        raise ValueError(f"The model cannot be converted to ONNX: {why}") from error
    file = folder / NAME
    storage.write_bytes(file, model.SerializeToString())
    return file


class Runner:
    """The file, run by ONNX Runtime."""

    def __init__(self, file: UPath, threads: int):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            file.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, frame: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (height, width, 3) to the outputs, by name, with a batch axis."""
        found = self._session.run(self._names, {FRAMES: frame[None]})
        return dict(zip(self._names, map(np.asarray, found), strict=True))


def _converted(function):
    """A frozen function as tf2onnx converts it."""
    with _quiet():
        import tf2onnx

        model, _ = tf2onnx.convert.from_graph_def(
            function.graph.as_graph_def(),
            input_names=[tensor.name for tensor in function.inputs],
            output_names=[tensor.name for tensor in function.outputs],
            opset=OPSET,
        )
    return model


def _rename(graph, inputs: list[str], outputs: list[str]) -> None:
    """Gives a graph's inputs and outputs the names that the SavedModel has."""
    new = {value.name: name for value, name in zip(graph.input, inputs, strict=True)}
    new |= {value.name: name for value, name in zip(graph.output, outputs, strict=True)}
    for value in (*graph.input, *graph.output):
        value.name = new[value.name]
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]


def _size_resize(graph, scaled: tuple[int, int], onnx) -> None:
    """Says how large the resized image is instead of how much larger.

    480 rows times the nearest float32 to 1.4 are 671.
    """
    for node in (node for node in graph.node if node.op_type == "Resize"):
        name = f"{node.name}_sizes"
        sizes = np.array([1, 3, *scaled], np.int64)
        graph.initializer.append(onnx.numpy_helper.from_array(sizes, name))
        node.input[:] = [node.input[0], "", "", name]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx sets up logging for the whole process and tells of each pass."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logger = logging.getLogger("tf2onnx")
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
