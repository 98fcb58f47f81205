"""Finetuning and its export on a small experiment, beside the labels the feature job kept."""

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import SETTINGS, crops_settings, write_crops, write_project

from beampose.core import storage
from beampose.core.names import METRICS
from beampose.core.settings import experiment
from beampose.pipelines.features import feature_job
from beampose.trainer import embed, finetune, sweeps, task, training
from beampose.trainer.dataset import Dataset
from beampose.trainer.evaluation import evaluate

# It takes two minutes, for what few use.
pytestmark = pytest.mark.slow

TUNED = (
    "train: {mode: finetune, finetune_steps: 6, finetune_window: 64, "
    "finetune_learning_rate: 0.0005, "
)


def settings_of(name):
    # One backbone with batch normalisation and one without.
    text = crops_settings().replace("resnet_compact", "mobilenet_v2_0.35")
    text = text.replace("weights: builtin", 'weights: "random:0"')
    if name == "pose":
        text = SETTINGS.replace('"random:0"', "builtin")
    text = text.replace("features: {", "features: {frames: true, ").replace("train: {", TUNED)
    return (
        text.replace("evaluate_every: 10", "evaluate_every: 3")
        .replace("checkpoint_every: 10", "checkpoint_every: 3")
        .replace("output: out", f"output: {name}")
    )


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Configs of a finetuned pose and a finetuned crop model: {"pose": Config, "crops": Config}."""
    folder = tmp_path_factory.mktemp("tuned")
    write_project(folder / "project")
    write_crops(folder / "crops", count=8)
    found = {}
    for name in ("pose", "crops"):
        file = folder / f"{name}.yaml"
        file.write_text(settings_of(name))
        found[name] = experiment.load(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            feature_job.run(found[name])
            task.run(found[name], task.default_folders(found[name]))
    return found


def metrics_of(settings):
    return storage.read_json(Path(settings.model) / METRICS)


def changed(settings, **train):
    values = experiment.to_dict(settings)
    return experiment.from_dict(
        experiment.Config, {**values, "train": {**values["train"], **train}}
    )


def tune(settings, folder, **train):
    """Finetunes on the same dataset, without an export."""
    settings = changed(settings, **train)
    folders = task.default_folders(settings)
    dataset = Dataset(settings.dataset, settings.store, cache_mb=64)
    # The head of the fixture's run, from its checkpoint.
    places = {"checkpoints": folders.checkpoints, "logs": str(folder / "head")}
    start = training.train(settings, dataset, **places)
    return finetune.finetune(
        settings,
        dataset,
        start,
        folder=settings.dataset,
        checkpoints=str(folder / "checkpoints"),
        logs=str(folder / "logs"),
    )


def weights_of(result):
    return [w for model in result.task.trained for w in model.get_weights()]


@pytest.mark.parametrize("name", ["pose", "crops"])
def test_metrics_say_what_finetuning_did(tuned, name):
    found = metrics_of(tuned[name])
    assert found["mode"] == "finetune" and {"train", "finetune"} <= set(found["seconds"])
    assert found["test_before_finetune"].keys() == found["test"].keys()
    assert len(found["finetuned_weights_digest"]) == 64 != found["weights_digest"]
    info = storage.read_json(Path(tuned[name].model) / "info.json")
    assert info["mode"] == "finetune" and info["pixels_against_stored_features"] is None
    assert "tuned_" in info["dlc_scorer"]
    history = storage.read_json(Path(tuned[name].model) / "history.json")
    assert [entry["step"] for entry in history] == [0, 3, 6]


def test_it_starts_from_the_head_that_stored_features_made(tuned):
    for name, key in (("pose", "mean_error_px"), ("crops", "accuracy")):
        history = storage.read_json(Path(tuned[name].model) / "history.json")
        before = metrics_of(tuned[name])["test_before_finetune"][key]
        assert history[0][key] == pytest.approx(before, rel=0.05)


@pytest.mark.parametrize("name", ["pose", "crops"])
def test_evaluate_runs_images_through_the_exported_model(tuned, name):
    measured, written = evaluate(tuned[name]).metrics, metrics_of(tuned[name])
    key = "mean_error_px" if name == "pose" else "accuracy"
    for split in ("train", "test"):
        assert measured[split][key] == pytest.approx(written[split][key], abs=1e-3)


def test_the_exported_model_answers_as_the_trained_one(tuned, tmp_path):
    places = Path(tuned["pose"].output) / "train/checkpoints"
    shutil.copytree(places, tmp_path / "checkpoints")
    result = tune(tuned["pose"], tmp_path)
    frames = np.random.default_rng(0).integers(0, 255, (2, 96, 144, 3)).astype(np.uint8)
    loaded = tf.saved_model.load(str(Path(tuned["pose"].model) / "saved_model"))
    found = loaded.signatures["frames"](frames=tf.constant(frames))
    expected = result.task.model().frames(tf.constant(frames))
    np.testing.assert_allclose(found["keypoints"], expected["keypoints"], atol=1e-3)


@pytest.mark.parametrize("name", ["pose", pytest.param("crops", marks=pytest.mark.slow)])
def test_the_backbone_learns_and_its_statistics_stay(tuned, tmp_path, name):
    result = tune(tuned[name], tmp_path)
    store = Dataset(tuned[name].dataset, tuned[name].store, cache_mb=1)
    recipe = store.store_info.recipe
    fresh = embed.of_store(recipe, tuned[name].features.weights, store.store).backbone.network
    network = result.task.embedder.backbone.network
    for before, after in zip(fresh.variables, network.variables, strict=True):
        same = np.array_equal(before.numpy(), after.numpy())
        assert same == ("moving_" in before.path), before.path


def test_the_error_on_what_it_learns_from_falls(tuned, tmp_path):
    settings = {"finetune_steps": 30, "evaluate_every": 10, "originals": 1.0, "dropout": 0.0}
    # Whole frames: windows that differ would make the losses of two steps differ too.
    settings["finetune_window"] = 160
    history = tune(tuned["pose"], tmp_path, **settings).history
    assert history[-1]["loss"] < 0.9 * history[1]["loss"]


HALF = pytest.param("mixed_float16", marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", HALF])
def test_a_killed_finetuning_goes_on_and_ends_the_same(tuned, tmp_path, precision, monkeypatch):
    whole = tune(tuned["pose"], tmp_path / "whole", precision=precision)
    evaluate_step = training._evaluate

    def die_late(task_, state, *arguments):
        if state.step == 6:
            raise KeyboardInterrupt
        return evaluate_step(task_, state, *arguments)

    monkeypatch.setattr(training, "_evaluate", die_late)
    with pytest.raises(KeyboardInterrupt):
        tune(tuned["pose"], tmp_path / "killed", precision=precision)
    monkeypatch.undo()
    resumed = tune(tuned["pose"], tmp_path / "killed", precision=precision)
    assert [e["step"] for e in resumed.history] == [0, 3, 6]
    assert [e.get("loss") for e in resumed.history] == [e.get("loss") for e in whole.history]
    for one, other in zip(weights_of(resumed), weights_of(whole), strict=True):
        np.testing.assert_array_equal(one, other)


# Not understood yet: through MobileNet's random layers with batch normalisation the first loss of
# crops is 0.26 in bfloat16 and 0.08 in float32.
NOT_YET = pytest.param("crops", marks=pytest.mark.xfail(reason="bfloat16 is far off"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pose", NOT_YET])
def test_half_precision_learns_and_predicts_in_float32(tuned, tmp_path, name):
    # The loss of the first step is of the same weights in both; later ones drift apart.
    settings = {"dropout": 0.0, "finetune_steps": 2, "evaluate_every": 1}
    plain = tune(tuned[name], tmp_path / "1", **settings)
    half = tune(tuned[name], tmp_path / "2", **settings, precision="mixed_bfloat16")
    assert half.history[0] == plain.history[0]
    loss, expected = half.history[1]["loss"], plain.history[1]["loss"]
    assert loss != expected and loss == pytest.approx(expected, rel=0.05)
    policies = {la.dtype_policy.name for model in half.task.trained for la in model.layers}
    assert policies == {"float32"}
    assert {v.dtype for model in half.task.trained for v in model.weights} == {"float32"}


TWO = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from beampose.core.settings import experiment
from beampose.trainer import export, finetune, training
from beampose.trainer.dataset import Dataset
file, folder, precision = sys.argv[1:]
words = ["train.dropout=0", "train.batch_size=8", f"train.precision={precision}"]
settings = experiment.load(file, [*words, "train.evaluate_every=1", "train.finetune_steps=3"])
dataset = Dataset(settings.dataset, settings.store, cache_mb=64)
start = training.train(settings, dataset, checkpoints=f"{folder}/head", logs=f"{folder}/logs")
histories = []
for devices in (["CPU:0"], ["CPU:0", "CPU:1"]):
    places = {name: f"{folder}/{len(devices)}/{name}" for name in ("checkpoints", "logs")}
    result = finetune.finetune(
        settings, dataset, start, folder=settings.dataset, devices=devices, **places
    )
    histories.append([entry["loss"] for entry in result.history[1:]])
export.save(result.task.model(), folder)
print(json.dumps(histories))
"""


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", HALF])
def test_two_devices_learn_what_one_does(tuned, tmp_path, precision):
    script = tmp_path / "two.py"
    script.write_text(TWO)
    file = Path(tuned["pose"].output).parent / "pose.yaml"
    words = [sys.executable, script, file, tmp_path, precision]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = storage.json.loads(done.stdout.splitlines()[-1])
    assert len(one) == 3
    np.testing.assert_allclose(two, one, rtol=1e-3 if precision == "float32" else 3e-2)
    assert (tmp_path / "saved_model").is_dir()


