"""The task of one animal: a place of each bodypart."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from beampose.core import task_kinds
from beampose.core.settings.experiment import Config
from beampose.trainer import decode, embed, targets
from beampose.trainer.dataset import Dataset
from beampose.trainer.embed import Embedder
from beampose.trainer.heads import Maps
from beampose.trainer.judging import Points
from beampose.trainer.schema import LabelRecord
from beampose.trainer.tasks import exported, map_task
from beampose.trainer.tasks.contract import Tensors


class Pose(map_task.MapTask):
    """Score maps and location refinement on feature maps.

    Predictions are (images, bodyparts, 3): x, y in source pixels, likelihood; of several heads a
    fourth column, their spread.
    """

    kind = task_kinds.POSE

    def __init__(self, config: Config, dataset: Dataset):
        super().__init__(config, dataset)
        self.judge = Points(dataset.bodyparts, config.predict.pcutoff)
        self.reach = None
        if config.train.plausible:
            truth = [r.keypoints[0] for r in dataset.of("train")]
            self.reach = decode.reaches(np.array(truth).reshape(-1, len(dataset.bodyparts), 2))
        self._forward = self._compiled(self._keypoints)

    def predict(self, records: Sequence[LabelRecord], batch_size: int) -> np.ndarray:
        found = [each.numpy() for each in self._answers(self._forward, records, batch_size)]
        return np.concatenate(found) if found else np.empty((0, len(self.dataset.bodyparts), 3))

    def model_of(self, embedder: Embedder) -> "PoseModel":
        return PoseModel(embedder, self.members, self._config.train.locref_stdev, self.reach)

    def _keypoints(self, features: tf.Tensor, cell: tf.Tensor, inside: tf.Tensor) -> tf.Tensor:
        stdev = self._config.train.locref_stdev
        return keypoints(self.members, features, cell, stdev, reach=self.reach, inside=inside)


class PoseModel(exported.MapModel):
    """Images of any size to keypoints in their own pixels.

    Outputs of all signatures: `keypoints` float32 (batch, individuals, bodyparts, 2), x then y, and
    `likelihood` float32 (batch, individuals, bodyparts). Of several heads also `spread`, of the
    shape of the likelihood: how far they disagree, in source pixels.
    """

    tolerances = {"keypoints": 1e-3, "likelihood": 1e-4, "spread": 1e-3}

    def __init__(
        self,
        embedder: embed.Embedder,
        heads: Sequence[keras.Model],
        locref_stdev: float,
        reach: np.ndarray | None,
    ):
        super().__init__(embedder, heads)
        self._locref_stdev = locref_stdev
        self._reach = reach

    def answer(self, features: tf.Tensor, cell: tf.Tensor, origin: tf.Tensor) -> Tensors:
        found = keypoints(
            self.heads, features, cell, self._locref_stdev, reach=self._reach, origin=origin
        )
        found = found[:, None]
        outputs = {"keypoints": found[..., :2], "likelihood": found[..., 2]}
        return outputs if len(self.heads) == 1 else {**outputs, "spread": found[..., 3]}

    def outputs(self) -> dict[str, tf.TensorSpec]:
        bodyparts = self.heads[0].output_shape[-1] // 3
        outputs = {
            "keypoints": tf.TensorSpec((1, bodyparts, 2), tf.float32),
            "likelihood": tf.TensorSpec((1, bodyparts), tf.float32),
        }
        if len(self.heads) > 1:
            outputs["spread"] = outputs["likelihood"]
        return outputs

    def distance(self, features: np.ndarray, size: tuple[int, int], expected: Tensors) -> float:
        """In pixels, at most."""
        found = self.features(tf.constant(features[None]), tf.constant([size]))
        return exported.difference(found["keypoints"], expected["keypoints"])


def keypoints(
    members: Sequence[keras.Model],
    features: tf.Tensor,
    cell: tf.Tensor,
    locref_stdev: float,
    *,
    reach: np.ndarray | None = None,
    inside: tf.Tensor | None = None,
    origin: tf.Tensor | None = None,
) -> tf.Tensor:
    """Features (batch, rows, columns, dims) to (batch, bodyparts, 3): x, y, likelihood.

    Args:
      members: the head; or several, whose maps are averaged. Then a fourth column is the root mean
        square distance of their own answers from the common one, in source pixels.
      cell: (batch, 2), width and height of a cell in source pixels.
      reach: see `decode.reaches`.
      inside: (batch, rows, columns), 0 in padding, where no peak may be found.
      origin: (batch, 2), x and y of the corner of the first cell in source pixels; None = 0.
    """
    shape = tf.shape(features)
    first = tf.zeros_like(cell) if origin is None else origin
    x, y = targets.centres(shape[1], shape[2], cell, first)
    said = map_task.said(members, features, members[0].output_shape[-1] // 3, inside=inside)

    def decoded(maps: Maps) -> tf.Tensor:
        return decode.keypoints(
            maps.scoremap, maps.locref, x, y, locref_stdev=locref_stdev, reach=reach
        )

    common = decoded(map_task.together(said))
    if len(said) == 1:
        return common
    own = tf.stack([decoded(one) for one in said])
    squared = tf.reduce_sum((own[..., :2] - common[..., :2]) ** 2, axis=-1)
    return tf.concat([common, tf.sqrt(tf.reduce_mean(squared, axis=0))[..., None]], axis=-1)
