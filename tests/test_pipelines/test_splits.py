"""The test set of an experiment: named videos, a second project, a shuffle of DeepLabCut's."""

import collections
import json
import shutil

import fakes
import numpy as np
import pytest
from PIL import Image

from beampose.core import artefacts
from beampose.core.infos import DatasetInfo
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Split
from beampose.core.settings.section import outcome
from beampose.formats import crop_folders
from beampose.pipelines import planning
from beampose.pipelines.features import feature_job, labeled_source
from beampose.preprocess import validate
from beampose.preprocess.labels import ERROR, TEST, TRAIN
from beampose.trainer.dataset import Dataset

SECOND = ["split.test=0.2", "split.test_from=second"]


def second_project(folder, bodyparts=("tail", "paw", "nose"), count=3):
    """A project of other pictures and other bodyparts, with a video of the same name."""
    (folder / "labeled-data/a").mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "Task: later\nscorer: you\ndate: Feb2\nmultianimalproject: false\nproject_path: x\n"
        f"video_sets: {{}}\nbodyparts: [{', '.join(bodyparts)}]\nskeleton: []\n"
    )
    names = [f"labeled-data/a/img{i:02d}.png" for i in range(count)]
    for i, name in enumerate(names):
        Image.fromarray(fakes.pixels(70 + i, 96, 144)).save(folder / name)
    keypoints = 10.0 + np.arange(count * len(bodyparts) * 2).reshape(count, -1, 2)
    text = fakes.csv_text(names, keypoints, scorer="you", bodyparts=bodyparts)
    (folder / "labeled-data/a/CollectedData_you.csv").write_text(text)
    return folder


def test_unset_ways_to_split_change_no_digest():
    assert outcome(Split(), "head") == {}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["split.videos=[a]"], "set split.by: video. Received: 'image'"),
        (["split.by=video", "split.videos=[a]"], "split.test has no effect: remove one"),
        (["split.by=video", "split.test=0.2", "split.videos=[]"], "split.videos must be a list"),
        (["split.test_from=b"], "split.test has no effect: remove one"),
        ([*SECOND, "split.from=c.pickle"], "split.from has no effect: remove one"),
        ([*SECOND, "split.by=block"], "split.by has no effect: remove one"),
    ],
)
def test_two_ways_to_split_are_refused(pose_file, overrides, message):
    with pytest.raises(ValueError, match=message):
        experiment.load(pose_file, overrides)


def test_a_shuffle_beside_a_share_is_read_as_before(pose_file):
    assert experiment.load(pose_file, ["split.from=a.pickle"]).split.test == 0.3


def test_named_videos_are_held_out(pose_file):
    overrides = ["split.by=video", "split.test=0.2", "split.videos=[b]"]
    labels, sides = labeled_source.read(experiment.load(pose_file, overrides))
    assert {(i.video, side) for i, side in zip(labels.items, sides, strict=True)} == {
        ("a", TRAIN),
        ("b", TEST),
    }


@pytest.mark.parametrize("way", ["folder", "config.yaml", "experiment"])
def test_a_second_project_is_named_by_its_folder_or_its_experiment(way, pose_file, tmp_path):
    second_project(tmp_path / "second")
    if way == "experiment":
        own = "task: pose\nsource: {format: deeplabcut, path: second, bodyparts: [nose]}\n"
        (tmp_path / "mine.yaml").write_text(own + "output: elsewhere\n")
    name = {"folder": "second", "config.yaml": "second/config.yaml", "experiment": "mine.yaml"}
    overrides = ["split.test=0.2", f"split.test_from={name[way]}"]
    labels, sides = labeled_source.read(experiment.load(pose_file, overrides))
    assert collections.Counter(sides) == {TRAIN: 12, TEST: 3}
    places = {item.image for item, s in zip(labels.items, sides, strict=True) if s == TEST}
    assert all(str(tmp_path / "second") in place for place in places) and len(places) == 3
    said = " ".join(problem.what for problem in labels.problems)
    assert "are not tested: left" in said
    assert ("are not used: paw" in said) == (way != "experiment")


def test_a_second_project_that_is_not_there_or_of_another_task_is_an_error(pose_file, tmp_path):
    with pytest.raises(FileNotFoundError, match="split.test_from: .*second does not exist"):
        labeled_source.read(experiment.load(pose_file, SECOND))
    (tmp_path / "second").mkdir()
    with pytest.raises((FileNotFoundError, ValueError), match="second"):
        labeled_source.read(experiment.load(pose_file, SECOND))
    text = "task: crops\nsource: {format: crops, path: x}\noutput: out\n"
    (tmp_path / "crops.yaml").write_text(text)
    overrides = ["split.test=0.2", "split.test_from=crops.yaml"]
    with pytest.raises(ValueError, match="crops.yaml is for task 'crops'"):
        labeled_source.read(experiment.load(pose_file, overrides))


def test_crops_are_tested_with_a_second_folder(tmp_path):
    for place, sides in (("first", ("Training",)), ("second", ("Training", "Testing"))):
        for side in sides:
            for kind in ("Positive", "Negative"):
                folder = tmp_path / place / side / kind
                folder.mkdir(parents=True)
                Image.fromarray(fakes.pixels(1, 40, 40)).save(folder / f"{place}_1_0.png")
    assert crop_folders.FORMAT.task == "crops"
    file = tmp_path / "crops.yaml"
    file.write_text(
        "task: crops\nsource: {format: crops, path: first}\nsplit: {test_from: second}\n"
        "output: out\n"
    )
    _, sides = labeled_source.read(experiment.load(file))
    assert sides == [TRAIN] * 2 + [TEST] * 4


