"""Batches of a training, and what is told where they cannot be made."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from beampose.trainer import batches


class Batch(NamedTuple):
    values: object


@pytest.mark.parametrize(
    "kind", [ValueError, FileNotFoundError, PermissionError, lambda what: OSError(28, what)]
)
def test_a_shard_that_is_gone_is_told_without_the_words_of_tensorflow(kind):
    def make(records, rng):
        if rng.integers(10**9) == gone:
            raise kind("store/0.tfrecord is missing.\nRun `beampose features` again.")
        return [np.float32(len(records))]

    gone = np.random.default_rng([0, 2, 1]).integers(10**9)
    signature = Batch(tf.TensorSpec((), tf.float32))
    records: list[Any] = [None]
    made = batches.stream(make, [(records, 1)], signature, seed=0, start=0, steps=5)
    found = []
    with pytest.raises(ValueError) as error:
        for batch in batches.read(made):
            found.append(float(batch.values))
    assert found == [1, 1]
    text = str(error.value)
    assert text.endswith("store/0.tfrecord is missing.\nRun `beampose features` again.")
    assert "Traceback" not in text and "function_node" not in text


def test_errors_of_tensorflow_itself_stay_what_they_are():
    broken = tf.data.Dataset.from_tensors([1.0]).map(
        lambda x: tf.debugging.check_numerics(x / 0, "")
    )
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(batches.read(broken))
