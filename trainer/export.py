"""SavedModels: written whole, loaded, and held against the model they came from."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

import numpy as np
import tensorflow as tf

from beampose.core import storage
from beampose.trainer.models import BYTES, EMBEDDING, AnimalsModel, CropModel, Model

SAVED_MODEL = "saved_model"
LEGACY = "legacy"
# A peak of several animals is sure from this likelihood on; so far it may move, in pixels, and its
# links may change; and so many peaks may be others.
SURE = 0.1
AGREED = 1e-2
LOST = 0.1


class _Saved(tf.Module):
    """Part of a model that goes into a SavedModel: TensorFlow's variables, nothing of Keras.

    Keras saves copies of its variables, which loaders outside of Python (TensorFlow Serving, C++)
    then fill instead of those that the graph reads.
    """

    def __init__(self, model: Model):
        super().__init__()
        networks = [*model.heads, model.embedder.backbone.network]
        self.values = [variable.value for network in networks for variable in network.variables]
        self.transform = model.embedder.transform


def save(model: Model, folder: str) -> None:
    """Writes the SavedModel whole or not at all: `<folder>/saved_model`."""
    root = _Saved(model)
    with storage.replacing_folder(storage.place(folder, SAVED_MODEL)) as temporary:
        tf.saved_model.save(root, str(temporary), signatures=model.signatures())


def save_legacy(model: CropModel, folder: str) -> None:
    """Writes what DeepMeerkat 2 loads, `<folder>/legacy`.

    It is a TF 1 graph with frozen weights, tag `serve`, and two names: JPEG bytes go into
    `Placeholder:0`, `final_ops/softmax:0` gives (batch, 2) with the positive class first.
    """
    from tensorflow.python.framework import convert_to_constants

    concrete = tf.function(model.scores, input_signature=[BYTES]).get_concrete_function()
    frozen = convert_to_constants.convert_variables_to_constants_v2(concrete)
    graph_def = frozen.graph.as_graph_def()
    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        images = v1.placeholder(tf.string, [None], name="Placeholder")
        (scores,) = v1.import_graph_def(
            graph_def,
            input_map={frozen.inputs[0].name: images},
            return_elements=[frozen.outputs[0].name],
            name="model",
        )
        with v1.name_scope("final_ops/"):
            softmax = tf.identity(scores, name="softmax")
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
            builder = v1.saved_model.Builder(str(temporary / LEGACY))
            builder.add_meta_graph_and_variables(
                session, [v1.saved_model.tag_constants.SERVING], {"serving_default": signature}
            )
            builder.save()
            for made in (temporary / LEGACY).iterdir():
                made.rename(temporary / made.name)
            (temporary / LEGACY).rmdir()


def tensor_names(folder: str) -> dict[str, dict[str, dict[str, str]]]:
    """Signature to `inputs` and `outputs`, each name to the graph's tensor, such as frames:0.

    Programs in other languages address tensors so.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = storage.place(folder, SAVED_MODEL, "saved_model.pb")
    (graph,) = saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs

    def names(tensors) -> dict[str, str]:
        return {name: tensor.name for name, tensor in sorted(tensors.items())}

    return {
        name: {"inputs": names(signature.inputs), "outputs": names(signature.outputs)}
        for name, signature in sorted(graph.signature_def.items())
        if not name.startswith("__")
    }


def load(folder: str):
    """The SavedModel of a model folder, as TensorFlow loads it.

    Raises:
      ValueError: it is not whole.
    """
    with storage.local(storage.place(folder, SAVED_MODEL)) as copy:
        try:
            return tf.saved_model.load(str(copy))
        except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
            raise ValueError(
                f"The model in {folder} cannot be loaded, a file of {SAVED_MODEL}/ is damaged or "
                f"missing: copy the whole folder again, or train again. TensorFlow says: {error}"
            ) from error


def verify(
    folder: str, model: Model, frame: np.ndarray, features: np.ndarray | None
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
    png = tf.io.encode_png(frame)[None]
    # The embedding is rounded to bfloat16, where the last bit of a sum may be a step of one.
    expected = {k: v for k, v in model.frames(frames).items() if k != EMBEDDING}
    calls = {"frames": {"frames": frames}, "serving_default": {"image_bytes": png}}
    if isinstance(model, CropModel):
        calls["serving_default"]["key"] = tf.constant(["key"])
        calls["image_bytes"] = {"image_bytes": png}
    for name, inputs in calls.items():
        answer = loaded.signatures[name](**inputs)
        for output, value in expected.items():
            tolerance = 1e-4 if output in ("likelihood", "scores", "prediction") else 1e-3
            if output in ("peaks", "edge_costs", "identity"):
                # Equal peaks in another order are the same answer.
                continue
            worst = _difference(answer[output], value)
            if not worst <= tolerance:
                raise RuntimeError(
                    f"The exported model in {folder} answers {output} by signature {name} with a "
                    f"difference of {worst:g} from the trained one, above {tolerance:g}."
                )
        if isinstance(model, AnimalsModel):
            who = f"The exported model in {folder}, signature {name},"
            _verify_peaks(answer, expected, model.edges, who)
    if features is None:
        return None
    batch = tf.constant(features[None])
    if isinstance(model, CropModel):
        return _difference(model.features(batch)["scores"], expected["scores"])
    stored = model.features(batch, tf.constant([frame.shape[:2]]))
    if isinstance(model, AnimalsModel):
        moved, _ = _moves(stored, expected, model.edges)
        return float(np.median(moved)) if moved.size else 0.0
    return _difference(stored["keypoints"], expected["keypoints"])


def _difference(one: tf.Tensor, other: tf.Tensor) -> float:
    return float(np.max(np.abs(one.numpy() - other.numpy())))


def _verify_peaks(answer: dict, expected: dict, edges: np.ndarray, who: str) -> None:
    """Nearly every sure peak must be answered again, with its links.

    Not all: of two neighbours equally high in a map, rounding decides which is the peak.
    """
    moved, links = _moves(answer, expected, edges)
    for what, differences in (("peaks", moved), ("edge costs", links)):
        share = float((differences > AGREED).mean()) if differences.size else 0.0
        if share > LOST:
            raise RuntimeError(
                f"{who} answers {share:.0%} of {what} with a difference of more than {AGREED:g} "
                f"from the trained one; {LOST:.0%} may be."
            )


def _moves(answer: dict, expected: dict, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measures by how many pixels confident peaks of an image moved, and how links changed."""
    own, given = ({k: v.numpy()[0] for k, v in one.items()} for one in (expected, answer))
    sure = own["likelihood"] >= SURE
    distance = np.linalg.norm(own["peaks"][:, :, None] - given["peaks"][:, None], axis=-1)
    twin = distance.argmin(axis=-1)
    changes = [np.empty(0)]
    for (a, b), cost, other in zip(edges, own["edge_costs"], given["edge_costs"], strict=True):
        both = sure[a][:, None] & sure[b]
        changes.append(np.abs(cost - other[np.ix_(twin[a], twin[b])])[both])
    return distance.min(axis=-1)[sure], np.concatenate(changes)