def test_images_of_a_second_project_are_embedded_once_and_without_copies(
    pose_file, tmp_path, caplog
):
    second_project(tmp_path / "second")
    settings = experiment.load(pose_file, [*SECOND, "features.copies=1"])
    with caplog.at_level("WARNING", "beampose"):
        assert feature_job.run(settings).embedded == 12 * 2 + 3
    assert "second: split.test_from: bodyparts that are missing there" in caplog.text
    info = artefacts.require(settings.dataset, DatasetInfo)
    assert info.split == {TEST: 3, TRAIN: 12}
    assert info.source["test_from"] == str(tmp_path / "second")
    assert info.counts.copies == 12
    records = Dataset(settings.dataset, settings.store, cache_mb=1).records
    tested = [record for record in records if record.split == TEST]
    assert {record.name for record in tested} == {
        f"laterFeb2/labeled-data/a/img{i:02d}.png" for i in range(3)
    }
    np.testing.assert_array_equal(tested[0].keypoints[0, :, 0], [14, np.nan, 10])
    lines = (tmp_path / "out/dataset/rejects.jsonl").read_text().splitlines()
    assert any("split.test_from" in json.loads(line)["what"] for line in lines)


def test_frames_newer_than_a_shuffle_are_trained_on_and_said(pose_file, tmp_path):
    import pickle

    folder = tmp_path / "set"
    folder.mkdir()
    first = tmp_path / "project/labeled-data/a/CollectedData_me.csv"
    shutil.copy(first, folder / "CollectedData_me.csv")
    data = [[], np.arange(4), np.arange(4, 6), 0.67]
    file = folder / "Documentation_data-spots_67shuffle1.pickle"
    file.write_bytes(pickle.dumps(data))
    labels, sides = labeled_source.read(experiment.load(pose_file, ["split.from=set"]))
    found = {(item.video, side) for item, side in zip(labels.items, sides, strict=True)}
    assert found == {("a", TRAIN), ("a", TEST), ("b", TRAIN)}
    (note,) = labeled_source.notes(labels)
    assert "6 frames, such as labeled-data/b/img00.png, are not in this shuffle" in note.what


def test_test_images_of_crops_that_the_split_mixes_in_are_told(tmp_path):
    wanted = {"Training/fox": 3, "Training/owl": 3, "Testing/fox": 1, "Testing/owl": 2}
    fakes.crops(tmp_path / "crops", wanted)
    file = tmp_path / "my.yaml"
    file.write_text("task: crops\nsource: {format: crops, path: crops}\noutput: out\n")
    labels, _ = labeled_source.read(experiment.load(file))
    assert any(
        "3 images are in a folder or list of test images" in problem.what
        and "`split: {by: folder}` tests on those" in problem.what
        for problem in labels.problems
    )
    labels, sides = labeled_source.read(experiment.load(file, ["split.by=folder"]))
    assert sides.count(TEST) == 3 and not labels.problems


def test_a_class_that_nobody_can_learn_ends_a_run_as_check_says_it_before_any_work(tmp_path):
    crops = fakes.crops(tmp_path / "crops", {"Training/fox": 3, "Testing/owl": 2})
    file = tmp_path / "my.yaml"
    text = "task: crops\nsource: {format: crops, path: crops}\noutput: out\nsplit: {by: folder}\n"
    file.write_text(text)
    loaded = experiment.load(file)
    labels, sides = labeled_source.read(loaded)
    problems = validate.report(labels, sides).problems
    (said,) = [one.what for one in problems if one.level == ERROR]
    for work in (feature_job.run, lambda config: planning.plan(config, None)):
        with pytest.raises(ValueError) as raised:
            work(loaded)
        assert str(raised.value) == f"{crops}: {said}."
    assert not (tmp_path / "out/store").exists()


def test_labels_that_are_shares_of_the_image_are_refused_before_any_work(pose_file, tmp_path):
    for file in tmp_path.glob("**/CollectedData_*.h5"):
        file.unlink()
    for file in tmp_path.glob("**/CollectedData_*.csv"):
        lines = file.read_text().splitlines()
        rows = [",".join(["0.5" if is_number(c) else c for c in one.split(",")]) for one in lines]
        file.write_text("\n".join(rows) + "\n")
    with pytest.raises(ValueError, match="all coordinates lie between 0 and 1"):
        labeled_source.read(experiment.load(pose_file))


def is_number(cell):
    return cell.replace(".", "", 1).isdecimal()


def test_what_holds_for_whole_files_is_said_once_before_features_are_made(tmp_path):
    fakes.crops(tmp_path / "crops", {"fox": 3, "owl": 3})
    for i in range(3):
        (tmp_path / f"crops/fox/note{i}.txt").touch()
    (tmp_path / "crops/cat").mkdir()
    file = tmp_path / "my.yaml"
    file.write_text("task: crops\nsource: {format: crops, path: crops}\noutput: out\n")
    labels, _ = labeled_source.read(experiment.load(file))
    empty, texts = labeled_source.notes(labels)
    assert empty.file.endswith("/cat") and "holds no image" in empty.what
    assert texts.image.endswith("note0.txt") and texts.what.endswith("(3 such lines)")
