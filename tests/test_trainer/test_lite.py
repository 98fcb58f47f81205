"""Backbones in float32 that LiteRT computes, against TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from beampose.trainer import backbone, compact, efficientnet_lite, embed
from beampose.trainer.lite import float_file, lite_embedder, runner

CASES = [
    (compact.NAME, "builtin", False),
    (compact.NAME, "builtin", True),
    pytest.param((efficientnet_lite.NAME, "package", False), marks=pytest.mark.slow),
    pytest.param((efficientnet_lite.NAME, "package", True), marks=pytest.mark.slow),
    pytest.param(("mobilenet_v2_0.35", "random:0", False), marks=pytest.mark.slow),
    pytest.param(("resnet50", "random:0", False), marks=pytest.mark.slow),
    # Behind its taps random weights blow up roundings, and TensorFlow is taken.
    pytest.param(("efficientnet_v2_b0", "random:0", False), marks=pytest.mark.slow),
    pytest.param(("convnext_tiny", "random:0", False), marks=pytest.mark.slow),
    pytest.param(("convnext_tiny", "random:0", True), marks=pytest.mark.slow),
]


def frames(count=2, height=112, width=144):
    coarse = np.random.default_rng(0).uniform(0, 255, (count, 8, 8, 3)).astype(np.float32)
    return tf.image.resize(coarse, (height, width)).numpy().round().astype(np.uint8)


@pytest.mark.parametrize("case", CASES)
def test_litert_says_what_tensorflow_says(case):
    name, weights, pooled = case
    network = backbone.Backbone(name, weights, pooled=pooled)
    embedder = embed.Embedder(network, None, scale=0.7, crop_size=96)
    lite = lite_embedder.fastest(embedder, network.lite_file())
    assert isinstance(lite, lite_embedder.LiteEmbedder)
    expected = embedder.frames(frames()).numpy().astype(np.float32)
    found = lite.frames(frames()).numpy().astype(np.float32)
    # The last bit of bfloat16 may differ.
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2 * np.abs(expected).mean())
    assert np.mean(found == expected) > 0.99


def test_an_answer_does_not_depend_on_the_batch_or_its_size():
    network = backbone.Backbone(compact.NAME, "builtin")
    lite = runner.LiteRunner(network.lite_file())
    pixels = network.pixels(tf.constant(frames(3), tf.float32)).numpy()
    alone = [lite(pixels[i : i + 1]) for i in range(3)]
    for together, *each in zip(lite(pixels), *alone, strict=True):
        assert np.array_equal(together, np.concatenate(each))


def test_the_same_network_gives_the_same_file():
    first = backbone.Backbone(compact.NAME, "builtin")
    # Keras numbers its models and layers on.
    second = backbone.Backbone(compact.NAME, "builtin")
    files = [float_file.of_network(one.maps) for one in (first, second)]
    assert files[0] is not None and files[0] == files[1] == first.lite_file()
    assert backbone.Backbone(compact.NAME, "random:1").lite_file() != files[0]


def test_weights_that_learn_leave_no_file_of_before():
    network = backbone.Backbone(compact.NAME, "builtin", lite=b"before")
    assert network.lite_file() == b"before"
    network.unfreeze()
    assert network.lite_file() != b"before"


def test_tensorflows_own_interpreter_is_taken_where_litert_is_not_installed(monkeypatch):
    network = backbone.Backbone(compact.NAME, "builtin")
    content = network.lite_file()
    pixels = network.pixels(tf.constant(frames(1), tf.float32)).numpy()
    expected = runner.LiteRunner(content)(pixels)
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: None)
    assert runner.is_there()
    for one, other in zip(runner.LiteRunner(content)(pixels), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_another_network_is_not_taken(caplog):
    network = backbone.Backbone(compact.NAME, "builtin")
    embedder = embed.Embedder(network, None)
    other = backbone.Backbone(compact.NAME, "random:1").lite_file()
    assert lite_embedder.fastest(embedder, other) is embedder
    assert runner.OTHERWISE in caplog.text


def test_a_network_that_cannot_be_written_is_tensorflows(caplog):
    caplog.set_level("INFO")
    assert float_file.of_network(lambda images: [tf.strings.as_string(images)]) is None
    assert "TensorFlow computes it" in caplog.text


def test_a_batch_that_litert_cannot_compute_is_tensorflows_and_told_once(monkeypatch, caplog):
    network = backbone.Backbone(compact.NAME, "builtin")
    embedder = embed.Embedder(network, None)
    lite = lite_embedder.fastest(embedder, network.lite_file())
    expected = lite.frames(frames()).numpy()
    computed = runner.LiteRunner._computed

    def out_of_memory(self, pixels):
        if len(pixels) > 1:
            raise RuntimeError("failed to allocate\nNode number 51 failed to prepare.")
        return computed(self, pixels)

    monkeypatch.setattr(runner.LiteRunner, "_computed", out_of_memory)
    for _ in range(2):
        found = lite.frames(frames()).numpy()
        assert np.mean(found == expected) > 0.99
    assert caplog.text.count("TensorFlow computes it instead") == 1
    assert "2x112x144x3 (failed to allocate)" in caplog.text
    # LiteRT goes on with what it can.
    assert np.array_equal(lite.frames(frames()[:1]).numpy(), expected[:1])
    assert caplog.text.count("TensorFlow computes it instead") == 1
