"""Labels are written as COCO and as a DeepLabCut shuffle, and come back the same."""

import json
import pickle

import fake_labels
import fakes
import numpy as np
import pandas as pd
import pytest
import yaml
from exchanged_labels import by_name, experiment_file, files_of, keypoints, same_pixels, several

from beampose import formats
from beampose.formats.coco import coco_writer
from beampose.formats.deeplabcut import project_writer, shuffle_writer, shuffles
from beampose.pipelines import cli
from beampose.preprocess import unpickle
from beampose.preprocess.labels import SINGLE, TEST, TRAIN, LabeledFrame, Labels


def test_a_project_becomes_coco_and_comes_back_the_same(tmp_path):
    first = fakes.project(tmp_path / "first")
    config = experiment_file(tmp_path, "{format: deeplabcut, path: first}")
    out = tmp_path / "coco"
    assert cli.main(["export-labels", config, "--to", str(out), "--format", "coco"]) == 0
    told = json.loads((out / "annotations.json").read_text())
    assert {image["split"] for image in told["images"]} == {"train", "test"}
    assert told["categories"][0]["skeleton"] == [[1, 2]]
    words = ["import-labels", str(out / "annotations.json"), "--to", str(tmp_path / "second")]
    assert cli.main([*words, "--scorer", "Ann"]) == 0
    one, other = (formats.read("deeplabcut", str(p)) for p in (first, tmp_path / "second"))
    assert by_name(one).keys() == by_name(other).keys()
    np.testing.assert_array_equal(keypoints(one), keypoints(other))
    assert (one.bodyparts, one.edges) == (other.bodyparts, other.edges)
    same_pixels(one, other)


def test_an_exported_shuffle_is_read_as_the_same_split(tmp_path, capsys):
    root = fakes.project(tmp_path / "first", rows=5)
    fakes.project(tmp_path / "first", video="a_cam", rows=4)
    config = experiment_file(tmp_path, "{format: deeplabcut, path: first}")
    to = tmp_path / "second"
    words = ["export-labels", config, "--to", str(to), "--format", "deeplabcut"]
    assert cli.main(words) == 0
    (file,) = to.glob("training-datasets/iteration-0/UnaugmentedDataSet_*/Documentation_data-*")
    assert file.name == f"Documentation_data-reach_{_percent(file)}shuffle1.pickle"
    assert file.parent.name == "UnaugmentedDataSet_reachJan7"
    metadata = yaml.safe_load((file.parent / "metadata.yaml").read_text())
    (entry,) = metadata["shuffles"].values()
    assert (entry["index"], entry["split"]) == (1, 1)
    from beampose.core.settings import experiment
    from beampose.pipelines.features import labeled_source

    labels, splits = labeled_source.read(experiment.load(config))
    assert shuffles.read(labels.items, str(to)).sides == splits
    assert TEST in splits
    before = files_of(to)
    assert cli.main(words) == 0
    assert files_of(to) == before
    by_shuffle = experiment_file(tmp_path, "{format: deeplabcut, path: first}", f"{{from: {to}}}")
    assert labeled_source.read(experiment.load(by_shuffle))[1] == splits
    assert root.is_dir()


def _percent(file):
    return int(100 * pickle.loads(file.read_bytes())[3])


def test_the_shuffle_holds_what_deeplabcut_trains_on(tmp_path):
    fakes.project(tmp_path / "first", rows=4)
    config = experiment_file(
        tmp_path, "{format: deeplabcut, path: first}", "{by: block, test: 0.25}"
    )
    to = tmp_path / "second"
    cli.main(["export-labels", config, "--to", str(to), "--format", "deeplabcut"])
    (file,) = to.rglob("Documentation_data-*")
    data, train, test, fraction = unpickle.loads(file.read_bytes())
    assert sorted([*train, *test]) == [0, 1, 2, 3]
    assert fraction == round(len(train) / 4, 2)
    assert len(data) == len(train)
    second = next(one for one in data if one["image"][2] == "img1.png")
    assert second["image"] == ("labeled-data", "cam1", "img1.png")
    assert second["size"].tolist() == [3, 40, 60]
    # The ear is not labeled there; whole pixels, as DeepLabCut cuts them.
    assert second["joints"].tolist() == [[0, 11, 6], [2, 31, 26]]
    (merged,) = file.parent.glob("CollectedData_*.h5")
    assert len(pd.read_hdf(merged, "df_with_missing")) == 4


def test_crops_cannot_be_exported(tmp_path, capsys):
    fakes.crops(tmp_path / "crops", {"Positive": 2, "Negative": 2})
    file = tmp_path / "my.yaml"
    file.write_text("task: crops\nsource: {format: crops, path: crops}\noutput: out\n")
    words = ["export-labels", str(file), "--to", str(tmp_path / "x"), "--format", "coco"]
    assert cli.main(words) == 2
    assert "task must be pose" in capsys.readouterr().err