def test_a_dataset_without_frames_says_what_to_do(tuned, tmp_path):
    dataset = Dataset(tuned["pose"].dataset, tuned["pose"].store, cache_mb=1)
    with pytest.raises(FileNotFoundError, match=r"lacks the frames of 12 labels.*features\.frames"):
        finetune.require_frames(str(tmp_path), dataset)


def test_an_image_that_was_not_kept_is_read_from_where_it_lies(tuned, tmp_path):
    from beampose.trainer.encoded_frames import Frames

    record = Dataset(tuned["pose"].dataset, tuned["pose"].store, cache_mb=1).records[0]
    empty = Frames(str(tmp_path))
    assert empty.encoded(record) == Path(record.image_uri).read_bytes()
    with pytest.raises(ValueError, match="its labels belong to 1x2"):
        empty.pixels(record._replace(width=1, height=2))


def test_a_batch_that_devices_cannot_share_is_an_error(tuned, tmp_path, monkeypatch):
    class Three:
        num_replicas_in_sync = 3

    monkeypatch.setattr(finetune, "_strategy", lambda devices: Three())
    with pytest.raises(ValueError, match=r"train\.batch_size must be a multiple of the 3 devices"):
        tune(tuned["pose"], tmp_path)


def test_a_sweep_of_finetuning_is_refused(tuned):
    file = Path(tuned["pose"].output).parent / "pose.yaml"
    with pytest.raises(ValueError, match="a sweep|A sweep trains heads on stored features"):
        sweeps.combinations(str(file), ["train.finetune_learning_rate=0.1,0.2"])
