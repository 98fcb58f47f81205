"""Training and export on a small experiment."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import fakes
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from beampose.core import storage
from beampose.core.names import METRICS
from beampose.core.settings import experiment
from beampose.pipelines import cli
from beampose.pipelines.predict import prediction_job
from beampose.pipelines.report import evaluation_files
from beampose.trainer import choice, cross_validation, sweeps, task, training
from beampose.trainer.batches import groups, order
from beampose.trainer.dataset import Dataset
from beampose.trainer.evaluation import evaluate


def run_again(settings, folder, held_out=0, **train):
    """Trains on the same dataset, without an export; gives the held-out metrics and the history.

    The first `held_out` training images choose and are not learned from.
    """
    changed = experiment.from_dict(
        experiment.Config,
        {**experiment.to_dict(settings), "train": {**experiment.to_dict(settings.train), **train}},
    )
    dataset = Dataset(changed.dataset, changed.store, cache_mb=64)
    result = training.train(
        changed,
        dataset,
        checkpoints=str(folder / "checkpoints"),
        logs=str(folder / "logs"),
        held_out=dataset.of("train")[:held_out],
    )
    test = dataset.of("test")
    return result.task.judge.measure(test, result.task.predict(test, 4)), result.history


SLOW_POSE = pytest.param("pose", marks=pytest.mark.slow)


def losses(history):
    return [entry["loss"] for entry in history]


@pytest.mark.parametrize("name", [SLOW_POSE, "crops"])
def test_one_seed_gives_the_same_result_twice(trained, tmp_path, name):
    first, history = run_again(trained[name], tmp_path / "1")
    second, again = run_again(trained[name], tmp_path / "2")
    assert losses(history) == losses(again)
    assert first == second
    _, other = run_again(trained[name], tmp_path / "3", seed=1)
    assert losses(other) != losses(history)


@pytest.mark.parametrize("name", [SLOW_POSE, "crops"])
def test_a_killed_training_goes_on_and_ends_the_same(trained, tmp_path, name, monkeypatch):
    _, whole = run_again(trained[name], tmp_path / "whole")
    evaluate_step = training._evaluate

    def die_late(task_, state, *arguments):
        if state.step == 30:
            raise KeyboardInterrupt
        return evaluate_step(task_, state, *arguments)

    monkeypatch.setattr(training, "_evaluate", die_late)
    with pytest.raises(KeyboardInterrupt):
        run_again(trained[name], tmp_path / "killed")
    monkeypatch.undo()
    _, resumed = run_again(trained[name], tmp_path / "killed")
    assert [entry["step"] for entry in resumed] == [10, 20, 30]
    assert losses(resumed) == losses(whole)


def test_a_damaged_checkpoint_starts_anew(trained, tmp_path):
    _, whole = run_again(trained["crops"], tmp_path)
    (tmp_path / "checkpoints" / training.CHECKPOINT).write_bytes(b"PK\x03\x04 not a zip")
    _, again = run_again(trained["crops"], tmp_path)
    assert losses(again) == losses(whole)


def test_a_failing_evaluation_is_recorded_and_does_not_end_training(trained, tmp_path, monkeypatch):
    from beampose.trainer import judging

    measure = judging.Points.measure
    calls = []

    def sometimes(self, records, predicted):
        calls.append(1)
        if len(calls) == 2:
            raise ValueError("too many peaks")
        return measure(self, records, predicted)

    monkeypatch.setattr(judging.Points, "measure", sometimes)
    _, history = run_again(trained["pose"], tmp_path)
    assert "too many peaks" in history[1]["evaluation_failed"]
    assert history[2]["mean_error_px"] is not None


def test_metrics_hold_what_the_contract_names(trained):
    pose = storage.read_json(Path(trained["pose"].model) / METRICS)
    assert set(pose["split"]) == {"train", "test"}
    names = ("mean_error_px", "median_error_px", "rmse_px", "mean_error_px_pcutoff", "per_bodypart")
    assert set(names) <= set(pose["test"]) & set(pose["train"])
    assert set(pose["seconds"]) == {"features", "train"}
    assert len(pose["weights_digest"]) == 64
    assert pose["backbone"] == "resnet_compact"
    assert next(iter(pose)) == "note" and "RANDOM" in pose["note"]
    crops = storage.read_json(Path(trained["crops"].model) / METRICS)
    rates = ("accuracy", "precision", "recall", "auc", "confusion", "threshold")
    assert set(rates) <= set(crops)


def test_the_exported_model_repeats_the_metrics_of_training(trained):
    for name in ("pose", "crops"):
        written = storage.read_json(Path(trained[name].model) / METRICS)
        measured = evaluate(trained[name]).metrics
        key = "mean_error_px" if name == "pose" else "accuracy"
        for split in ("train", "test"):
            assert measured[split][key] == pytest.approx(written[split][key], abs=1e-3)


def test_training_learns_the_crops(trained):
    assert storage.read_json(Path(trained["crops"].model) / METRICS)["accuracy"] >= 0.9


def test_tensorboard_logs_are_written(trained):
    assert list(Path(task.default_folders(trained["pose"]).logs).glob("events.out.tfevents*"))


def test_labels_that_went_missing_with_their_list_are_told(trained, tmp_path):
    loaded = trained["pose"]
    shutil.copytree(loaded.dataset, tmp_path / "dataset")
    for file in (tmp_path / "dataset").glob("labels*"):
        file.unlink()
    with pytest.raises(ValueError, match=r"holds the labels of 0 of 12 images.*features. again"):
        Dataset(str(tmp_path / "dataset"), loaded.store, cache_mb=1)


def test_every_record_comes_once_an_epoch_and_a_resumed_order_continues():
    whole = list(order(10, 4, seed=3, start=0, steps=10))
    assert sorted(i for batch in whole[:5] for i in batch) == sorted([*range(10)] * 2)
    assert list(order(10, 4, seed=3, start=6, steps=10)) == whole[6:]


def test_half_of_a_batch_are_images_as_they_are(trained):
    dataset = Dataset(trained["pose"].dataset, trained["pose"].store, cache_mb=1)
    records = dataset.of("train")
    copied = [*records, *[r._replace(copy=i) for r in records for i in (1, 2, 3)]]
    (plain, few), (copies, rest) = groups(copied, 7, 0.5)
    assert (few, rest) == (4, 3)
    assert (len(plain), len(copies)) == (len(records), 3 * len(records))
    assert groups(records, 7, 0.5) == [(records, 7)]
    assert groups(copied, 7, 0.0) == groups(copied, 7, 1.0) == [(copied, 7)]


def test_windows_hold_the_features_under_their_origin(trained):
    dataset = Dataset(trained["pose"].dataset, trained["pose"].store, cache_mb=1)
    records = dataset.of("train")[:3]
    batch = dataset.pose_batch(records, window=5, rng=np.random.default_rng(0))
    for i, record in enumerate(records):
        column, row = np.round(batch.origin[i] / batch.cell[i]).astype(int)
        whole = dataset.features(record)
        np.testing.assert_array_equal(batch.features[i], whole[row : row + 5, column : column + 5])


def test_maps_of_two_sizes_are_padded_and_padding_weighs_nothing(trained):
    dataset = Dataset(trained["pose"].dataset, trained["pose"].store, cache_mb=1)
    records = [next(r for r in dataset.records if r.video == video) for video in "ab"]
    batch = dataset.pose_batch(records)
    assert batch.features.shape[1:3] == (12, 18)
    assert batch.inside[0].all()
    assert batch.inside[1].sum() == 10 * 14
    np.testing.assert_allclose(batch.cell, [(8, 8), (8, 8)])


def test_a_frame_has_the_same_keypoints_alone_and_in_a_padded_batch(trained):
    from beampose.trainer.tasks.pose import Pose

    dataset = Dataset(trained["pose"].dataset, trained["pose"].store, cache_mb=1)
    task_ = Pose(trained["pose"], dataset)
    # Zero features, as padding has, then look most like a bodypart.
    task_.head.layers[-1].bias.assign([9.0] * 3 + [0.0] * 6)
    task_.head.layers[-1].kernel.assign(-abs(task_.head.layers[-1].kernel.numpy()))
    records = [next(r for r in dataset.records if r.video == video) for video in "ab"]
    alone = [task_.predict([record], 1)[0] for record in records]
    np.testing.assert_allclose(task_.predict(records, 2), alone, atol=1e-3)


def test_a_saved_model_holds_its_network_once(trained):
    """All signatures share it: a file half as large, and loaded and saved sooner."""
    from tensorflow.core.protobuf import saved_model_pb2

    for kind in ("pose", "crops"):
        file = Path(trained[kind].model, "saved_model", "saved_model.pb")
        (graph,) = saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs
        convolutions = [
            sum("Conv2D" in node.op for node in function.node_def)
            for function in graph.graph_def.library.function
        ]
        assert sum(count > 5 for count in convolutions) == 1


OUTSIDE = """
import sys
import numpy as np, tensorflow as tf
pose, crops, image, legacy = sys.argv[1:]
data = open(image, "rb").read()
found = tf.saved_model.load(pose).signatures["serving_default"](image_bytes=tf.constant([data] * 3))
assert found["keypoints"].shape == (3, 1, 3, 2) and found["likelihood"].shape == (3, 1, 3)
frame = tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE")[None]
same = tf.saved_model.load(pose).signatures["frames"](frames=frame)
np.testing.assert_allclose(found["keypoints"][:1], same["keypoints"], atol=1e-3)
model = tf.saved_model.load(crops)
serve = model.signatures["serving_default"]
found = serve(image_bytes=tf.constant([data] * 2), key=tf.constant(["a", "b"]))
assert found["key"].numpy().tolist() == [b"a", b"b"] and found["scores"].shape == (2, 2)
single = model.signatures["image_bytes"](image_bytes=tf.constant([data]))
v1 = tf.compat.v1
with v1.Session(graph=tf.Graph()) as session:
    v1.saved_model.loader.load(session, ["serve"], legacy)
    scores = session.run("final_ops/softmax:0", {"Placeholder:0": [data, data, data]})
