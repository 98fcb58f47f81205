"""Our own backbone: folding, its shipped weights, and the script that makes them."""

import re
import subprocess
import sys
from pathlib import Path

import fakes
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from beampose.trainer import backbone, backbone_weights, compact

ROOT = Path(__file__).parent.parent.parent
NAME = compact.NAME


def test_maps_join_three_stages_at_stride_eight():
    network = backbone.Backbone(NAME, "random:0")
    assert network.channels == 4 * 32 + 64 + 128
    assert network(tf.zeros((2, 48, 80, 3))).shape == (2, 6, 10, network.channels)


def test_folding_changes_no_answer():
    trained = compact.build(normalize=True)
    rng = np.random.default_rng(0)
    for variable in trained.weights:
        if "norm" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    images = rng.uniform(-1, 1, (2, 64, 96, 3)).astype(np.float32)
    wanted = trained(images, training=False).numpy()
    assert wanted.std() > 0
    np.testing.assert_allclose(compact.fold(trained)(images).numpy(), wanted, rtol=1e-3, atol=1e-3)


def test_the_shipped_weights_load_and_their_card_names_their_digest():
    network = backbone.Backbone(NAME, "builtin")
    card = (backbone_weights.BUILTIN / "resnet_compact.md").read_text()
    assert re.findall("[0-9a-f]{64}", card)[0] == network.digest
    assert (backbone_weights.BUILTIN / "resnet_compact.npz").stat().st_size < 5e6


@pytest.mark.parametrize("pooled", [False, True])
def test_the_shipped_weights_tell_pictures_apart(pooled):
    network = backbone.Backbone(NAME, "builtin", pooled=pooled)
    smooth = np.full((1, 64, 64, 3), 127, np.float32)
    stripes = np.where(np.arange(64)[:, None] // 4 % 2, 250, 5).astype(np.float32)
    striped = np.broadcast_to(stripes[None, :, :, None], (1, 64, 64, 3))
    assert np.abs(network(striped).numpy() - network(smooth).numpy()).mean() > 0.05


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "other.npz"
    np.savez(file, kernel=np.zeros(3, np.uint16))
    with pytest.raises(ValueError, match="does not fit backbone resnet_compact"):
        backbone.Backbone(NAME, str(file))
    file.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="does not fit backbone resnet_compact"):
        backbone.Backbone(NAME, str(file))


def test_a_pickle_in_a_weight_file_is_not_run(tmp_path):
    file = tmp_path / "evil.npz"
    np.savez(file, allow_pickle=True, kernel=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="does not fit backbone resnet_compact"):
        backbone.Backbone(NAME, str(file))


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        (NAME, "imagenet", "imagenet is not available for this backbone"),
        ("resnet50", "builtin", "builtin is not available for this backbone. Use imagenet, a path"),
    ],
)
def test_weights_that_do_not_exist_are_named(name, wanted, message):
    with pytest.raises(ValueError, match=message):
        backbone.Backbone(name, wanted)


def distill(folder, out, *words):
    program = [sys.executable, ROOT / "scripts/distill_backbone.py", "--images", folder]
    settings = ["--teacher-weights", "random:0", "--batch", "2", "--size", "32", "--steps", "3"]
    return subprocess.run(
        [*program, "--out", out, *settings, *words],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )


@pytest.mark.slow
def test_a_student_is_distilled_from_pictures_and_can_be_used(tmp_path):
    for i in range(30):
        Image.fromarray(fakes.pixels(i, 40, 60)).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    first = distill(tmp_path, tmp_path / "a.npz")
    assert first.returncode == 0, first.stderr
    assert "broken.jpg left out" in first.stderr
    assert '"crops": 6' in first.stdout.splitlines()[-1]
    network = backbone.Backbone(NAME, str(tmp_path / "a.npz"))
    assert network(tf.zeros((1, 32, 32, 3))).shape == (1, 4, 4, network.channels)
    again = distill(tmp_path, tmp_path / "b.npz", "--work", str(tmp_path / "a"))
    assert "Continuing at step 3" in again.stdout
    assert backbone.Backbone(NAME, str(tmp_path / "b.npz")).digest == network.digest
    other = distill(tmp_path, tmp_path / "a.npz", "--seed", "1")
    assert "run with other settings" in other.stderr
