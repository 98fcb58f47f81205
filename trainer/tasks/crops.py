"""The task of crops: a class of each."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from beampose.core import task_kinds
from beampose.core.names import NETWORK
from beampose.core.settings.experiment import Config
from beampose.trainer import batches, embed, heads, losses
from beampose.trainer.dataset import CropBatch, Dataset
from beampose.trainer.embed import FRAMES, SCALED, Embedder
from beampose.trainer.ensemble import average
from beampose.trainer.finetune_views import WholeCrops
from beampose.trainer.judging import Classes
from beampose.trainer.schema import LabelRecord
from beampose.trainer.tasks import exported
from beampose.trainer.tasks.contract import Loss, Tensors
from beampose.trainer.tasks.exported import BYTES, EMBEDDING, signature
from beampose.trainer.tasks.head_task import HeadTask
from beampose.trainer.traced import traced

# Crops that say how features vary, at the most; and how many say beforehand that they do so as in
# the store, around 0 by 1: of a few crops some channels are all but constant.
SAMPLE, PRIOR = 2048, 50


class Crops(HeadTask[CropBatch]):
    """A classifier on embeddings.

    Classes are balanced by what the loss gives the frequent ones ahead. Weights of crops would not:
    few crops can be told apart without an error, and then weights change nothing. A class without
    a crop, as of a fold that holds out its only one, is given nothing ahead: it is not guessed.

    Predictions are (crops, classes): probabilities.
    """

    kind = task_kinds.CROPS

    def __init__(self, config: Config, dataset: Dataset):
        learned = dataset.of("train", copies=True)
        counts = np.bincount([r.label for r in learned], minlength=len(dataset.classes))
        mean, variance = _usual(dataset, learned)
        head = heads.crop_head(
            mean=mean,
            variance=variance,
            classes=len(dataset.classes),
            hidden=config.train.hidden,
            layers=config.layers,
            dropout=config.train.dropout,
        )
        super().__init__(config, dataset, head, batches.crop_signature(dataset))
        self.judge = Classes(dataset.classes)
        shares = np.where(counts, counts / counts.sum(), 1.0)
        ahead = config.train.balance * np.log(shares)
        self._ahead = tf.constant(ahead, tf.float32)
        self._forward = traced(self._scores, self.signature[:1])

    def make_batch(self, records: Sequence[LabelRecord], rng: np.random.Generator) -> CropBatch:
        """Nothing is drawn."""
        return self.dataset.crop_batch(records)

    def loss_of(self, outputs: tf.Tensor, batch: CropBatch) -> Loss:
        total = losses.class_loss(outputs, batch.labels, self._ahead)
        return total, {"class_loss": total}

    def predict(self, records: Sequence[LabelRecord], batch_size: int) -> np.ndarray:
        found = []
        for start in range(0, len(records), batch_size):
            batch = self.dataset.crop_batch(records[start : start + batch_size])
            found.append(self._forward(batch.features).numpy())
        return np.concatenate(found) if found else np.empty((0, len(self.dataset.classes)))

    def model_of(self, embedder: Embedder) -> "CropModel":
        return CropModel(embedder, self.members)

    def views(self, embedder: Embedder) -> WholeCrops:
        return WholeCrops(self._config, embedder)

    def _scores(self, features: tf.Tensor) -> tf.Tensor:
        return average(scores(self.members, features))


def _usual(dataset: Dataset, records: Sequence[LabelRecord]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (dims,) of features to learn from; a store's are of its first labels."""
    some = records[:: -(-len(records) // SAMPLE)]
    features = dataset.crop_batch(some).features.astype(np.float32)
    share = len(some) / (len(some) + PRIOR)
    return share * features.mean(axis=0), share * features.var(axis=0) + (1 - share)


class CropModel(exported.Exported):
    """Crops of any size to class scores; column 0 is the positive class.

    Outputs of all signatures: `prediction`, the class of the highest score, (batch,); `scores`
    (batch, classes); of several heads also `spread`, the standard deviation of their scores.
    """

    tolerances = {"prediction": 1e-4, "scores": 1e-4, "spread": 1e-3}

    def embeddings(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """Encoded images (batch,) to bfloat16 (batch, dims), as they are stored."""
        size = self.embedder.crop_size

        def one(data):
            return self.embedder.resized(embed.decode(data)[None])[0]

        resized = tf.map_fn(
            one, image_bytes, fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32)
        )
        return self.embedder.stored(resized)

    def scores(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """Encoded images (batch,) to float32 (batch, classes)."""
        return average(scores(self.heads, self.embeddings(image_bytes)))

    def serve(self, key: tf.Tensor, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """`key` passes through, so that unordered batch predictions can be joined."""
        return {"key": key, **self.features(self.embeddings(image_bytes))}

    def serve_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """A single string input, as Vertex file lists and TFRecords need."""
        return self.features(self.embeddings(image_bytes))

    def frames(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """uint8 crops (batch, height, width, 3), RGB. Also gives `embedding` (batch, dims)."""
        return self._of_embedded(self.embedder.of_frames(frames))

    def of_maps(self, *maps: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `frames`, of the backbone's maps."""
        return self._of_embedded(self.embedder.of_maps(maps))

    def _of_embedded(self, embedded: tf.Tensor) -> dict[str, tf.Tensor]:
        return {**self.features(embedded), EMBEDDING: tf.cast(embedded, tf.float32)}

    def scaled(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Crops that are resized already, float32 (batch, side, side, 3), RGB 0 to 255."""
        return self.features(self.embedder.shared(images))

    def features(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        """Stored embeddings (batch, dims)."""
        found = scores(self.heads, features)
        common = average(found)
        outputs = {"prediction": tf.argmax(common, axis=1), "scores": common}
        if len(found) == 1:
            return outputs
        return {**outputs, "spread": tf.math.reduce_std(tf.stack(found), axis=0)}

    def signatures(self) -> dict[str, Callable]:
        dims = self.heads[0].input_shape[-1]
        return {
            "serving_default": signature(self.serve, key=BYTES, image_bytes=BYTES),
            "image_bytes": signature(self.serve_bytes, image_bytes=BYTES),
            "frames": signature(self.frames, frames=FRAMES),
            "features": signature(self.features, features=tf.TensorSpec((None, dims), tf.bfloat16)),
            NETWORK: signature(self.scaled, images=SCALED),
            **self.parts("frames", self.embedder.pixels, [exported.frames_spec()], self.of_maps),
        }

    def legacy(self) -> Callable | None:
        """DeepMeerkat 2 knows two classes."""
        return self.scores if self.heads[0].output_shape[-1] == 2 else None

    def calls(self, frames: tf.Tensor, encoded: tf.Tensor) -> dict[str, Tensors]:
        return {
            "frames": {"frames": frames},
            "serving_default": {"image_bytes": encoded, "key": tf.constant(["key"])},
            "image_bytes": {"image_bytes": encoded},
        }

    def distance(self, features: np.ndarray, size: tuple[int, int], expected: Tensors) -> float:
        """In probability, at most."""
        found = self.features(tf.constant(features[None]))
        return exported.difference(found["scores"], expected["scores"])


def scores(members: Sequence[keras.Model], features: tf.Tensor) -> list[tf.Tensor]:
    """Class probabilities (batch, classes) of embeddings (batch, dims), by each head."""
    features = tf.cast(features, tf.float32)
    return [tf.nn.softmax(head(features, training=False)) for head in members]