np.testing.assert_allclose(scores, np.repeat(found["scores"][:1], 3, axis=0), atol=1e-4)
np.testing.assert_allclose(single["scores"], found["scores"][:1], atol=1e-5)
assert not {"trainer", "pipelines", "preprocess"} & set(sys.modules)
print("loaded")
"""


@pytest.mark.slow
def test_the_models_run_where_our_packages_are_unknown(trained, tmp_path):
    image = next((Path(trained["crops"].source.path) / "Testing/Positive").glob("*.jpg"))
    copies = []
    for name, part in (("pose", "saved_model"), ("crops", "saved_model"), ("crops", "legacy")):
        copies.append(tmp_path / f"{name}-{part}")
        shutil.copytree(Path(trained[name].model) / part, copies[-1])
    script = tmp_path / "outside.py"
    script.write_text(OUTSIDE)
    words = [copies[0], copies[1], image, copies[2]]
    done = subprocess.run(
        [sys.executable, "-I", script, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert "loaded" in done.stdout, done.stderr[-2000:]


@pytest.mark.parametrize("kind", [SLOW_POSE, "crops"])
def test_cross_validation_predicts_every_image_once_and_embeds_nothing(trained, kind, tmp_path):
    loaded = trained[kind]
    dataset = Dataset(loaded.dataset, loaded.store, cache_mb=8)
    result = cross_validation.cross_validate(
        loaded, dataset, folds=3, by_video=False, work=str(tmp_path / "work")
    )
    assert np.isfinite(result.predicted).all()
    assert len(result.records) == sum(dataset.info.split.values())
    assert len(result.by_fold) == 3
    again = cross_validation.cross_validate(
        loaded, dataset, folds=3, by_video=False, work=str(tmp_path / "work")
    )
    np.testing.assert_array_equal(again.predicted, result.predicted)
    target = experiment.changed(loaded, output=str(tmp_path / "out"))
    file = evaluation_files.write_folds(result, target, dataset.info)
    lines = file.read_text().splitlines()
    each = 3 if kind == "pose" else 1
    assert len(lines) == 1 + each * len(result.records)
    assert "all" in evaluation_files.folds_table(result)
    names = {"of", "labels", "by", "folds", "all", "uncertainty", "seconds"}
    assert names | {"kind", "format", "made_by"} == set(
        json.loads((file.parent / "folds.json").read_text())
    )


@pytest.fixture(scope="module")
def together(trained, tmp_path_factory):
    """The small experiments again, each model of three heads, by kind."""
    found = {}
    for kind in ("pose", "crops"):
        values = experiment.to_dict(trained[kind])
        values["train"] |= {"folds": 3, "ensemble": True}
        values |= {"output": str(tmp_path_factory.mktemp(kind)), "store": trained[kind].store}
        found[kind] = experiment.from_dict(experiment.Config, values)
        folders = task.default_folders(found[kind])._replace(dataset=trained[kind].dataset)
        task.run(found[kind], folders)
    return found


def test_several_heads_leave_as_one_model_that_says_where_they_disagree(together, trained):
    loaded = tf.saved_model.load(str(Path(together["pose"].model) / "saved_model"))
    frames = np.random.default_rng(0).integers(0, 255, (2, 96, 144, 3)).astype(np.uint8)
    found = loaded.signatures["frames"](frames=tf.constant(frames))
    assert found["spread"].shape == found["likelihood"].shape == (2, 1, 3)
    assert (found["spread"].numpy() > 0).all()
    alone = tf.saved_model.load(str(Path(trained["pose"].model) / "saved_model"))
    assert "spread" not in alone.signatures["frames"].structured_outputs
    crops = tf.saved_model.load(str(Path(together["crops"].model) / "saved_model"))
    scored = crops.signatures["frames"](frames=tf.constant(frames))
    assert scored["spread"].shape == scored["scores"].shape == (2, 2)
    assert (Path(together["crops"].model) / "legacy").is_dir()
    for kind in together:
        histories = json.loads((Path(together[kind].model) / "history_folds.json").read_text())
        assert [[entry["step"] for entry in one] for one in histories] == [[10, 20, 30]] * 3


def test_the_radius_comes_from_images_no_head_saw_and_is_judged_on_others(together, trained):
    info = storage.read_json(Path(together["pose"].model) / "info.json")
    metrics = storage.read_json(Path(together["pose"].model) / METRICS)
    found = info["uncertainty"]
    assert info["heads"] == together["pose"].heads == 3 and metrics["uncertainty"] == found
    assert found["images"] == metrics["split"]["train"] == metrics["folds"]["images"]
    assert set(found["radius_px"]) == {"nose", "left", "tail"}
    assert 0 <= found["coverage_test"] <= 1
    crops = storage.read_json(Path(together["crops"].model) / "info.json")
    assert crops["uncertainty"] is None
    alone = storage.read_json(Path(trained["pose"].model) / "info.json")
    assert alone["heads"] == trained["pose"].heads == 1 and alone["uncertainty"] is None


def test_predictions_have_radius_and_spread_beside_them(together, tmp_path):
    film = tmp_path / "film.mp4"
    fakes.video(film, "libx264", 10, gop=5)
    (summary,) = prediction_job.run(together["pose"], [str(film)]).videos
    info = storage.read_json(Path(together["pose"].model) / "info.json")
    assert summary.uncertainty.plain() == info["uncertainty"]
    (file,) = Path(together["pose"].predictions).glob("*_spread.csv")
    table = pd.read_csv(file, index_col="frame")
    assert list(table.columns) == ["nose", "left", "tail"] and len(table) == 10
    assert (table.to_numpy() >= 0).all()


@pytest.mark.parametrize("name", [SLOW_POSE, "crops"])
def test_no_choice_reads_the_test_split(trained, tmp_path, name):
    """Other labels of the test split, and the model stays what it is to the last bit."""
    loaded = trained[name]
    open_ = {"steps": None, "budget": 0.2, "window": None, "learning_rate": None}
    found = []
    for number in range(2):
        dataset = Dataset(loaded.dataset, loaded.store, cache_mb=64)
        if number:
            dataset.records = [
                r._replace(keypoints=r.keypoints[..., ::-1] * 0.3, label=1 - abs(r.label))
                if r.split == "test"
                else r
                for r in dataset.records
            ]
        for train in (open_, {**open_, "patience": 1, "evaluate_every": 10}):
            config = experiment.changed(loaded, train=train)
            folder = tmp_path / f"{number}-{len(train)}"
            chosen = choice.choose(config, dataset, work=str(folder))
            made = task._trained(
                chosen,
                dataset,
                task.default_folders(experiment.changed(config, output=str(folder)))._replace(
                    dataset=loaded.dataset
                ),
            )
            found.append([v.numpy() for v in made.result.task.head.variables])
            assert chosen.config.train.steps is not None
    for first, second in zip(found[:2], found[2:], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_training_ends_early_when_the_held_out_score_stands_still(trained, tmp_path):
    stuck = {"learning_rate": 1e-9, "steps": 1000, "evaluate_every": 5, "patience": 2}
    measured, history = run_again(trained["pose"], tmp_path, held_out=3, **stuck)
    assert len(history) < 50
    again, same = run_again(trained["pose"], tmp_path, held_out=3, **stuck)
    assert same == history and again == measured


@pytest.mark.parametrize("train", [{"folds": 1}, {"ensemble": True}])
def test_an_ensemble_needs_folds(trained, train):
    with pytest.raises(ValueError, match=r"train\.folds must be 2 or more"):
        experiment.from_dict(experiment.Train, train)


@pytest.mark.slow
def test_a_sweep_ranks_settings_and_the_best_becomes_the_model(trained, tmp_path, capsys):
    loaded = trained["pose"]
    file = tmp_path / "pose.yaml"
    values = {**experiment.to_dict(loaded), "output": str(tmp_path / "out"), "store": loaded.store}
    file.write_text(json.dumps(values))
    shutil.copytree(loaded.dataset, tmp_path / "out/dataset")
    words = ["--set", "train.learning_rate=0.00001,0.003,-1", "--set", "train.steps=20"]
    assert cli.main(["sweep", str(file), *words]) == 2
    assert "train.learning_rate" in capsys.readouterr().err
    words[1] = "train.learning_rate=0.00001,0.003"
    assert cli.main(["sweep", str(file), *words]) == 0
    printed = capsys.readouterr().out
    assert "--set train.learning_rate=0.003" in printed
    found = storage.read_json(tmp_path / "out/sweep/sweep.json")["trials"]
    assert [t["settings"]["train.learning_rate"] for t in found] == [0.003, 0.00001]
    scored = storage.read_json(tmp_path / "out/sweep/sweep.json")["scored_by"]
    assert scored == "a fifth of the training split"
    assert "learning_rate=0.003" in (tmp_path / "out/sweep/sweep.svg").read_text()
    again = cli.main(["sweep", str(file), *words, "--folds", "2"])
    assert again == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Nothing varies"),
        (["train.steps=10"], "Nothing varies"),
        (["features.scale=0.5,1"], "settings below `train.`"),
        (["train.step=1,2"], "Did you mean 'train.steps'"),
    ],
)
def test_a_sweep_that_makes_no_sense_says_so(trained, tmp_path, words, message):
    file = tmp_path / "pose.yaml"
    file.write_text(json.dumps(experiment.to_dict(trained["pose"])))
    with pytest.raises(ValueError, match=message):
        sweeps.combinations(str(file), words)
