"""Backbones in whole numbers: the file, TensorFlow's arithmetic and LiteRT's."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from beampose.trainer import backbone, compact, efficientnet_lite, embed
from beampose.trainer.integers import lite_file
from beampose.trainer.lite import lite_embedder, runner
from beampose.trainer.lite.runner import LiteRunner

MOBILENET = "mobilenet_v2_0.35"


def picture(seed, height=96, width=128):
    """Smooth blobs and noise: maps of all layers vary."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (1, height // 16, width // 16, 3)).astype(np.float32)
    smooth = tf.image.resize(coarse, (height, width)).numpy()[0]
    return np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.float32)


@functools.cache
def networks(name, weights="random:0", pooled=False):
    """A backbone in float32 and in whole numbers."""
    plain = backbone.Backbone(name, weights, pooled=pooled)
    content = plain.quantized_by([picture(i) for i in range(4)])
    return plain, backbone.Backbone(name, weights, pooled=pooled, quantized=content)


def content(whole):
    assert whole.integers is not None
    return whole.integers.file.content


def test_a_network_that_litert_cannot_run_is_tensorflows(caplog):
    pytest.importorskip("ai_edge_litert")
    assert runner.opened(b"no network") is None
    assert "TensorFlow computes it instead" in caplog.text


CASES = [
    (compact.NAME, "builtin", False),
    (compact.NAME, "builtin", True),
    pytest.param((MOBILENET, "random:0", False), marks=pytest.mark.slow),
    pytest.param((efficientnet_lite.NAME, "package", False), marks=pytest.mark.slow),
    pytest.param((efficientnet_lite.NAME, "package", True), marks=pytest.mark.slow),
    pytest.param(("resnet50", "random:0", False), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("case", CASES)
def test_litert_says_bit_by_bit_what_tensorflow_says(case):
    pytest.importorskip("ai_edge_litert")
    _, whole = networks(*case)
    frames = np.stack([picture(i, 112, 144) for i in (7, 8)]).round().astype(np.uint8)
    embedder = embed.Embedder(whole, None, scale=0.7, crop_size=96)
    lite = lite_embedder.LiteEmbedder(embedder, LiteRunner(content(whole)))
    assert np.array_equal(lite.frames(frames).numpy(), embedder.frames(frames).numpy())


@pytest.mark.parametrize("case", CASES)
def test_whole_numbers_say_nearly_what_float32_says(case):
    plain, whole = networks(*case)
    images = tf.constant(picture(9)[None])
    expected, found = plain(images).numpy(), whole(images).numpy()
    assert found.shape == expected.shape
    # Random weights use their ranges worse than trained ones do.
    least = 0.9 if case[1].startswith("random") else 0.98
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > least


def test_the_answer_does_not_depend_on_the_batch():
    _, whole = networks(compact.NAME, "builtin")
    images = tf.constant(np.stack([picture(i) for i in range(3)]))
    alone = [whole(images[i : i + 1]).numpy()[0] for i in range(3)]
    assert np.array_equal(whole(images).numpy(), np.stack(alone))


def test_every_gray_level_is_a_number_of_its_own():
    _, whole = networks(compact.NAME, "builtin")
    levels = tf.reshape(tf.range(256, dtype=tf.float32), (1, 16, 16, 1))
    pixels = whole.pixels(tf.repeat(levels, 3, axis=3)).numpy()
    assert len(np.unique(pixels)) == 256


def test_litert_is_taken_only_if_it_says_the_same(monkeypatch):
    pytest.importorskip("ai_edge_litert")
    _, whole = networks(compact.NAME, "builtin")
    embedder = embed.Embedder(whole, None)
    assert isinstance(lite_embedder.fastest(embedder), lite_embedder.LiteEmbedder)
    answer = LiteRunner.__call__

    def otherwise(self, pixels):
        return [np.bitwise_xor(one, 1) for one in answer(self, pixels)]

    monkeypatch.setattr(LiteRunner, "__call__", otherwise)
    assert lite_embedder.fastest(embedder) is embedder


@pytest.mark.parametrize("cut", [slice(1000), slice(0), slice(8, None)])
def test_a_damaged_file_is_an_error_in_words(cut):
    _, whole = networks(compact.NAME, "builtin")
    with pytest.raises(ValueError, match="quantised network"):
        lite_file.read(content(whole)[cut])


def test_a_backbone_that_cannot_be_quantised_is_refused_by_name():
    plain = networks(compact.NAME, "builtin")[0]
    plain_id, plain.id = plain.id, "convnext_tiny"
    try:
        with pytest.raises(ValueError, match="int8 does not apply to features.backbone: convnext"):
            embed.recipe(plain, scale=1, crop_size=96, pca=0, precision="int8")
    finally:
        plain.id = plain_id
