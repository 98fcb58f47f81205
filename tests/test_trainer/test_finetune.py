"""Finetuning: its views of a frame, and the precision of its networks."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from beampose.core.settings import experiment
from beampose.core.settings.experiment import Features
from beampose.trainer import finetune, views
from beampose.trainer.training import run_digest

RANGES = Features(rotation=60, zoom=0.4, contrast=0.5, translation=0.1)
SIZE = np.array([144.0, 96.0])


def seen(frame, change, first, side):
    sampling = tf.constant(views.sampling(change, first))
    return views.look(tf.constant(frame), sampling, tf.constant(change.gain), side).numpy()


@pytest.mark.parametrize("seed", range(5))
def test_points_move_with_the_pixels_under_them(seed):
    rng = np.random.default_rng(seed)
    point = rng.uniform([50, 35], [94, 61])
    x, y = np.arange(144) + 0.5, np.arange(96) + 0.5
    # A soft blob, whose centre of mass can be told to a fraction of a pixel.
    far = (x[None] - point[0]) ** 2 + (y[:, None] - point[1]) ** 2
    frame = np.repeat(200 * np.exp(-far / 18)[..., None], 3, axis=2).astype(np.float32)
    change = views.draw(RANGES, SIZE, rng, shift=True)
    first = np.array([3, -2])
    window = seen(frame, change._replace(gain=1.0), first, 160)[..., 0]
    weight = window / window.sum()
    centres = np.arange(160) + 0.5
    found = np.array([(weight.sum(axis=0) * centres).sum(), (weight.sum(axis=1) * centres).sum()])
    expected = views.move(change, point, SIZE) - first
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_points_go_there_and_back():
    rng = np.random.default_rng(1)
    change = views.draw(RANGES, SIZE, rng, shift=False)
    points = rng.uniform([60, 40], [84, 56], (2, 4, 2))
    moved = views.move(change, points, SIZE)
    inverse = np.linalg.inv(change.matrix[:, :2])
    np.testing.assert_allclose((moved - change.matrix[:, 2]) @ inverse.T, points)


def test_a_point_that_leaves_the_frame_is_not_labeled():
    shifted = views.UNCHANGED._replace(matrix=np.array([[1.0, 0, 100], [0, 1, 0]]))
    moved = views.move(shifted, np.array([[10.0, 10.0], [90.0, 10.0], [np.nan, 3.0]]), SIZE)
    np.testing.assert_array_equal(moved, [[110, 10], [np.nan, np.nan], [np.nan, np.nan]])


def test_an_unchanged_view_is_the_frame_itself_and_its_edge_goes_on():
    frame = np.random.default_rng(0).uniform(0, 255, (96, 144, 3)).astype(np.float32)
    window = seen(frame, views.UNCHANGED, np.array([100, 40]), 64)
    np.testing.assert_allclose(window[:56, :44], frame[40:, 100:], atol=1e-3)
    np.testing.assert_allclose(window[56:, :44], np.repeat(frame[-1:, 100:], 8, 0), atol=1e-3)


def test_windows_lie_inside_the_frame_and_mostly_around_a_point():
    rng = np.random.default_rng(0)
    points = np.array([[[120.0, 20.0], [np.nan, np.nan]]])
    corners = np.array([views.corner(points, SIZE, 48, rng) for _ in range(300)])
    assert (corners >= 0).all() and (corners <= SIZE - 48).all()
    around = ((corners <= points[0, 0]) & (points[0, 0] < corners + 48)).all(axis=1)
    assert 0.75 < around.mean() < 0.95
    assert views.corner(points, SIZE, 256, rng).tolist() == [0, 0]


def test_contrast_changes_about_the_mean():
    frame = np.random.default_rng(0).uniform(100, 150, (32, 32, 3)).astype(np.float32)
    changed = seen(frame, views.UNCHANGED._replace(gain=0.5), np.zeros(2), 32)
    assert changed.mean() == pytest.approx(frame.mean(), abs=1e-2)
    assert changed.std() == pytest.approx(frame.std() / 2, rel=1e-3)


def test_layers_compute_in_half_precision_only_inside_the_block():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    images = tf.ones((2, 4))
    with finetune.computing([model], "mixed_bfloat16"):
        assert model(images).dtype == tf.bfloat16
        assert model.layers[0].kernel.dtype == "float32"
    assert model(images).dtype == tf.float32


FILE = """
task: pose
source: {format: deeplabcut, path: project}
output: runs/one
features: {frames: true}
train: {mode: finetune}
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["features.frames=false"], r"set features\.frames: true"),
        (["train.precision=float16"], "train.precision must be one of float32, mixed_float16"),
        (["train.mode=finetuned"], "Did you mean 'finetune'"),
        (["train.finetune_window=100"], "multiple of 16"),
        (
            ["train.finetune_learning_rate=0"],
            "learning_rate must be a number above 0",
        ),
        (["train.finetune_steps=0"], "train.finetune_steps must be a whole number from 1"),
        (["train.folds=3"], "train.folds judges heads on stored features"),
        (
            ["train.mode=features", "train.precision=mixed_bfloat16"],
            "only to train.mode: finetune",
        ),
    ],
)
def test_settings_of_finetuning_are_checked(tmp_path, words, message):
    file = tmp_path / "one.yaml"
    file.write_text(FILE)
    assert experiment.load(file).train.mode == "finetune"
    with pytest.raises(ValueError, match=message):
        experiment.load(file, words)


def test_a_head_is_the_same_run_whatever_comes_after_it(tmp_path):
    class Nothing:
        records = ()
        info = types.SimpleNamespace(task="pose", store="one", individuals=())

    file = tmp_path / "one.yaml"
    file.write_text(FILE)
    words = ["train.finetune_steps=7", "train.finetune_window=64", "train.precision=mixed_float16"]
    digests = {
        run_digest(loaded, Nothing())
        for loaded in (
            experiment.load(file),
            experiment.load(file, words),
            experiment.load(file, ["train.mode=features", "features.frames=false"]),
        )
    }
    assert len(digests) == 1