def test_a_real_project_survives_coco_and_back(shared_data, tmp_path):
    name = "Reaching-Mackenzie-2018-08-30"
    before = {p: p.stat().st_mtime_ns for p in (shared_data / name).rglob("*")}
    config = experiment_file(tmp_path, f"{{format: deeplabcut, path: {shared_data / name}}}")
    out = tmp_path / "coco"
    assert cli.main(["export-labels", config, "--to", str(out), "--format", "coco"]) == 0
    words = ["import-labels", str(out / "annotations.json"), "--to", str(tmp_path / "p")]
    assert cli.main(words) == 0
    one = by_name(formats.read("deeplabcut", str(shared_data / name)))
    other = by_name(formats.read("deeplabcut", str(tmp_path / "p")))
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key])
    assert before == {p: p.stat().st_mtime_ns for p in (shared_data / name).rglob("*")}


def test_a_real_project_of_several_animals_survives_coco_and_back(shared_data, tmp_path):
    root = shared_data / "MontBlanc-Daniel-2019-12-16"
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    one = several(root)
    config = experiment_file(tmp_path, f"{{format: deeplabcut, path: {root}}}")
    out = tmp_path / "coco"
    assert cli.main(["export-labels", config, "--to", str(out), "--format", "coco"]) == 0
    words = ["import-labels", str(out / "annotations.json"), "--to", str(tmp_path / "p")]
    assert cli.main(words) == 0
    other = formats.read("deeplabcut", str(tmp_path / "p"))
    assert (other.individuals, other.bodyparts) == (one.individuals, one.bodyparts)
    # One image shows no bird: COCO has no animal there, and it is not imported.
    labeled = {name: k for name, k in by_name(one).items() if not np.isnan(k).all()}
    assert len(labeled) == 29
    assert by_name(other).keys() == labeled.keys()
    for name, found in by_name(other).items():
        np.testing.assert_array_equal(found, labeled[name])
    assert before == {p: p.stat().st_mtime_ns for p in root.rglob("*")}


@pytest.fixture
def scene(tmp_path):
    """Labels of two animals, of which one is there, and of a corner of their arena."""
    (tmp_path / "a.png").write_bytes(fakes.encode(fakes.pixels(1)))
    points = np.full((3, 4, 2), np.nan)
    points[1, :3], points[2, 3] = fakes.points()[0], [7.125, 8]
    frame = LabeledFrame(
        image=str(tmp_path / "a.png"),
        name="labeled-data/v/a.png",
        video="v",
        file="f",
        row=1,
        keypoints=points,
    )
    return Labels(
        items=(frame,),
        bodyparts=(*fakes.BODYPARTS, "corner"),
        individuals=("she", "he", SINGLE),
        unique_bodyparts=("corner",),
        scorer="Ann",
        project="fightJan1",
    )


def test_a_shuffle_of_several_animals_keeps_who_is_who(scene, tmp_path):
    written = project_writer.write(scene, tmp_path / "p")
    columns = project_writer.table(scene, written.pictures, "Ann").columns
    assert [c[1:3] for c in columns if c[1] == SINGLE] == [(SINGLE, "corner")] * 2
    assert len(columns) == 2 * 3 * 2 + 2
    assert written.config["individuals"] == ["she", "he"]
    assert written.config["uniquebodyparts"] == ["corner"]
    splits = {scene.items[0].name: TRAIN}
    file = shuffle_writer.write(written, scene, splits, overwrite=False)
    (one,) = unpickle.loads(file.read_bytes())[0]
    assert one["joints"].keys() == {1, 2}
    assert one["joints"][2].tolist() == [[3, 7.12, 8]]
    assert one["joints"][1][:, 0].tolist() == [0, 1, 2]


def test_bodyparts_of_the_scene_survive_coco(scene, tmp_path):
    coco_writer.write(scene, [TRAIN], tmp_path / "c")
    again = formats.read("coco", str(tmp_path / "c/annotations.json"))
    assert again.individuals == scene.individuals
    assert again.unique_bodyparts == ("corner",)
    np.testing.assert_array_equal(again.items[0].keypoints, scene.items[0].keypoints)


def test_an_animal_that_is_called_single_is_not_lost(tmp_path):
    fakes.video(tmp_path / "film.mp4", "libx264", 10)
    a, b, _ = fakes.points()
    film = {"backend": {"filename": "film.mp4"}}
    frames = [(0, 3, [(0, 0, a), (0, 1, b)])]
    path = fake_labels.slp(tmp_path / "a.slp", frames, videos=[film], tracks=["single", "he"])
    to = tmp_path / "p"
    assert cli.main(["import-labels", str(path), "--to", str(to)]) == 0
    table = pd.read_hdf(to / "labeled-data/film/CollectedData_sleap.h5", "df_with_missing")
    np.testing.assert_array_equal(table["sleap"]["Single"].to_numpy().reshape(3, 2), a)
