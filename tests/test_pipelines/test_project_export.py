"""Results are found by DeepLabCut's project functions: its rules of names, written down here."""

import json
import pickle
import shutil
from pathlib import Path

import fakes
import numpy as np
import pandas as pd
import pytest
import yaml

from beampose.core.settings import experiment
from beampose.formats.deeplabcut import own_shuffle, prediction_tables, track_writer
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines.label.proofreading import Proofread
from beampose.pipelines.predict import prediction_job
from beampose.pipelines.results import project_export, result_files


def scorer_by_deeplabcut(project, shuffle):
    """As `auxiliaryfunctions.get_scorer_name` of DeepLabCut 2.3 and 3.0 makes it."""
    config = yaml.safe_load((project / "config.yaml").read_text())
    percent = int((config.get("TrainingFraction") or [0.95])[0] * 100)
    name = f"{config['Task']}{config['date']}-trainset{percent}shuffle{shuffle}"
    train = project / f"dlc-models/iteration-{config.get('iteration', 0)}/{name}/train"
    (snapshot,) = [one.stem for one in train.iterdir() if "index" in one.name]
    network = yaml.safe_load((train / "pose_cfg.yaml").read_text())["net_type"]
    assert "resnet" in network
    steps = snapshot.split("-")[-1]
    plain = network.replace("_", "")
    return f"DLC_{plain}_{config['Task']}{config['date']}shuffle{shuffle}_{steps}"


