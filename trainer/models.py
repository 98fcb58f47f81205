"""Exported models: image in, keypoints, peaks or class scores out, as TensorFlow modules."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from beampose.core.settings.experiment import Config
from beampose.trainer import decode, embed
from beampose.trainer.backbone import resize
from beampose.trainer.tasks import animals, single
from beampose.trainer.tasks.animals import Animals, Reading

# Output of signature `frames` of crop models, by which crops are compared.
EMBEDDING = "embedding"
BYTES = tf.TensorSpec((None,), tf.string)
FRAMES = tf.TensorSpec((None, None, None, 3), tf.uint8)
# Side in pixels to which an animal's crop is resized.
CROP = 128


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
        cell = _cell(features, size)
        found = single.keypoints(self.heads, features, cell, self._locref_stdev, reach=self._reach)
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
            "serving_default": signature(self.serve, image_bytes=BYTES),
            "frames": signature(self.frames, frames=FRAMES),
            "features": tf.function(self.features, input_signature=[maps, size]),
        }


class AnimalsModel(tf.Module):
    """Images of any size to peaks of bodyparts and what joins them, in their own pixels.

    `assemble.assemble` makes individuals of the outputs of one frame. Outputs of all signatures:
    `peaks` float32 (batch, bodyparts, peaks, 2), x then y; `likelihood` (batch, bodyparts, peaks),
    from the highest down, 0 where there is no peak; `edge_costs` (batch, edges, peaks, peaks), see
    `decode.edge_costs`; and `identity` (batch, bodyparts, peaks, animals), logits, if it was
    learned. Signature `descriptors` also gives `descriptors` bfloat16 (batch, bodyparts, peaks,
    dims), the features at each peak's cell, which tell animals from each other; signature `crops`
    the features of a whole animal, cut out.
    """

    def __init__(self, embedder: embed.Embedder, heads: Sequence[keras.Model], reading: Reading):
        super().__init__()
        self.embedder = embedder
        self.heads = list(heads)
        self._reading = reading

    @property
    def edges(self) -> np.ndarray:
        """int (edges, 2), indices of bodyparts."""
        return self._reading.edges

    def frames(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """uint8 frames (batch, height, width, 3), RGB."""
        return self._of_frames(frames)[0]

    def descriptors(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `frames`, with the features at every peak."""
        found, peaks, features = self._of_frames(frames)
        return {**found, "descriptors": decode.at_cells(features, peaks.cells)}

    def crops(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """uint8 crops (batch, height, width, 3) of an animal each: `embedding` bfloat16 (batch,
        dims), the mean of their features."""
        maps = self.embedder.embed(resize(frames, CROP, CROP))
        return {EMBEDDING: tf.cast(tf.reduce_mean(maps, axis=[1, 2]), tf.bfloat16)}

    def features(self, features: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        """Stored features (batch, rows, columns, dims), and height and width of each image."""
        return animals.outputs(self.heads, features, _cell(features, size), self._reading)[0]

    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encoded JPEG, PNG or BMP images (batch,), of one size or several."""
        parts, peaks, edges = self._reading.bodyparts, self._reading.peaks, self._reading.edges
        outputs = {
            "peaks": tf.TensorSpec((parts, peaks, 2), tf.float32),
            "likelihood": tf.TensorSpec((parts, peaks), tf.float32),
            "edge_costs": tf.TensorSpec((len(edges), peaks, peaks), tf.float32),
        }
        if self._reading.animals:
            shape = (parts, peaks, self._reading.animals)
            outputs["identity"] = tf.TensorSpec(shape, tf.float32)

        def one(data):
            return {k: v[0] for k, v in self.frames(embed.decode(data)[None]).items()}

        return tf.map_fn(one, image_bytes, fn_output_signature=outputs)

    def signatures(self) -> dict:
        dims = self.heads[0].input_shape[-1]
        maps = tf.TensorSpec((None, None, None, dims), tf.bfloat16, "features")
        size = tf.TensorSpec((None, 2), tf.int32, "size")
        return {
            "serving_default": signature(self.serve, image_bytes=BYTES),
            "frames": signature(self.frames, frames=FRAMES),
            "descriptors": signature(self.descriptors, frames=FRAMES),
            "crops": signature(self.crops, frames=FRAMES),
            "features": tf.function(self.features, input_signature=[maps, size]),
        }

    def _of_frames(self, frames: tf.Tensor) -> tuple:
        size = tf.repeat(tf.shape(frames)[1:3][None], tf.shape(frames)[0], axis=0)
        features = self.embedder.frames(frames)
        cell = _cell(features, size)
        return *animals.outputs(self.heads, features, cell, self._reading), features


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
        return single.scores(self.heads, self.embeddings(image_bytes))[0]

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
        found, spread = single.scores(self.heads, features)
        outputs = {"prediction": tf.argmax(found, axis=1), "scores": found}
        return outputs if len(self.heads) == 1 else {**outputs, "spread": spread}

    def signatures(self) -> dict:
        dims = self.heads[0].input_shape[-1]
        return {
            "serving_default": signature(self.serve, key=BYTES, image_bytes=BYTES),
            "image_bytes": signature(self.serve_bytes, image_bytes=BYTES),
            "frames": signature(self.frames, frames=FRAMES),
            "features": signature(self.features, features=tf.TensorSpec((None, dims), tf.bfloat16)),
        }


Model = PoseModel | AnimalsModel | CropModel


def of_task(config: Config, embedder: embed.Embedder, task) -> Model:
    """The model of an experiment: its embedder followed by a trained task of `trainer.tasks`."""
    if isinstance(task, Animals):
        return AnimalsModel(embedder, task.members, task.reading)
    if isinstance(task, single.Crops):
        return CropModel(embedder, task.members)
    return PoseModel(embedder, task.members, config.train.locref_stdev, task.reach)


def _cell(features: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Width and height of a cell in source pixels, of images of height and width `size`."""
    grid = tf.cast(tf.shape(features)[1:3], tf.float32)
    return tf.reverse(tf.cast(size, tf.float32) / grid, axis=[1])


def signature(function, **specs: tf.TensorSpec):
    """A function with named inputs, as a SavedModel wants it."""
    named = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()]
    return tf.function(function, input_signature=named)
