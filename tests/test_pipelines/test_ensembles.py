"""Folds of a small experiment, and several heads as one model."""

import json
from pathlib import Path

import fakes
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from beampose.core import storage
from beampose.core.names import METRICS
from beampose.core.settings import experiment
from beampose.pipelines.predict import prediction_job
from beampose.pipelines.report import evaluation_files
from beampose.trainer import choice, cross_validation, task
from beampose.trainer.dataset import Dataset

SLOW_POSE = pytest.param("pose", marks=pytest.mark.slow)


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


def test_a_fold_that_holds_out_the_only_crop_of_a_class_is_trained_and_says_so(
    trained, tmp_path, caplog
):
    loaded = experiment.changed(trained["crops"], train={"steps": 10})
    dataset = Dataset(loaded.dataset, loaded.store, cache_mb=8)
    first, *others = dataset.records
    dataset.records = [first._replace(label=2), *others]
    dataset.info = dataset.info.replace(classes=[*dataset.classes, "squirrel"])
    result = cross_validation.cross_validate(
        loaded, dataset, folds=2, by_video=False, work=str(tmp_path)
    )
    assert "all crops of squirrel are held out" in caplog.text
    own = [r.name for r in result.records].index(first.name)
    unknown = result.folds == result.folds[own]
    assert np.isfinite(result.predicted).all()
    # What a head knows no crop of, it takes nothing for.
    assert (result.predicted[unknown].argmax(axis=1) < 2).all()


def test_a_class_without_a_crop_to_learn_from_ends_a_choice_with_what_check_says(trained, tmp_path):
    loaded = trained["crops"]
    dataset = Dataset(loaded.dataset, loaded.store, cache_mb=8)
    dataset.records = [r for r in dataset.records if r.split == "test" or r.label]
    with pytest.raises(ValueError, match=r"crops: train: a class is empty \(0 positive, 12 neg"):
        choice.choose(loaded, dataset, work=str(tmp_path))


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


@pytest.mark.parametrize("train", [{"folds": 1}, {"ensemble": True}])
def test_an_ensemble_needs_folds(trained, train):
    with pytest.raises(ValueError, match=r"train\.folds must be 2 or more"):
        experiment.from_dict(experiment.Train, train)
