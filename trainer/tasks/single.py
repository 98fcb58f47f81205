"""Tasks pose and crops: head, loss, prediction, score.

`trainer.tasks.animals` is the task of several; `trainer.tasks.task_table` says which is asked for.
"""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from beampose.core.infos import Figures
from beampose.core.settings.experiment import Config
from beampose.trainer import batches, decode, encoded_frames, heads, losses, metrics, targets
from beampose.trainer.dataset import CropBatch, Dataset, PoseBatch
from beampose.trainer.schema import LabelRecord


class Pose:
    """Score maps and location refinement on feature maps."""

    # Held-out figure that decides which weights are kept, and whether less is better.
    score = "mean_error_px"
    sign = -1.0

    def __init__(self, config: Config, dataset: Dataset):
        self._train = config.train
        self._pcutoff = config.predict.pcutoff
        self.dataset = dataset
        self.head = heads.pose_head(
            dims=dataset.dims,
            bodyparts=len(dataset.bodyparts),
            hidden=config.train.hidden,
            layers=config.layers,
            dropout=config.train.dropout,
        )
        self.trained = [self.head]
        # What predicts: the head that is trained, or several that were.
        self.members = [self.head]
        self._window = config.train.window
        self.reach = None
        if config.train.plausible:
            truth = [r.keypoints[0] for r in dataset.of("train")]
            self.reach = decode.reaches(np.array(truth).reshape(-1, len(dataset.bodyparts), 2))
        self.signature = batches.pose_signature(dataset)
        maps = self.signature
        self._forward = tf.function(
            self._keypoints, input_signature=[maps.features, maps.cell, maps.inside]
        )

    def make_batch(self, records: Sequence[LabelRecord], rng: np.random.Generator) -> PoseBatch:
        """A training batch: windows of the maps, most of them around a labeled point."""
        return self.dataset.pose_batch(records, window=self._window, rng=rng)

    def loss(self, batch: PoseBatch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Total loss of a batch in training, and its parts by name."""
        return self.loss_of(self.head(tf.cast(batch.features, tf.float32), training=True), batch)

    def loss_of(
        self, outputs: tf.Tensor, batch: PoseBatch
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss of what the head said, float32; the features of the batch are not used."""
        shape = tf.shape(outputs)
        x, y = targets.centres(shape[1], shape[2], batch.cell, batch.origin)
        scoremap, locref = targets.pose_targets(
            batch.keypoints,
            x,
            y,
            pos_dist_thresh=self._train.pos_dist_thresh,
            locref_stdev=self._train.locref_stdev,
        )
        scoremap *= batch.inside[..., None]
        logits, refinement = heads.split_maps(outputs, len(self.dataset.bodyparts))
        parts = {
            "scoremap_loss": losses.scoremap_loss(logits, scoremap, batch.inside),
            "locref_loss": losses.locref_loss(refinement, locref, scoremap),
        }
        total = parts["scoremap_loss"] + self._train.locref_weight * parts["locref_loss"]
        return total, parts

    def predict(self, records: Sequence[LabelRecord], batch_size: int) -> np.ndarray:
        """(images, bodyparts, 3): x, y in source pixels, likelihood; of several heads, spread."""
        found = []
        for start in range(0, len(records), batch_size):
            batch = self.dataset.pose_batch(records[start : start + batch_size])
            found.append(self._forward(batch.features, batch.cell, batch.inside).numpy())
        return np.concatenate(found) if found else np.empty((0, len(self.dataset.bodyparts), 3))

    def measure(self, records: Sequence[LabelRecord], predicted: np.ndarray) -> Figures:
        truth = np.stack([r.keypoints[0] for r in records])
        return metrics.pose_metrics(truth, predicted, self.dataset.bodyparts, self._pcutoff)

    def errors(self, records: Sequence[LabelRecord], predicted: np.ndarray) -> np.ndarray:
        """(images, bodyparts) source pixels, NaN where not labeled."""
        return metrics.distances(np.stack([r.keypoints[0] for r in records]), predicted)

    def read(self, outputs: dict[str, np.ndarray]) -> np.ndarray:
        """Outputs of the exported model as `predict` gives them."""
        return encoded_frames.read_keypoints(outputs)

    def finish(self) -> None:
        """Ends a training: nothing to do for one animal."""

    def facts(self) -> dict[str, Any]:
        """Entries of the model's info.json that only this task has."""
        return {}

    def _keypoints(self, features: tf.Tensor, cell: tf.Tensor, inside: tf.Tensor) -> tf.Tensor:
        return keypoints(
            self.members, features, cell, self._train.locref_stdev, reach=self.reach, inside=inside
        )


class Crops:
    """A classifier on embeddings; classes are balanced by weight."""

    score = "accuracy"
    sign = 1.0

    def __init__(self, config: Config, dataset: Dataset):
        self.dataset = dataset
        self.head = heads.crop_head(
            dims=dataset.dims,
            classes=len(dataset.classes),
            hidden=config.train.hidden,
            layers=config.layers,
            dropout=config.train.dropout,
        )
        self.trained = [self.head]
        # What predicts: the head that is trained, or several that were.
        self.members = [self.head]
        self.signature = batches.crop_signature(dataset)
        counts = np.bincount(
            [r.label for r in dataset.of("train", copies=True)], minlength=len(dataset.classes)
        )
        if not counts.all():
            empty = dataset.classes[int(np.argmin(counts))]
            raise ValueError(f"The training split holds no crop of class {empty!r}.")
        self._class_weights = tf.constant(counts.sum() / (len(counts) * counts), tf.float32)
        self._forward = tf.function(self._scores, input_signature=self.signature[:1])

    def make_batch(self, records: Sequence[LabelRecord], rng: np.random.Generator) -> CropBatch:
        """A training batch."""
        return self.dataset.crop_batch(records)

    def loss(self, batch: CropBatch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Total loss of a batch in training, and its parts by name."""
        return self.loss_of(self.head(tf.cast(batch.features, tf.float32), training=True), batch)

    def loss_of(
        self, outputs: tf.Tensor, batch: CropBatch
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss of what the head said, float32; the features of the batch are not used."""
        total = losses.class_loss(outputs, batch.labels, self._class_weights)
        return total, {"class_loss": total}

    def predict(self, records: Sequence[LabelRecord], batch_size: int) -> np.ndarray:
        """(crops, classes): probabilities."""
        found = []
        for start in range(0, len(records), batch_size):
            batch = self.dataset.crop_batch(records[start : start + batch_size])
            found.append(self._forward(batch.features).numpy())
        return np.concatenate(found) if found else np.empty((0, len(self.dataset.classes)))

    def measure(self, records: Sequence[LabelRecord], predicted: np.ndarray) -> Figures:
        labels = np.array([r.label for r in records])
        return metrics.crop_metrics(labels, predicted, self.dataset.classes, metrics.THRESHOLD)

    def read(self, outputs: dict[str, np.ndarray]) -> np.ndarray:
        """Outputs of the exported model as `predict` gives them."""
        return encoded_frames.read_scores(outputs)

    def finish(self) -> None:
        """Ends a training: nothing to do for crops."""

    def facts(self) -> dict[str, Any]:
        """Entries of the model's info.json that only this task has."""
        return {}

    def _scores(self, features: tf.Tensor) -> tf.Tensor:
        return scores(self.members, features)[0]


def keypoints(
    members: Sequence[keras.Model],
    features: tf.Tensor,
    cell: tf.Tensor,
    locref_stdev: float,
    *,
    reach: np.ndarray | None = None,
    inside: tf.Tensor | None = None,
) -> tf.Tensor:
    """Features (batch, rows, columns, dims) to (batch, bodyparts, 3): x, y, likelihood.

    Args:
      members: the head; or several, whose maps are averaged. Then a fourth column is the root mean
        square distance of their own answers from the common one, in source pixels.
      cell: (batch, 2), width and height of a cell in source pixels.
      reach: see `decode.reaches`.
      inside: (batch, rows, columns), 0 in padding, where no peak may be found.
    """
    features = tf.cast(features, tf.float32)
    shape = tf.shape(features)
    x, y = targets.centres(shape[1], shape[2], cell, tf.zeros_like(cell))
    maps = []
    for head in members:
        outputs = head(features, training=False)
        logits, locref = heads.split_maps(outputs, outputs.shape[-1] // 3)
        scoremap = tf.sigmoid(logits)
        maps.append((scoremap if inside is None else scoremap * inside[..., None], locref))

    def decoded(scoremap: tf.Tensor, locref: tf.Tensor) -> tf.Tensor:
        return decode.keypoints(scoremap, locref, x, y, locref_stdev=locref_stdev, reach=reach)

    if len(maps) == 1:
        return decoded(*maps[0])
    total = tf.add_n([scoremap for scoremap, _ in maps])
    # A head says nothing about the place of a bodypart where it does not see it.
    weighted = tf.add_n([locref * scoremap[..., None] for scoremap, locref in maps])
    common = decoded(total / len(maps), tf.math.divide_no_nan(weighted, total[..., None]))
    own = tf.stack([decoded(*one) for one in maps])
    squared = tf.reduce_sum((own[..., :2] - common[..., :2]) ** 2, axis=-1)
    return tf.concat([common, tf.sqrt(tf.reduce_mean(squared, axis=0))[..., None]], axis=-1)


def scores(members: Sequence[keras.Model], features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Embeddings (batch, dims) to class probabilities (batch, classes), and their spread.

    The mean over the members and the standard deviation, 0 of one head.
    """
    features = tf.cast(features, tf.float32)
    found = tf.stack([tf.nn.softmax(head(features, training=False)) for head in members])
    return tf.reduce_mean(found, axis=0), tf.math.reduce_std(found, axis=0)
