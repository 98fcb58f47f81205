"""Projects whose labels lie in tables at their root, as Lightning Pose keeps them."""

import fakes
import numpy as np
import pytest

from beampose import formats
from beampose.formats import project_search
from beampose.formats.deeplabcut import project_labels
from beampose.pipelines.curation import label_corrections
from beampose.preprocess.labels import ERROR

VIEWS = ("trial1_top", "trial1_bot", "trial2_top")


@pytest.fixture
def root(tmp_path):
    """Two images of each of three films, and one table of all."""
    names = []
    for video in VIEWS:
        folder = fakes.label_folder(tmp_path / "mouse", video)
        for i in range(2):
            (folder / f"img{i}.png").write_bytes(fakes.encode(fakes.pixels(i)))
            names.append(f"labeled-data/{video}/img{i}.png")
    (tmp_path / "mouse/CollectedData.csv").write_text(fakes.csv_text(names, fakes.points(6)))
    return tmp_path / "mouse"


def errors(labels):
    return [problem.what for problem in labels.problems if problem.level == ERROR]


def test_one_table_at_the_root_is_read_without_a_config_and_told(root):
    assert formats.guess(str(root)) == "deeplabcut"
    labels = formats.read("deeplabcut", str(root))
    assert labels.bodyparts == fakes.BODYPARTS and labels.scorer == fakes.SCORER
    assert [item.video for item in labels.items] == [v for v in VIEWS for _ in range(2)]
    assert [item.image for item in labels.items] == [str(root / item.name) for item in labels.items]
    np.testing.assert_equal(labels.keypoints[:, 0], fakes.points(6).reshape(6, -1, 2))
    (problem,) = labels.problems
    assert "read as a project of Lightning Pose" in problem.what
    assert "CollectedData.csv" in problem.what and labels.items[5].row == 9


def test_a_table_for_each_view_is_read_and_one_alone_where_it_is_named(root):
    lines = (root / "CollectedData.csv").read_text().splitlines()
    for view in ("top", "bot"):
        rows = [line for line in lines[3:] if f"_{view}/" in line]
        text = "\n".join([*lines[:3], *rows]).replace("nose", f"nose_{view}")
        (root / f"CollectedData_{view}.csv").write_text(text)
    (root / "CollectedData.csv").unlink()
    labels = project_labels.read(str(root))
    assert labels.bodyparts == ("nose_bot", *fakes.BODYPARTS[1:], "nose_top")
    assert len(labels.items) == 6 and not errors(labels)
    one = str(root / "CollectedData_top.csv")
    assert formats.guess(one) == "deeplabcut"
    labels = project_labels.read(one)
    assert {item.video for item in labels.items} == {"trial1_top", "trial2_top"}
    assert labels.bodyparts == ("nose_top", *fakes.BODYPARTS[1:])


def test_the_names_of_a_config_count_where_there_is_one(root):
    (root / "config.yaml").write_text("scorer: Ann\nbodyparts: [tail]\n")
    labels = project_labels.read(str(root))
    assert labels.bodyparts == ("tail",) and len(labels.items) == 6
    assert not errors(labels)


def test_labels_in_the_folders_count_before_those_at_the_root(root):
    fakes.project(root)
    labels = project_labels.read(str(root))
    assert {item.video for item in labels.items} == {"cam1"}
    assert any("CollectedData.csv" in problem.what for problem in labels.problems)


def test_images_of_folders_in_folders_are_those_of_different_videos(root):
    for day in ("day1", "day2"):
        (root / "labeled-data" / day).mkdir()
    (root / "labeled-data/trial1_top").rename(root / "labeled-data/day1/top")
    (root / "labeled-data/trial2_top").rename(root / "labeled-data/day2/top")
    table = root / "CollectedData.csv"
    text = table.read_text().replace("trial1_top", "day1/top").replace("trial2_top", "day2/top")
    table.write_text(text)
    labels = project_labels.read(str(root))
    assert {item.video for item in labels.items} == {"day1_top", "day2_top", "trial1_bot"}
    assert len({item.name for item in labels.items}) == 6


def test_paths_of_another_machine_are_found_and_those_out_of_the_project_are_not(root):
    table = root / "CollectedData.csv"
    text = table.read_text().replace("labeled-data/trial1_top", "C:\\lab\\labeled-data\\trial1_top")
    table.write_text(text.replace("labeled-data/trial1_bot/img1", "../../trial1_bot/img1"))
    labels = project_labels.read(str(root))
    assert len(labels.items) == 5
    assert labels.items[0].image == str(root / "labeled-data/trial1_top/img0.png")
    (what,) = errors(labels)
    assert "must be named by a path inside the project" in what


def test_a_table_that_cannot_be_read_is_named(root):
    (root / "CollectedData.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="mouse/CollectedData.csv: must begin with rows scorer"):
        project_labels.read(str(root))
    (root / "CollectedData_top.csv").write_text(
        fakes.csv_text(["labeled-data/x/a.png"], fakes.points(1))
    )
    labels = project_labels.read(str(root))
    assert len(labels.items) == 1 and len(errors(labels)) == 1


def test_a_table_of_all_videos_is_not_corrected_in_its_place(root):
    with pytest.raises(ValueError, match="CollectedData.csv holds the labels of several videos"):
        label_corrections.apply([], str(root), fakes.SCORER)


def test_a_stranger_may_send_one(root):
    (root.parent / "folder").mkdir()
    root.rename(root.parent / "folder/mouse")
    found = project_search.find_project(root.parent)
    assert found == ("deeplabcut", str(root.parent / "folder/mouse"))


def test_words_in_columns_that_are_not_read_cost_no_row(root):
    """Lightning Pose's predictions of labeled images end with a column of splits."""
    table = root / "CollectedData.csv"
    ends = ["set", "", "", *["train", "test"] * 3]
    lines = table.read_text().splitlines()
    table.write_text("\n".join(f"{line},{end}" for line, end in zip(lines, ends, strict=True)))
    labels = project_labels.read(str(root))
    np.testing.assert_equal(labels.keypoints[:, 0], fakes.points(6).reshape(6, -1, 2))
    whats = [problem.what for problem in labels.problems]
    assert whats[1:] == ["column 8 holds words ('train'), which are not used"]
    table.write_text("\n".join([*lines[:4], lines[4].replace(",", ",train", 1)]))
    assert "holds 'train11.25', which is not a number" in errors(project_labels.read(str(root)))[0]
