"""Infos: what a reader accepts, what it refuses and what it says then."""

import json
import subprocess
import sys

import fake_infos
import numpy as np
import pytest

from beampose.core import artefacts, disk
from beampose.core.infos import (
    DatasetInfo,
    Figures,
    Metrics,
    ModelInfo,
    PredictionInfo,
    StoreInfo,
    TracksInfo,
)


def written(folder, info, **changes):
    """A whole folder whose info says something else in places; None takes a key away."""
    artefacts.complete(artefacts.begin(folder), info)
    values = {**json.loads((folder / "info.json").read_text()), **changes}
    left = {key: value for key, value in values.items() if key not in changes or value is not None}
    (folder / "info.json").write_text(json.dumps(left))
    return folder


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        (fake_infos.store(), StoreInfo),
        (fake_infos.dataset(split={"train": 3}), DatasetInfo),
        (fake_infos.model(frame_size=[48, 64]), ModelInfo),
    ],
)
def test_an_info_is_read_as_it_was_written(tmp_path, info, kind):
    folder = written(tmp_path, info)
    assert artefacts.require(folder, kind).plain() == info.plain()
    told = json.loads((folder / "info.json").read_text())
    assert (told["kind"], told["format"]) == (kind.NAME, 1)


def test_a_folder_of_the_version_before_is_known_by_its_keys(tmp_path):
    folder = written(tmp_path, fake_infos.model(), kind=None, format=None)
    assert artefacts.require(folder, ModelInfo).project == "spotsJan1"
    with pytest.raises(ValueError, match="is of kind 'model', not 'dataset'"):
        artefacts.require(folder, DatasetInfo)


def test_a_folder_that_another_step_made_is_refused_with_the_command_to_run(tmp_path):
    folder = written(tmp_path, fake_infos.dataset())
    message = "info.json is of kind 'dataset', not 'model'. Run `beampose train`"
    with pytest.raises(ValueError, match=message):
        artefacts.require(folder, ModelInfo)


def test_a_newer_format_asks_for_an_update(tmp_path):
    folder = written(tmp_path, fake_infos.model(), format=2)
    with pytest.raises(ValueError, match="format 2.*made by a newer beampose: update"):
        artefacts.require(folder, ModelInfo)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": "three"}, "`heads` must be a valid integer. Received: 'three'"),
        ({"heads": True}, "`heads` must be a valid integer. Received: True"),
        ({"bodyparts": ["nose", 7]}, "`bodyparts.1` must be a valid string. Received: 7"),
        ({"recipe": {"backbone": "resnet50"}}, "`recipe.weights_digest` is missing"),
        ({"project": None}, "`project` is missing"),
        ({"format": "new"}, "`format` must be a valid integer. Received: 'new'"),
    ],
)
def test_what_is_wrong_in_an_info_is_named(tmp_path, changes, message):
    folder = written(tmp_path, fake_infos.model(), **changes)
    with pytest.raises(ValueError) as error:
        artefacts.require(folder, ModelInfo)
    assert message in str(error.value)
    assert str(folder / "info.json") in str(error.value)


def test_writers_may_give_tuples_and_numbers_of_numpy():
    settings = {"crop": (1, 2, np.float32(0.5))}
    info = fake_infos.model(heads=np.int64(3), frame_size=np.array([4, 5]), config=settings)
    assert (info.heads, info.frame_size, info.config) == (3, [4, 5], {"crop": [1, 2, 0.5]})


def test_json_that_is_no_object_is_no_info(tmp_path):
    (tmp_path / "info.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"must hold an object. Received: \[1\]"):
        artefacts.read_info(tmp_path / "info.json", ModelInfo)


def test_keys_nobody_knows_yet_are_written_again(tmp_path):
    recipe = {**fake_infos.RECIPE.plain(), "bits": 8}
    folder = written(tmp_path, fake_infos.model(), cameras=["left"], recipe=recipe)
    found = artefacts.require(folder, ModelInfo).replace(heads=2)
    artefacts.complete(folder, found)
    told = json.loads((folder / "info.json").read_text())
    assert (told["cameras"], told["heads"], told["recipe"]["bits"]) == (["left"], 2, 8)


def test_what_was_not_measured_is_not_written():
    found = Figures(images=2, accuracy=None)
    assert found.plain() == {"images": 2, "accuracy": None}
    assert "accuracy" in found and "auc" not in found and found["auc"] is None
    assert not Figures() and not Figures().plain()


def test_figures_that_are_not_numbers_become_null(tmp_path):
    metrics = Metrics(
        split={"train": 1, "test": 0},
        train=Figures(images=1, mean_error_px=float("nan")),
        test=Figures(),
        seconds={"features": 1.0, "train": 2.0},
        backbone="resnet50",
        weights_digest="0",
    )
    artefacts.write_info(tmp_path / "metrics.json", metrics)
    assert artefacts.read_info(tmp_path / "metrics.json", Metrics).train.mean_error_px is None


def test_one_of_several_kinds_is_read_by_what_it_is(tmp_path):
    artefacts.write_info(tmp_path / "info.json", fake_infos.store())
    found = artefacts.read_info(tmp_path / "info.json", ModelInfo, StoreInfo)
    assert isinstance(found, StoreInfo)
    with pytest.raises(ValueError, match="is of kind 'store', not 'prediction'"):
        artefacts.read_info(tmp_path / "info.json", PredictionInfo, TracksInfo)
    assert artefacts.find_info(tmp_path / "nothing.json", PredictionInfo) is None


def test_what_an_info_declares_whole_was_put_on_the_disk_before_it(tmp_path, monkeypatch):
    (tmp_path / "model/variables").mkdir(parents=True)
    (tmp_path / "model/variables/data").write_bytes(b"1")
    synced = []
    monkeypatch.setattr(disk, "sync", lambda path: synced.append(path))
    artefacts.complete(tmp_path / "model", fake_infos.model())
    assert synced[:3] == [
        tmp_path / "model",
        tmp_path / "model/variables",
        tmp_path / "model/variables/data",
    ]
    # Then info.json, its folder, COMPLETED and its folder again.
    assert [path.suffix for path in synced[3:]] == [".json", "", "", ""]


def test_infos_need_no_tensorflow():
    code = "import sys; import beampose.core.infos, beampose.core.storage; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "apache_beam", "keras"} & set(done.stdout.split())
