"""The SavedModels: image in, keypoints or class scores out; they run without our code."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from trainer import artefacts, embed, tasks
from trainer.config import Config

SAVED_MODEL = "saved_model"
LEGACY = "legacy"
# Output of signature `frames` of crop models, by which crops are compared.
EMBEDDING = "embedding"
_BYTES = tf.TensorSpec((None,), tf.string)
FRAMES = tf.TensorSpec((None, None, None, 3), tf.uint8)


class PoseModel(tf.Module):
    """Images of any size to keypoints in their own pixels.

    Outputs of all signatures: `keypoints` float32 (batch, individuals, bodyparts, 2), x then y, and
    `likelihood` float32 (batch, individuals, bodyparts). Of several heads also `spread`, of the
    shape of the likelihood: how far they disagree, in source pixels.
    """

    def __init__(
        self,
        embedder: embed.Embedder,
        heads: Sequence[keras.Model],
        locref_stdev: float,
        reach: np.ndarray | None,
    ):
        super().__init__()
        self.embedder = embedder
        self.heads = list(heads)
        self._locref_stdev = locref_stdev
        self._reach = reach

    def frames(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """uint8 frames (batch, height, width, 3), RGB."""
        size = tf.repeat(tf.shape(frames)[1:3][None], tf.shape(frames)[0], axis=0)
        return self.features(self.embedder.frames(frames), size)

    def features(self, features: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        """Stored features (batch, rows, columns, dims), and height and width of each image."""
        grid = tf.cast(tf.shape(features)[1:3], tf.float32)
        cell = tf.reverse(tf.cast(size, tf.float32) / grid, axis=[1])
        found = tasks.keypoints(self.heads, features, cell, self._locref_stdev, reach=self._reach)
        found = found[:, None]
        outputs = {"keypoints": found[..., :2], "likelihood": found[..., 2]}
        return outputs if len(self.heads) == 1 else {**outputs, "spread": found[..., 3]}

    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encoded JPEG, PNG or BMP images (batch,), of one size or several."""
        bodyparts = self.heads[0].output_shape[-1] // 3
        outputs = {
            "keypoints": tf.TensorSpec((1, bodyparts, 2), tf.float32),
            "likelihood": tf.TensorSpec((1, bodyparts), tf.float32),
        }
        if len(self.heads) > 1:
            outputs["spread"] = outputs["likelihood"]

        def one(data):
            return {k: v[0] for k, v in self.frames(embed.decode(data)[None]).items()}

        # One at a time, since images of a batch may differ in size.
        return tf.map_fn(one, image_bytes, fn_output_signature=outputs)

    def signatures(self) -> dict:
        dims = self.heads[0].input_shape[-1]
        maps = tf.TensorSpec((None, None, None, dims), tf.bfloat16, "features")
        size = tf.TensorSpec((None, 2), tf.int32, "size")
        return {
            "serving_default": _signature(self.serve, image_bytes=_BYTES),
            "frames": _signature(self.frames, frames=FRAMES),
            "features": tf.function(self.features, input_signature=[maps, size]),
        }