@pytest.fixture
def predicted(trained, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/model").symlink_to(trained["pose"].model)
    config = experiment.changed(trained["pose"], output=str(tmp_path / "out"))
    film = tmp_path / "videos/walk.mp4"
    film.parent.mkdir()
    fakes.video(film, "libx264", 8)
    prediction_job.run(config, [str(film)])
    return config, film


def project(folder, bodyparts=("nose", "left", "tail")):
    folder.mkdir()
    values = {"Task": "spots", "date": "Jan1", "iteration": 0, "TrainingFraction": [0.8]}
    values["bodyparts"] = list(bodyparts)
    (folder / "config.yaml").write_text(yaml.safe_dump(values))
    return folder


def test_files_and_columns_have_the_scorer_that_deeplabcut_looks_for(predicted, tmp_path):
    config, film = predicted
    place = project(tmp_path / "project")
    done = project_export.run(config, [str(film)], project_export.Wanted(str(place)))
    assert done.scorer == scorer_by_deeplabcut(place, done.shuffle)
    stem = f"{film.parent}/walk{done.scorer}"
    frame = pd.read_hdf(f"{stem}.h5")
    assert set(frame.columns.get_level_values("scorer")) == {done.scorer}
    ours = pd.read_hdf(next(Path(config.predictions).glob("walk*.h5")))
    np.testing.assert_array_equal(frame.to_numpy(), ours.to_numpy())
    meta = pickle.loads(Path(f"{stem}_meta.pickle").read_bytes())
    assert meta["data"]["Scorer"] == done.scorer
    again = project_export.run(config, [str(film)], project_export.Wanted(str(place)))
    assert again == done


def test_predictions_of_the_model_before_are_told_and_not_exported(predicted, tmp_path, caplog):
    config, film = predicted
    model = tmp_path / "out/model"
    before = model.resolve()
    model.unlink()
    shutil.copytree(before, model)
    info = json.loads((model / "info.json").read_text())
    (model / "info.json").write_text(json.dumps({**info, "digest": "0" * 64}))
    place = project(tmp_path / "project")
    done = project_export.run(config, [str(film)], project_export.Wanted(str(place)))
    assert not done.videos and "predict --overwrite" in done.failures[0][1]
    found, failures = result_files.tables(config, [str(film)])
    assert len(found) == 1 and not failures
    assert f"another model than {config.model}: {film}" in caplog.text


@pytest.mark.parametrize("owners", [("",), ("ann", "bob")])
def test_what_a_person_corrected_has_the_name_that_deeplabcut_looks_for(tmp_path, owners):
    points = tuple((owner, part) for owner in owners for part in ("nose", "tail"))
    values = np.arange(5 * len(points) * 3, dtype=float).reshape(5, -1, 3)
    tracks = "_el" if len(owners) > 1 else ""
    stem = f"{tmp_path}/filmDLC_x{tracks}"
    prediction_tables.write(Table("", "DLC_x", points, np.arange(5), values), stem)
    one = Proofread(result_files.Found("film", stem))
    one.correct({"do": "place", "row": 3, "point": 1, "xy": [7.5, 8.5]})
    one.close()
    written = project_export.copy(f"{tmp_path}/filmDLC_x", f"{tmp_path}/filmtheirs", "theirs")
    target = f"{tmp_path}/filmtheirs{tracks}"
    assert sorted(written) == [f"{target}{ending}" for ending in (".csv", ".h5")]
    found = prediction_tables.read(f"{target}.h5")
    assert found.scorer == "theirs"
    values[3, 1] = found.values[3, 1]
    np.testing.assert_array_equal(found.values[3, 1, :2], [7.5, 8.5])
    np.testing.assert_array_equal(found.values, values)


def test_results_of_a_model_of_ten_times_the_steps_are_not_taken_along(tmp_path):
    for steps in ("40", "400"):
        values = np.full((3, 1, 3), float(steps))
        table = Table("", f"DLC_x_{steps}", (("", "nose"),), np.arange(3), values)
        prediction_tables.write(table, f"{tmp_path}/filmDLC_x_{steps}")
    written = project_export.copy(f"{tmp_path}/filmDLC_x_40", f"{tmp_path}/filmtheirs", "theirs")
    assert sorted(written) == [f"{tmp_path}/filmtheirs{ending}" for ending in (".csv", ".h5")]


def test_films_of_one_name_do_not_replace_each_other_in_a_folder(predicted, tmp_path):
    config, film = predicted
    other = tmp_path / "others/walk.mp4"
    other.parent.mkdir()
    fakes.video(other, "libx264", 9)
    place = project(tmp_path / "project")
    wanted = project_export.Wanted(str(place), folder=str(tmp_path / "to"))
    done = project_export.run(config, [str(film), str(other)], wanted)
    assert list(done.videos) == [str(film)]
    ((path, why),) = done.failures
    assert path == str(other) and "another --folder" in why


def test_a_folder_that_is_no_project_is_refused_also_where_nothing_is_written_there(
    predicted, tmp_path
):
    config, film = predicted
    wanted = project_export.Wanted(str(tmp_path / "out"), scorer="mine")
    with pytest.raises(FileNotFoundError, match=r"out/config.yaml .*--folder where the files go"):
        project_export.run(config, [str(film)], wanted)


def test_a_damaged_mark_of_a_shuffle_is_named(tmp_path):
    place = project(tmp_path / "project")
    model = own_shuffle.Model("abc", ("nose",), 400, 1.0)
    mark = f"{own_shuffle.ensure(str(place), model).folder}/{own_shuffle.MARK}"
    with open(mark, "w") as file:
        file.write('{"model": ')
    with pytest.raises(ValueError, match=r"shuffle1/beampose.json is not JSON: it ends too early"):
        own_shuffle.ensure(str(place), model)


def test_a_shuffle_of_deeplabcut_is_never_taken(tmp_path):
    place = project(tmp_path / "project")
    theirs = place / "dlc-models-pytorch/iteration-0/spotsJan1-trainset80shuffle1/train"
    theirs.mkdir(parents=True)
    model = own_shuffle.Model("abc", ("nose",), 400, 1.0)
    assert own_shuffle.ensure(str(place), model).number == 2
    assert own_shuffle.ensure(str(place), model).number == 2
    assert own_shuffle.ensure(str(place), model._replace(digest="def")).number == 3
    with pytest.raises(ValueError, match="another model"):
        own_shuffle.ensure(str(place), model, 1)
    with pytest.raises(ValueError, match="lacks the bodyparts paw"):
        own_shuffle.ensure(str(place), model._replace(bodyparts=("paw",)))


def test_tracklets_get_another_scorer_and_plain_arrays(tmp_path):
    names = track_writer.Names("ours", ["a", "b"])
    points = np.ones((3, 2, 3))
    track_writer.write_tracklets(f"{tmp_path}/x", [(0, np.arange(3), points)], names, 3)
    project_export.copy(f"{tmp_path}/x", f"{tmp_path}/ytheirs", "theirs")
    held = pickle.loads(Path(f"{tmp_path}/ytheirs_el.pickle").read_bytes())
    assert list(held["header"].levels[0]) == ["theirs"]
    assert held["header"].names == ["scorer", "bodyparts", "coords"]
    assert all(type(one) is np.ndarray for one in held[0].values())
