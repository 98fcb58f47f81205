"""Training batches of a dataset by tf.data, in an order that a seed decides."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from beampose.trainer.dataset import CropBatch, Dataset, PoseBatch
from beampose.trainer.schema import LabelRecord

# How TensorFlow tells what a generator raised.
_RAISED = re.compile(
    r"(?:ValueError|OSError|FileNotFoundError|PermissionError): (.*?)\s*Traceback \(most", re.DOTALL
)


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


def read(batches: Iterable) -> Iterator:
    """The batches of a stream; what their maker raised in our words, without TensorFlow's.

    Raises:
      ValueError: features or frames cannot be read.
    """
    try:
        yield from batches
    except tf.errors.OpError as error:
        found = _RAISED.search(error.message)
        if found is None:
            raise
        raise ValueError(found[1]) from error


def pose_signature(dataset: Dataset) -> PoseBatch:
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


def crop_signature(dataset: Dataset) -> CropBatch:
    """Shapes and types of the batches of a dataset of crops."""
    features = tf.TensorSpec((None, dataset.dims), tf.bfloat16)
    return CropBatch(features, tf.TensorSpec((None,), tf.int32))