class CropModel(tf.Module):
    """Crops of any size to class scores; column 0 is the positive class.

    Outputs of all signatures: `prediction`, the class of the highest score, (batch,); `scores`
    (batch, classes); of several heads also `spread`, the standard deviation of their scores.
    """

    def __init__(self, embedder: embed.Embedder, heads: Sequence[keras.Model]):
        super().__init__()
        self.embedder = embedder
        self.heads = list(heads)

    def embeddings(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """Encoded images (batch,) to bfloat16 (batch, dims), as they are stored."""
        size = self.embedder.crop_size

        def one(data):
            return self.embedder.resized(embed.decode(data)[None])[0]

        resized = tf.map_fn(
            one, image_bytes, fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32)
        )
        return tf.cast(self.embedder.embed(resized), tf.bfloat16)

    def scores(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """Encoded images (batch,) to float32 (batch, classes)."""
        return tasks.scores(self.heads, self.embeddings(image_bytes))[0]

    def serve(self, key: tf.Tensor, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """`key` passes through, so that unordered batch predictions can be joined."""
        return {"key": key, **self.features(self.embeddings(image_bytes))}

    def serve_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """A single string input, as Vertex file lists and TFRecords need."""
        return self.features(self.embeddings(image_bytes))

    def frames(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """uint8 crops (batch, height, width, 3), RGB. Also gives `embedding` (batch, dims)."""
        embedded = self.embedder.frames(frames)
        return {**self.features(embedded), EMBEDDING: tf.cast(embedded, tf.float32)}

    def features(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        """Stored embeddings (batch, dims)."""
        found, spread = tasks.scores(self.heads, features)
        outputs = {"prediction": tf.argmax(found, axis=1), "scores": found}
        return outputs if len(self.heads) == 1 else {**outputs, "spread": spread}

    def signatures(self) -> dict:
        dims = self.heads[0].input_shape[-1]
        return {
            "serving_default": _signature(self.serve, key=_BYTES, image_bytes=_BYTES),
            "image_bytes": _signature(self.serve_bytes, image_bytes=_BYTES),
            "frames": _signature(self.frames, frames=FRAMES),
            "features": _signature(
                self.features, features=tf.TensorSpec((None, dims), tf.bfloat16)
            ),
        }


def assemble(config: Config, embedder: embed.Embedder, task) -> PoseModel | CropModel:
    """The model of an experiment: a trained task of `trainer.tasks` behind its embedder."""
    if config.task == "pose":
        return PoseModel(embedder, task.members, config.train.locref_stdev, task.reach)
    return CropModel(embedder, task.members)


def save(model: PoseModel | CropModel, folder: str) -> None:
    """Writes the SavedModel whole or not at all: `<folder>/saved_model`."""
    with artefacts.replacing_folder(artefacts.place(folder, SAVED_MODEL)) as temporary:
        tf.saved_model.save(model, str(temporary), signatures=model.signatures())


def save_legacy(model: CropModel, folder: str) -> None:
    """Writes what DeepMeerkat 2 loads, `<folder>/legacy`.

    It is a TF 1 graph with frozen weights, tag `serve`, and two names: JPEG bytes go into
    `Placeholder:0`, `final_ops/softmax:0` gives (batch, 2) with the positive class first.
    """
    from tensorflow.python.framework import convert_to_constants

    concrete = tf.function(model.scores, input_signature=[_BYTES]).get_concrete_function()
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
        with artefacts.replacing_folder(artefacts.place(folder, LEGACY)) as temporary:
            # The builder wants to make the folder itself.
            builder = v1.saved_model.Builder(str(temporary / LEGACY))
            builder.add_meta_graph_and_variables(
                session, [v1.saved_model.tag_constants.SERVING], {"serving_default": signature}
            )
            builder.save()
            for made in (temporary / LEGACY).iterdir():
                made.rename(temporary / made.name)
            (temporary / LEGACY).rmdir()


def load(folder: str):
    """The SavedModel of a model folder, as TensorFlow loads it.

    Raises:
      ValueError: it is not whole.
    """
    with artefacts.local(artefacts.place(folder, SAVED_MODEL)) as copy:
        try:
            return tf.saved_model.load(str(copy))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise ValueError(
                f"The model in {folder} cannot be loaded, a file of {SAVED_MODEL}/ is damaged or "
                f"missing: copy the whole folder again, or train again. TensorFlow says: {error}"
            ) from error


def verify(
    folder: str, model: PoseModel | CropModel, frame: np.ndarray, features: np.ndarray | None
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
            worst = _difference(answer[output], value)
            if not worst <= tolerance:
                raise RuntimeError(
                    f"The exported model in {folder} answers {output} by signature {name} with a "
                    f"difference of {worst:g} from the trained one, above {tolerance:g}."
                )
    if features is None:
        return None
    batch = tf.constant(features[None])
    if isinstance(model, CropModel):
        return _difference(model.features(batch)["scores"], expected["scores"])
    stored = model.features(batch, tf.constant([frame.shape[:2]]))
    return _difference(stored["keypoints"], expected["keypoints"])


def _difference(one: tf.Tensor, other: tf.Tensor) -> float:
    return float(np.max(np.abs(one.numpy() - other.numpy())))


def _signature(function, **specs: tf.TensorSpec):
    named = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()]
    return tf.function(function, input_signature=named)
