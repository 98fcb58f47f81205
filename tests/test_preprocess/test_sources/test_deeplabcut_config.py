"""config.yaml of DeepLabCut projects: of all ages, with what it may not say."""

import fakes
import numpy as np
import pytest
from reach_project import NAMES, edit, keypoints

from beampose import formats
from beampose.formats.deeplabcut import project_labels
from beampose.preprocess.labels import ERROR, WARNING


def test_the_config_file_stands_for_its_project(root):
    assert len(formats.read("deeplabcut", str(root / "config.yaml")).items) == 3


def test_stale_places_in_the_config_are_not_used(root):
    edit(root, "/nowhere/reach-Ann", "/etc", "config.yaml")
    labels = project_labels.read(str(root))
    assert all(item.image.startswith(f"{root}/") for item in labels.items)
    assert {item.video for item in labels.items} == {"cam1"}


def test_a_config_of_an_old_age_is_read(root):
    edit(root, "multianimalproject: null\n", "resnet:\n", "config.yaml")
    edit(root, "skeleton:\n- - nose\n  - ear\n", "", "config.yaml")
    labels = project_labels.read(str(root))
    assert len(labels.items) == 3
    assert labels.edges == ()


def test_a_bodypart_named_twice_is_refused(tmp_path):
    root = fakes.project(tmp_path, config={"bodyparts": ["nose", "ear", "nose"]})
    with pytest.raises(ValueError, match="names a bodypart twice"):
        project_labels.read(str(root))


@pytest.mark.parametrize("bodyparts", [None, [], "nose"])
def test_a_config_without_bodyparts_is_refused(tmp_path, bodyparts):
    root = fakes.project(tmp_path, config={"bodyparts": bodyparts})
    with pytest.raises(ValueError, match="must list bodyparts"):
        project_labels.read(str(root))


def test_bodyparts_and_scorers_that_look_like_numbers_are_names(tmp_path):
    root = fakes.project(tmp_path, config={"bodyparts": [1, 2, 3], "scorer": 7})
    text = fakes.csv_text(NAMES, fakes.points(), scorer="7", bodyparts=["1", "2", "3"])
    (root / "labeled-data/cam1/CollectedData_7.csv").write_text(text)
    labels = project_labels.read(str(root))
    assert labels.bodyparts == ("1", "2", "3")
    np.testing.assert_array_equal(keypoints(labels), fakes.points())


@pytest.mark.parametrize("text", ["bodyparts: [", "- a\n- b\n", ""])
def test_a_config_that_is_no_mapping_is_a_value_error(root, text):
    (root / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match="config.yaml"):
        project_labels.read(str(root))


def test_an_edge_of_an_unknown_bodypart_is_told_and_not_drawn(tmp_path):
    config = {"skeleton": [["nose", "wing"], ["tail", "ear"], "nose"]}
    labels = project_labels.read(str(fakes.project(tmp_path, config=config)))
    assert labels.edges == (("tail", "ear"),)
    assert [p.level for p in labels.problems] == [WARNING, WARNING]


@pytest.mark.parametrize("skeleton", [1.5, "nose tail", {"nose": "tail"}])
def test_a_skeleton_that_is_no_list_is_told_in_one_line_and_not_drawn(tmp_path, skeleton):
    labels = project_labels.read(str(fakes.project(tmp_path, config={"skeleton": skeleton})))
    assert labels.edges == ()
    (problem,) = labels.problems
    assert problem.level == WARNING and "skeleton must be a list" in problem.what


def test_a_missing_project_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="No DeepLabCut project"):
        project_labels.read(str(tmp_path / "absent"))


def test_a_project_without_labeled_frames_is_not_found(tmp_path):
    (tmp_path / "config.yaml").write_text("bodyparts: [nose]\nscorer: Ann\n")
    with pytest.raises(FileNotFoundError, match="no labeled frames"):
        project_labels.read(str(tmp_path))


@pytest.mark.parametrize(("letter", "encoding"), [("鼻子", "gbk"), ("耳", "shift-jis")])
def test_a_config_of_another_code_page_is_refused(root, letter, encoding):
    edit(root, "ear", letter, "config.yaml")
    (root / "config.yaml").write_bytes((root / "config.yaml").read_text("utf-8").encode(encoding))
    with pytest.raises(ValueError, match="config.yaml is not UTF-8"):
        project_labels.read(str(root))


def test_words_are_names_as_deeplabcut_reads_them(tmp_path):
    root = fakes.project(tmp_path, config={"bodyparts": ["on", "off", "no"], "scorer": "NO"})
    text = (root / "config.yaml").read_text().replace("'", "")
    (root / "config.yaml").write_text(text)
    table = fakes.csv_text(NAMES, fakes.points(), scorer="NO", bodyparts=["on", "off", "no"])
    (root / "labeled-data/cam1/CollectedData_NO.csv").write_text(table)
    labels = project_labels.read(str(root))
    assert (labels.scorer, labels.bodyparts) == ("NO", ("on", "off", "no"))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())


def test_a_key_that_is_there_twice_is_refused(root):
    with (root / "config.yaml").open("a") as file:
        file.write("bodyparts: [nose]\n")
    with pytest.raises(ValueError, match="'bodyparts' is there twice"):
        project_labels.read(str(root))


@pytest.mark.parametrize("entry", [None, ["ear", "tail"], {"ear": 1}])
def test_an_entry_of_bodyparts_that_is_no_name_is_refused(tmp_path, entry):
    root = fakes.project(tmp_path, config={"bodyparts": ["nose", entry]})
    with pytest.raises(ValueError, match="bodyparts must be names, one an entry. Received: "):
        project_labels.read(str(root))


@pytest.mark.parametrize(
    "called, why",
    [
        ("CollectedData_Ann.CSV", "they are called CollectedData_<scorer>"),
        ("CollectedData_Ann.csv.txt", "they are called CollectedData_<scorer>"),
        (
            ".CollectedData_Ann.csv.icloud",
            "only the placeholder of CollectedData_Ann.csv: iCloud has not downloaded it",
        ),
    ],
)
def test_a_file_that_was_meant_for_labels_is_named(root, called, why):
    file = root / f"labeled-data/cam1/CollectedData_{fakes.SCORER}.csv"
    file.rename(file.with_name(called))
    (problem,) = project_labels.read(str(root)).problems
    assert problem.level == ERROR
    assert called in problem.what and why in problem.what


def test_a_config_that_is_not_there_is_not_replaced_by_headers(tmp_path):
    root = fakes.project(tmp_path)
    with pytest.raises(FileNotFoundError, match="No config .*config.yml. There is .*config.yaml"):
        project_labels.read(str(root / "config.yml"))


def test_labels_of_one_video_say_which_project_to_name(tmp_path):
    root = fakes.project(tmp_path)
    video = next(one for one in (root / "labeled-data").iterdir() if one.is_dir())
    with pytest.raises(FileNotFoundError, match=f"name the project, {root}."):
        project_labels.read(str(video))
