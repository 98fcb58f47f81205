"""Training batches of a dataset by tf.data, in an order that a seed decides."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import tensorflow as tf

from beampose.core.infos import DatasetInfo
from beampose.trainer.dataset import CropBatch, Dataset, PoseBatch
from beampose.trainer.schema import LabelRecord


def order(count: int, batch_size: int, *, seed: int, start: int, steps: int) -> Iterator[list[int]]:
    """Yields the records of each training step.

    Permutations of all records follow each other, each from (seed, epoch), and are cut into
    batches: every record comes once an epoch, and step `start` of a resumed run sees what it would
    have seen.
    """
    epoch, permutation = -1, np.empty(0, int)
    for step in range(start, steps):
        batch = []
        for position in range(step * batch_size, (step + 1) * batch_size):
            if position // count != epoch:
                epoch = position // count
                permutation = np.random.default_rng([seed, epoch]).permutation(count)
            batch.append(int(permutation[position % count]))
        yield batch


def groups(
    records: Sequence[LabelRecord], batch_size: int, originals: float
) -> list[tuple[list[LabelRecord], int]]:
    """Records that share a batch, with how many of each group are in it.

    Args:
      originals: share of a batch that are images as they are, where there are augmented copies.
    """
    plain = [r for r in records if r.copy == 0]
    copies = [r for r in records if r.copy]
    count = round(batch_size * originals)
    if not copies or not plain or not 0 < count < batch_size:
        return [(list(records), batch_size)]
    return [(plain, count), (copies, batch_size - count)]


def stream(
    make_batch: Callable[[list[LabelRecord], np.random.Generator], Any],
    parts: Sequence[tuple[list[LabelRecord], int]],
    signature: Any,
    *,
    seed: int,
    start: int,
    steps: int,
) -> tf.data.Dataset:
    """A tf.data pipeline of training batches: each is read and cut while the one before trains.

    What a step sees depends on (seed, step) alone.

    Args:
      parts: see `groups`.
    """

    def generate():
        orders = [
            order(len(records), count, seed=seed, start=start, steps=steps)
            for records, count in parts
        ]
        for step, chosen in enumerate(zip(*orders, strict=True), start):
            batch = [
                records[i]
                for (records, _), numbers in zip(parts, chosen, strict=True)
                for i in numbers
            ]
            # The third number keeps these draws apart from those of the permutations.
            yield tuple(make_batch(batch, np.random.default_rng([seed, step, 1])))

    kind = type(signature)
    dataset = tf.data.Dataset.from_generator(generate, output_signature=tuple(signature))
    return dataset.map(lambda *parts: kind(*parts)).prefetch(2)


class Noise:
    """Stands for a dataset where only the time of a training step matters.

    Args:
      task: pose or crops.
      dims: of the features.
      names: number of bodyparts or classes.
      side: of a square window, in cells.
      batch_size: of `batch`.
      individuals: of pose.
    """

    def __init__(
        self, task: str, dims: int, names: int, side: int, batch_size: int, individuals: int = 1
    ):
        self.dims = dims
        self.bodyparts = [str(i) for i in range(names)]
        self.classes = self.bodyparts
        self.info = DatasetInfo(
            task=task,
            bodyparts=self.bodyparts,
            individuals=[str(i) for i in range(individuals)],
            edges=[],
            classes=self.classes,
            store="",
        )
        self._task, self._side, self._batch_size = task, side, batch_size

    def of(self, split: str, *, copies: bool = False) -> list[LabelRecord]:
        """A record of each class."""
        blank = np.full((len(self.info.individuals), len(self.bodyparts), 2), np.nan)
        return [
            LabelRecord("", "", "", "", "", 0, split, 0, 0, 0, blank, label)
            for label in range(len(self.classes))
        ]

    def batch(self) -> PoseBatch | CropBatch:
        """A batch of random features and labels."""
        rng = np.random.default_rng(0)
        count, side = self._batch_size, self._side
        if self._task == "crops":
            features = rng.standard_normal((count, self.dims)).astype(ml_dtypes.bfloat16)
            return CropBatch(features, rng.integers(0, len(self.classes), count).astype(np.int32))
        shape = (count, side, side, self.dims)
        owners = len(self.info.individuals)
        keypoints = rng.uniform(0, side * 8, (count, owners, len(self.bodyparts), 2))
        return PoseBatch(
            rng.standard_normal(shape).astype(ml_dtypes.bfloat16),
            keypoints.astype(np.float32),
            np.full((count, 2), 8, np.float32),
            np.zeros((count, 2), np.float32),
            np.ones(shape[:3], np.float32),
        )


def pose_signature(dataset: Dataset | Noise) -> PoseBatch:
    """Shapes and types of the batches of a dataset of poses."""
    dims, bodyparts = dataset.dims, len(dataset.bodyparts)
    individuals = len(dataset.info.individuals)
    return PoseBatch(
        tf.TensorSpec((None, None, None, dims), tf.bfloat16),
        tf.TensorSpec((None, individuals, bodyparts, 2), tf.float32),
        tf.TensorSpec((None, 2), tf.float32),
        tf.TensorSpec((None, 2), tf.float32),
        tf.TensorSpec((None, None, None), tf.float32),
    )


def crop_signature(dataset: Dataset | Noise) -> CropBatch:
    """Shapes and types of the batches of a dataset of crops."""
    features = tf.TensorSpec((None, dataset.dims), tf.bfloat16)
    return CropBatch(features, tf.TensorSpec((None,), tf.int32))
