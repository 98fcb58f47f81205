"""Labels in and out, from the command line."""

import json
import pickle

import fake_labels
import fakes
import numpy as np
import pandas as pd
import pytest
import yaml

from beampose import formats
from beampose.formats.coco import coco_writer
from beampose.formats.deeplabcut import project_writer, shuffle_writer, shuffles
from beampose.pipelines import cli
from beampose.preprocess import images, unpickle
from beampose.preprocess.labels import SINGLE, TEST, TRAIN, LabeledFrame, Labels


@pytest.fixture
def v1(tmp_path):
    return fake_labels.imagej(tmp_path / "data-reach")


def keypoints(labels):
    return np.stack([item.keypoints for item in labels.items])


def by_name(labels):
    return {item.name: item.keypoints for item in labels.items}


def files_of(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def same_pixels(one, other):
    found = {item.name: item.image for item in one.items}
    for item in other.items:
        first, second = images.load(found[item.name])[0], images.load(item.image)[0]
        np.testing.assert_array_equal(first, second)


def experiment_file(tmp_path, source, split="{by: image, test: 0.4, seed: 1}"):
    file = tmp_path / "my.yaml"
    file.write_text(f"task: pose\nsource: {source}\nsplit: {split}\noutput: out\n")
    return str(file)


def test_version_1_becomes_a_project_with_the_same_labels(v1, tmp_path, capsys):
    to = tmp_path / "reach-Ann-2018-01-30"
    assert cli.main(["import-labels", str(v1), "--to", str(to), "--scorer", "Ann"]) == 0
    assert "3 of 3 labeled images" in capsys.readouterr().out
    there = formats.read("deeplabcut", str(to))
    np.testing.assert_array_equal(keypoints(there), fakes.points()[:, None] + 20)
    assert (there.scorer, there.bodyparts, there.problems) == ("Ann", fakes.BODYPARTS, ())
    same_pixels(formats.read("imagej", str(v1)), there)


def test_files_are_as_deeplabcut_writes_them(v1, tmp_path):
    to = tmp_path / "p"
    cli.main(["import-labels", str(v1), "--to", str(to), "--scorer", "Ann"])
    config = yaml.safe_load((to / "config.yaml").read_text())
    assert (config["Task"], config["scorer"], config["multianimalproject"]) == ("p", "Ann", False)
    (video,) = config["video_sets"]
    assert video.endswith("/cam1.mp4")
    assert config["video_sets"][video] == {"crop": "0, 60, 0, 40"}
    stem = to / "labeled-data/cam1/CollectedData_Ann"
    table = pd.read_hdf(f"{stem}.h5", "df_with_missing")
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert table.index[0] == ("labeled-data", "cam1", "img1.png")
    text = pd.read_csv(f"{stem}.csv", header=[0, 1, 2], index_col=[0, 1, 2])
    np.testing.assert_array_equal(text.to_numpy(), table.to_numpy())


def test_again_changes_nothing(v1, tmp_path, capsys):
    words = ["import-labels", str(v1), "--to", str(tmp_path / "p")]
    cli.main(words)
    before = files_of(tmp_path / "p")
    capsys.readouterr()
    assert cli.main(words) == 0
    assert "everything was there already" in capsys.readouterr().out
    assert files_of(tmp_path / "p") == before


def test_labels_a_person_changed_are_not_overwritten(v1, tmp_path, capsys):
    to = tmp_path / "p"
    words = ["import-labels", str(v1), "--to", str(to), "--scorer", "Ann"]
    cli.main(words)
    csv = to / "labeled-data/cam1/CollectedData_Ann.csv"
    csv.write_text(csv.read_text().replace("30.25", "31.25"))
    before = files_of(to)
    assert cli.main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert files_of(to) == before
    assert cli.main([*words, "--overwrite"]) == 0
    assert csv.with_name("CollectedData_Ann.csv.1.bak").read_bytes() == before[csv]
    assert "30.25" in csv.read_text()


def test_frames_nobody_labeled_here_are_added_and_nothing_is_lost(v1, tmp_path, capsys):
    to = fakes.project(tmp_path / "p", config={"bodyparts": list(fakes.BODYPARTS)})
    config = (to / "config.yaml").read_text()
    (to / "config.yaml").write_text(f"# mine\n{config}")
    kept = by_name(formats.read("deeplabcut", str(to)))
    before = files_of(to)
    words = ["import-labels", str(v1), "--to", str(to), "--scorer", fakes.SCORER]
    # The video of both is called cam1; its images are not.
    for name in ("img1", "img2", "img10"):
        (v1 / f"cam1/{name}.png").rename(v1 / f"cam1/img{int(name[3:]) + 50}.png")
    for _ in "ab":
        assert cli.main(words) == 0
    assert "everything was there already" in capsys.readouterr().out
    both = formats.read("deeplabcut", str(to))
    assert len(both.items) == 6 and not both.problems
    for name, points in kept.items():
        np.testing.assert_array_equal(by_name(both)[name], points)
    np.testing.assert_array_equal(keypoints(both)[3:], keypoints(formats.read("imagej", str(v1))))
    assert (to / "config.yaml").read_text().startswith("# mine\n")
    changed = {f for f in files_of(to) if before.get(f, files_of(to)[f]) != files_of(to)[f]}
    assert {f.name for f in changed} <= {"CollectedData_Ann.csv", "config.yaml"}
    (copy,) = to.glob("labeled-data/cam1/CollectedData_Ann.csv.1.bak")
    assert copy.read_bytes() == before[to / "labeled-data/cam1/CollectedData_Ann.csv"]


def test_a_frame_labeled_otherwise_is_refused_before_anything_is_written(v1, tmp_path, capsys):
    to = tmp_path / "p"
    words = ["import-labels", str(v1), "--to", str(to), "--scorer", "Ann"]
    assert cli.main(words) == 0
    table = v1 / "cam1/nose.csv"
    text = table.read_text()
    assert "30.25" in text
    table.write_text(text.replace("30.25", "31.25"))
    (v1 / "cam1/img3.png").write_bytes(fakes.encode(fakes.pixels(7)))
    before = files_of(to)
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert "img1.png" in err and "CollectedData_Ann" in err and "--overwrite" in err
    assert files_of(to) == before


def test_the_same_numbers_in_another_spelling_are_no_change(v1, tmp_path, capsys):
    to = tmp_path / "p"
    words = ["import-labels", str(v1), "--to", str(to), "--scorer", "Ann"]
    cli.main(words)
    csv = to / "labeled-data/cam1/CollectedData_Ann.csv"
    csv.write_text(csv.read_text().replace("30.25,", "30.250000,"))
    capsys.readouterr()
    assert cli.main(words) == 0
    assert "everything was there already" in capsys.readouterr().out


def test_another_image_under_a_name_is_not_overwritten(v1, tmp_path, capsys):
    to = tmp_path / "p"
    (to / "labeled-data/cam1").mkdir(parents=True)
    (to / "labeled-data/cam1/img1.png").write_bytes(b"precious")
    assert cli.main(["import-labels", str(v1), "--to", str(to)]) == 2
    assert "img1.png holds something else" in capsys.readouterr().err
    assert (to / "labeled-data/cam1/img1.png").read_bytes() == b"precious"


def test_a_project_of_other_bodyparts_is_refused(v1, tmp_path, capsys):
    root = fakes.project(tmp_path / "other", config={"bodyparts": ["wing"], "skeleton": []})
    assert cli.main(["import-labels", str(v1), "--to", str(root)]) == 2
    assert "has bodyparts ['wing']" in capsys.readouterr().err


def test_a_broken_image_is_a_reject_and_the_others_are_imported(v1, tmp_path, capsys):
    (v1 / "cam1/img2.png").write_bytes(b"no image")
    to = tmp_path / "p"
    assert cli.main(["import-labels", str(v1), "--to", str(to)]) == 0
    out = capsys.readouterr().out
    assert "2 of 3 labeled images" in out
    (reject,) = map(json.loads, (to / "rejects.jsonl").read_text().splitlines())
    assert reject["image"] == "labeled-data/cam1/img2.png"


def test_frames_of_a_video_become_images_of_several_animals(tmp_path):
    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    a, b, c = fakes.points()
    frames = [(0, 30, [(0, 0, a), (0, 1, b)]), (0, 2, [(0, 1, c)])]
    film = {"backend": {"filename": "film.mp4"}}
    path = fake_labels.slp(tmp_path / "a.slp", frames, videos=[film], tracks=["she", "he"])
    to = tmp_path / "p"
    assert cli.main(["import-labels", str(path), "--to", str(to)]) == 0
    folder = to / "labeled-data/film"
    table = pd.read_hdf(folder / "CollectedData_sleap.h5", "df_with_missing")
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    np.testing.assert_array_equal(table["sleap"]["he"].to_numpy()[1].reshape(3, 2), b)
    text = (folder / "CollectedData_sleap.csv").read_text().splitlines()
    assert text[1].startswith("individuals,,,she,she,she,she,she,she,he")
    assert fakes.number(images.load(str(folder / "img0030.png"))[0]) == 30
    config = yaml.safe_load((to / "config.yaml").read_text())
    assert (config["bodyparts"], config["individuals"]) == ("MULTI!", ["she", "he"])
    assert list(config["video_sets"]) == [str(tmp_path / "film.mp4")]


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


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.slp", b"\x89HDF\r\n\x1a\n" + b"\0" * 50, "cannot be read as h5"),
        ("a.json", b"{}", "is not COCO"),
        ("folder", None, "no folder with images and ImageJ tables"),
        ("gone", b"", "No folder"),
    ],
)
def test_what_is_no_labels_is_refused_with_a_sentence(tmp_path, capsys, name, data, what):
    if data is None:
        (tmp_path / name).mkdir()
    elif data:
        (tmp_path / name).write_bytes(data)
    words = ["import-labels", str(tmp_path / name), "--to", str(tmp_path / "p")]
    assert cli.main(words) == 2
    assert what in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_two_people_become_one(tmp_path):
    root = fakes.project(tmp_path / "first")
    names = [f"labeled-data/cam1/img{i}.png" for i in range(3)]
    text = fakes.csv_text(names, fakes.points() + 2, scorer="Bob")
    (root / "labeled-data/cam1/CollectedData_Bob.csv").write_text(text)
    words = ["import-labels", str(root), "--to", str(tmp_path / "p"), "--scorer", "both"]
    assert cli.main([*words, "--labels-by", "Ann,Bob"]) == 0
    there = formats.read("deeplabcut", str(tmp_path / "p"))
    np.testing.assert_allclose(keypoints(there)[:, 0], fakes.points() + 1)


