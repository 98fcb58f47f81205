"""SavedModels: written whole, loaded, and held against the model they came from."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from beampose.core import made_here, storage
from beampose.core.names import SAVED_MODEL
from beampose.trainer import frozen
from beampose.trainer.lite import calls
from beampose.trainer.tasks.contract import ExportedModel
from beampose.trainer.tasks.exported import BYTES
from beampose.trainer.traced import traced

LEGACY = "legacy"


class _Saved(tf.Module):
    """Part of a model that goes into a SavedModel: TensorFlow's variables, nothing of Keras.

    Keras saves copies of its variables, which loaders outside of Python (TensorFlow Serving, C++)
    then fill instead of those that the graph reads.
    """

    def __init__(self, model: ExportedModel):
        super().__init__()
        of_heads = [variable.value for head in model.heads for variable in head.variables]
        self.values = [*of_heads, *model.embedder.backbone.values()]
        self.transform = model.embedder.transform


def save(model: ExportedModel, folder: str) -> None:
    """Writes the SavedModel whole or not at all: `<folder>/saved_model`.

    Of a model of two classes also what DeepMeerkat 2 loads: `<folder>/legacy`.
    """
    root = _Saved(model)
    with storage.replacing_folder(storage.place(folder, SAVED_MODEL)) as temporary:
        with storage.without_wildcards(temporary) as plain:
            tf.saved_model.save(root, str(plain), signatures=model.signatures())
        if lite := model.embedder.backbone.lite_file():
            storage.write_bytes(temporary.joinpath(*calls.FILE), lite)
        made_here.remember(temporary)
    if scores := model.legacy():
        _save_legacy(scores, folder)


def _save_legacy(scores: Callable, folder: str) -> None:
    """Encoded images to scores, for DeepMeerkat 2.

    It is a TF 1 graph with frozen weights, tag `serve`, and two names: JPEG bytes go into
    `Placeholder:0`, `final_ops/softmax:0` gives (batch, 2) with the positive class first.
    """
    concrete = traced(scores, [BYTES]).get_concrete_function()
    frozen_scores = frozen.freeze(concrete)
    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        images = v1.placeholder(tf.string, [None], name="Placeholder")
        found = frozen.put(frozen_scores, images, "model")
        with v1.name_scope("final_ops/"):
            softmax = tf.identity(found, name="softmax")
        keys = v1.placeholder(tf.string, [None])
        outputs = {
            "key": tf.identity(keys),
            "prediction": tf.argmax(softmax, axis=1),
            "scores": softmax,
        }
        signature = v1.saved_model.predict_signature_def(
            {"key": keys, "image_bytes": images}, outputs
        )
        with storage.replacing_folder(storage.place(folder, LEGACY)) as temporary:
            # The builder wants to make the folder itself.
            with storage.without_wildcards(temporary) as plain:
                builder = v1.saved_model.Builder(str(plain / LEGACY))
                builder.add_meta_graph_and_variables(
                    session, [v1.saved_model.tag_constants.SERVING], {"serving_default": signature}
                )
                builder.save()
            for made in (temporary / LEGACY).iterdir():
                made.rename(temporary / made.name)
            (temporary / LEGACY).rmdir()


def tensor_names(folder: str) -> dict[str, dict[str, dict[str, str]]]:
    """Signature to `inputs` and `outputs`, each name to the graph's tensor, such as frames:0.

    Programs in other languages address tensors so; the parts between which LiteRT stands are none
    of theirs.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = storage.place(folder, SAVED_MODEL, "saved_model.pb")
    (graph,) = saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs

    parts = {part for both in calls.PARTS.values() for part in both}

    def names(tensors) -> dict[str, str]:
        return {name: tensor.name for name, tensor in sorted(tensors.items())}

    return {
        name: {"inputs": names(signature.inputs), "outputs": names(signature.outputs)}
        for name, signature in sorted(graph.signature_def.items())
        if not name.startswith("__") and name not in parts
    }


def load(folder: str):
    """The SavedModel of a model folder, as TensorFlow loads it.

    Raises:
      ValueError: it is not whole.
    """
    with storage.without_wildcards(storage.place(folder, SAVED_MODEL)) as copy:
        try:
            return tf.saved_model.load(str(copy))
        except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
            raise damaged(folder, error) from error


def damaged(folder: str, error: Exception) -> ValueError:
    """Says that the SavedModel of a model folder cannot be read."""
    return ValueError(
        f"The model in {folder} cannot be loaded, a file of {SAVED_MODEL}/ is damaged or "
        f"missing: copy the whole folder again, or train again. TensorFlow says: {error}"
    )


def verify(
    folder: str, model: ExportedModel, frame: np.ndarray, features: np.ndarray | None
) -> float | None:
    """Reloads the SavedModel and runs it once; its answers must be those of the trained model.

    Args:
      frame: uint8 (height, width, 3), best a labeled one.
      features: its stored features, (rows, columns, dims) or (dims,); None if it is not stored.

    Returns:
      How far the answer from pixels lies from the answer from stored features: pixels, or
      probability for crops. None without features.

    Raises:
      RuntimeError: the reloaded model answers otherwise, beyond 1e-3 px or 1e-4 in probability.
    """
    loaded = load(folder)
    frames = tf.constant(frame[None])
    expected = model.frames(frames)
    for name, inputs in model.calls(frames, tf.io.encode_png(frame)[None]).items():
        answer = loaded.signatures[name](**inputs)
        model.check(answer, expected, f"The exported model in {folder}, signature {name},")
    height, width = frame.shape[:2]
    return None if features is None else model.distance(features, (height, width), expected)
