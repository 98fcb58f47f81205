"""Folders of labeled frames without a config.yaml are read by the headers of their label files."""

import fakes
import numpy as np
import pytest

from beampose import formats
from beampose.formats import project_search


@pytest.fixture
def root(tmp_path):
    for video in ("cam1", "cam2"):
        folder = fakes.label_folder(tmp_path / "lab", video)
        names = [f"labeled-data/{video}/img{i}.png" for i in range(2)]
        for i in range(2):
            (folder / f"img{i}.png").write_bytes(fakes.encode(fakes.pixels(i)))
        file = folder / f"CollectedData_{fakes.SCORER}.csv"
        file.write_text(fakes.csv_text(names, fakes.points(2)))
    return tmp_path / "lab"


@pytest.mark.parametrize("below", ["", "labeled-data"])
def test_scorer_and_bodyparts_are_those_of_the_files_and_that_is_told(root, below):
    path = str(root / below) if below else str(root)
    assert formats.guess(path) == "deeplabcut"
    labels = formats.read("deeplabcut", path)
    assert (labels.scorer, labels.bodyparts) == (fakes.SCORER, fakes.BODYPARTS)
    assert [item.video for item in labels.items] == ["cam1", "cam1", "cam2", "cam2"]
    np.testing.assert_equal(labels.keypoints[:2, 0], fakes.points(2).reshape(2, -1, 2))
    (problem,) = labels.problems
    assert "has no config.yaml" in problem.what and fakes.SCORER in problem.what
    assert project_search.find_project(root) == ("deeplabcut", str(root))


def test_a_config_of_another_program_is_not_used_and_that_is_told(root):
    (root / "config.yaml").write_text("data: {keypoint_names: [nose]}\ntraining: {}\n")
    labels = formats.read("deeplabcut", str(root))
    assert labels.bodyparts == fakes.BODYPARTS
    assert any("of another program" in problem.what for problem in labels.problems)


def test_several_animals_and_bodyparts_of_the_scene_are_those_of_the_header(tmp_path):
    keypoints = np.full((2, 3, 4, 2), np.nan)
    keypoints[:, :2, :3] = 20
    keypoints[:, 2, 3] = 5
    root = fakes.animals(tmp_path / "lab", keypoints)
    (root / "config.yaml").unlink()
    labels = formats.read("deeplabcut", str(root))
    assert labels.individuals == ("ann", "bob", "single")
    assert labels.unique_bodyparts == ("door",)
    np.testing.assert_equal(labels.keypoints, keypoints)


def test_labels_of_a_second_scorer_are_named(root):
    names = ["labeled-data/cam1/img0.png"]
    text = fakes.csv_text(names, fakes.points(1)).replace(fakes.SCORER, "Zoe")
    (root / "labeled-data/cam1/CollectedData_Zoe.csv").write_text(text)
    labels = formats.read("deeplabcut", str(root))
    assert len(labels.items) == 4 and "Zoe need source.scorer" in labels.problems[0].what
    assert len(formats.read("deeplabcut", str(root), scorer="Zoe").items) == 1


def test_folders_without_labels_are_still_no_project(tmp_path):
    (tmp_path / "lab/labeled-data/cam1").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="No DeepLabCut project"):
        formats.read("deeplabcut", str(tmp_path / "lab"))
    assert formats.guess(str(tmp_path / "lab")) != "deeplabcut"