def test_check_and_features_read_frames_of_a_video(tmp_path, capsys):
    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    frames = [(0, i, [(0, -1, fakes.points()[0])]) for i in (3, 1, 20)]
    film = {"backend": {"filename": "film.mp4"}}
    fake_labels.slp(tmp_path / "a.slp", [*frames, (0, 77, frames[0][2])], videos=[film])
    config = experiment_file(tmp_path, "{format: sleap, path: a.slp}")
    assert cli.main(["check", config]) == 1
    out = capsys.readouterr().out
    assert "frame 77 of film.mp4: it has 40 frames" in out
    assert "4 labeled images" in out
    assert "1 errors" in out


@pytest.mark.slow
def test_an_experiment_runs_on_frames_of_a_video(tmp_path):
    from beampose.core.settings import experiment
    from beampose.pipelines.features import feature_job
    from beampose.trainer.dataset import Dataset

    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    frames = [(0, i, [(0, -1, fakes.points()[0])]) for i in range(0, 40, 5)]
    film = {"backend": {"filename": "film.mp4"}}
    fake_labels.slp(tmp_path / "a.slp", frames, videos=[film])
    file = experiment_file(tmp_path, "{format: sleap, path: a.slp}")
    with open(file, "a") as out:
        out.write(
            "features: {backbone: resnet_compact, weights: 'random:0', pca: 8, copies: 1, "
            "frames: true}\n"
        )
    config = experiment.load(file)
    summary = feature_job.run(config)
    assert (summary.images, summary.rejected) == (8, 0)
    dataset = Dataset(config.dataset, config.store, cache_mb=0)
    assert {r.name for r in dataset.of("train") + dataset.of("test")} == {
        f"labeled-data/film/img{i:04d}.png" for i in range(0, 40, 5)
    }


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


