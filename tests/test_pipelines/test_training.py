"""Training and export on a small experiment."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from beampose.core import storage
from beampose.core.names import METRICS
from beampose.core.settings import experiment
from beampose.pipelines import cli
from beampose.trainer import choice, sweeps, task, training
from beampose.trainer.batches import groups, order
from beampose.trainer.dataset import Dataset


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
        (["train.steps=10,20", "train.steps=30"], "Nothing varies"),
        (["features.scale=0.5,1"], "settings below `train.`"),
        (["train.step=1,2"], "Did you mean 'train.steps'"),
    ],
)
def test_a_sweep_that_makes_no_sense_says_so(trained, tmp_path, words, message):
    file = tmp_path / "pose.yaml"
    file.write_text(json.dumps(experiment.to_dict(trained["pose"])))
    with pytest.raises(ValueError, match=message):
        sweeps.combinations(str(file), words)
