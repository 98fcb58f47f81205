"""A model is named by its weights and its graph, not by how its files were written."""

import numpy as np
import pytest
import tensorflow as tf

from beampose.core import storage
from beampose.trainer.export import SAVED_MODEL
from beampose.trainer.model_digest import file_digest, model_digest


class Model(tf.Module):
    def __init__(self, factor: float = 2.0, power: float = 3.0):
        super().__init__()
        self.values = [
            tf.Variable(np.full((4,), factor, np.float32)),
            tf.Variable(np.arange(4, dtype=np.float32)),
        ]
        self.power = power

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
        def inner(inputs):
            return inputs * self.values[0] + self.values[1]

        self.inner = inner

    def call(self, inputs):
        return {"out": tf.nn.relu(self.inner(inputs)) ** self.power}


def saved(folder, model: Model) -> str:
    spec = [tf.TensorSpec([None, 4], tf.float32, name="inputs")]
    signatures = {"frames": tf.function(model.call, input_signature=spec)}
    tf.saved_model.save(model, str(folder / SAVED_MODEL), signatures=signatures)
    return str(folder)


def test_two_exports_of_a_model_have_one_digest(tmp_path):
    model = Model()
    first = saved(tmp_path / "a", model)
    # What a process traces in between changes the names of functions and operations.
    for i in range(3):
        saved(tmp_path / f"other{i}", Model(float(i)))
    second = saved(tmp_path / "b", Model())
    assert model_digest(first) == model_digest(second)
    assert file_digest(first) != file_digest(second)


@pytest.mark.parametrize("other", [Model(2.5), Model(power=2.0)])
def test_other_weights_or_another_graph_have_another_digest(tmp_path, other):
    assert model_digest(saved(tmp_path / "a", Model())) != model_digest(
        saved(tmp_path / "b", other)
    )


def test_a_digest_follows_the_files(tmp_path):
    folder = saved(tmp_path / "a", Model())
    before = model_digest(folder)
    storage.remove(tmp_path / "a" / SAVED_MODEL)
    saved(tmp_path / "a", Model(7.0))
    assert model_digest(folder) != before