def test_a_real_project_of_version_1_is_imported_to_the_last_digit(shared_data, tmp_path):
    root = shared_data / "v1-reachingJan30"
    to = tmp_path / "reaching-Mackenzie-2018-01-30"
    words = ["import-labels", str(root), "--to", str(to), "--scorer", "Mackenzie"]
    assert cli.main(words) == 0
    (file,) = root.glob("Unaugmented*/*/CollectedData_*.csv")
    wanted = pd.read_csv(file, header=[0, 1, 2], index_col=0)
    (csv,) = to.glob("labeled-data/*/CollectedData_Mackenzie.csv")
    found = pd.read_csv(csv, header=[0, 1, 2], index_col=[0, 1, 2])
    assert [f"{video}/{image}" for _, video, image in found.index] == list(wanted.index)
    assert list(found.columns) == list(wanted.columns)
    np.testing.assert_array_equal(found.to_numpy(), wanted.to_numpy())


def several(folder):
    """A project of several animals, or a skip where this version does not read them."""
    try:
        return formats.read("deeplabcut", str(folder))
    except ValueError as error:
        if "several animals" not in str(error):
            raise
        pytest.skip("needs the reader of projects with several animals")


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


def test_a_real_sleap_file_becomes_the_project_converted_from_it(shared_data, tmp_path):
    root = shared_data / "flies-centeredpair-sleap"
    wanted = several(root)
    file = root / "sleap-original/centered_pair_predictions.clean.slp"
    one = {item.name: item for item in formats.read("sleap", str(file)).items}
    for item in wanted.items:
        np.testing.assert_array_equal(one[item.name].keypoints, item.keypoints)


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


def test_frames_of_videos_go_to_a_bucket_as_images(buckets, tmp_path):
    from beampose.pipelines import inputs

    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    frames = [(0, i, [(0, -1, fakes.points()[0])]) for i in (3, 77)]
    film = {"backend": {"filename": "film.mp4"}}
    path = fake_labels.slp(tmp_path / "a.slp", frames, videos=[film])
    items = formats.read("sleap", str(path)).items
    there, lost = inputs.put_images(items, "gs://lab/images")
    assert there.image.startswith("gs://lab/images/")
    assert there.image.endswith(".png")
    assert fakes.number(images.load(there.image)[0]) == 3
    # It stays what it was: the job makes it a reject.
    assert lost.image == items[1].image


def test_labels_and_videos_in_a_bucket_are_read(buckets, tmp_path):
    from upath import UPath

    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    film = {"backend": {"filename": "film.mp4"}}
    path = fake_labels.slp(
        tmp_path / "a.slp", [(0, 30, [(0, -1, fakes.points()[0])])], videos=[film]
    )
    for file in (path, tmp_path / "film.mp4"):
        UPath(f"gs://lab/labels/{file.name}").write_bytes(file.read_bytes())
    to = tmp_path / "p"
    assert cli.main(["import-labels", "gs://lab/labels/a.slp", "--to", str(to)]) == 0
    image = images.load(str(to / "labeled-data/film/img0030.png"))[0]
    assert fakes.number(image) == 30


@pytest.mark.slow
def test_real_labels_of_version_1_are_imported_trained_and_evaluated(shared_data, tmp_path, capsys):
    """20 frames of DeepLabCut's first release: a reaching hand, 4 bodyparts."""
    to = tmp_path / "reaching"
    tables = str(shared_data / "v1-reachingJan30/data-reaching")
    words = ["import-labels", tables, "--to", str(to), "--scorer", "Mackenzie"]
    assert cli.main([*words, "--bodyparts", "hand,Finger1,Finger2,Joystick"]) == 0
    config = experiment_file(
        tmp_path, "{format: deeplabcut, path: reaching}", "{by: image, test: 0.25}"
    )
    sets = ["features.backbone=resnet_compact", "features.weights=builtin", "features.scale=0.5"]
    sets += ["features.copies=2", "features.pca=64", "train.steps=300"]
    options = [word for key in sets for word in ("--set", key)]
    for verb in ("features", "train", "evaluate"):
        assert cli.main([verb, config, *options]) == 0
    metrics = json.loads((tmp_path / "out/model/metrics.json").read_text())
    assert sum(metrics["split"].values()) == 20
    # 6.2 as measured: 12 frames to learn from; 1.5 on these.
    assert metrics["test"]["median_error_px"] < 12
    assert metrics["train"]["median_error_px"] < 4
    assert (tmp_path / "out/evaluation/labels.csv").is_file()
