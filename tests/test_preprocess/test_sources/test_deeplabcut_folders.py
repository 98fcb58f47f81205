"""Folders of labeled frames of DeepLabCut projects, and where their images lie."""

import fakes
import pytest
from reach_project import CSV, NAMES, edit, whats

from beampose.formats.deeplabcut import project_labels
from beampose.preprocess.labels import ERROR, WARNING


def test_a_renamed_video_folder_gives_its_own_name(root):
    (root / "labeled-data/cam1").rename(root / "labeled-data/left")
    item = project_labels.read(str(root)).items[2]
    assert item.video == "left"
    assert item.name == "labeled-data/left/img2.png"
    assert item.image == f"{root}/labeled-data/left/img2.png"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "C:\\secret.png", "labeled-data/cam1/..", ".."]
)
def test_a_path_out_of_the_project_is_rejected(root, name):
    edit(root, NAMES[1], name)
    labels = project_labels.read(str(root))
    assert [item.name for item in labels.items] == [NAMES[0], NAMES[2]]
    (problem,) = labels.problems
    assert (problem.level, problem.row, problem.image) == (ERROR, 5, name)


def test_drawings_and_hidden_folders_are_ignored(root):
    for name in ("cam1_labeled", ".cache"):
        (root / "labeled-data" / name).mkdir()
    labels = project_labels.read(str(root))
    assert len(labels.items) == 3
    assert labels.problems == ()


def test_a_folder_without_labels_is_told(root):
    (root / "labeled-data/cam2").mkdir()
    labels = project_labels.read(str(root))
    assert len(labels.items) == 3
    assert [(p.level, p.file) for p in labels.problems] == [(WARNING, f"{root}/labeled-data/cam2")]


def test_folders_are_read_in_the_order_of_their_names(root):
    fakes.project(root, video="a_cam", rows=2)
    videos = [item.video for item in project_labels.read(str(root)).items]
    assert videos == ["a_cam"] * 2 + ["cam1"] * 3


def test_rows_with_whole_paths_are_read_from_beside_their_file(root):
    (root / CSV).write_text(
        fakes.csv_text([f"C:\\lab\\reach\\{name}" for name in NAMES], fakes.points())
    )
    labels = project_labels.read(str(root))
    assert [item.image for item in labels.items] == [f"{root}/{name}" for name in NAMES]
    assert labels.problems == ()


def test_an_image_that_is_not_beside_its_row_is_where_the_path_says(root):
    fakes.label_folder(root, "cam2")
    (root / NAMES[2]).rename(root / "labeled-data/cam2/img7.png")
    edit(root, NAMES[2], "labeled-data/cam2/img7.png")
    labels = project_labels.read(str(root))
    assert labels.items[2].image == f"{root}/labeled-data/cam2/img7.png"
    assert labels.items[2].video == "cam2"
    assert "1 image is not beside it but in the folders of their rows" in whats(labels)[0]
    # A name alone is not enough.
    edit(root, "labeled-data/cam2/img7.png", "labeled-data/cam3/img7.png")
    (found,) = [item for item in project_labels.read(str(root)).items if item.row == 6]
    assert found.image == f"{root}/labeled-data/cam1/img7.png"


def test_an_image_whose_name_is_spelled_otherwise_is_named(root):
    edit(root, NAMES[2], NAMES[2].replace("img", "img%20"))
    (root / NAMES[2]).rename(root / NAMES[2].replace("img", "img "))
    labels = project_labels.read(str(root))
    assert any("/img " in item.image for item in labels.items)
    assert "spelled otherwise, such as 'img " in whats(labels)[0]


def test_rows_of_another_folder_that_is_there_are_told(root):
    edit(root, "labeled-data/cam1/", "labeled-data/cam0/")
    assert project_labels.read(str(root)).problems == ()
    fakes.label_folder(root, "cam0")
    labels = project_labels.read(str(root))
    assert [item.image for item in labels.items] == [f"{root}/{name}" for name in NAMES]
    assert any("its rows say the folder cam0, which is there too" in what for what in whats(labels))


def test_labels_of_a_video_that_is_called_as_drawings_are_read(root):
    (root / "labeled-data/cam1").rename(root / "labeled-data/trial_labeled")
    drawings = fakes.label_folder(root, "cam2_labeled")
    (drawings / "img0.png").write_bytes(fakes.encode(fakes.pixels(1)))
    labels = project_labels.read(str(root))
    assert [item.video for item in labels.items] == ["trial_labeled"] * 3
    assert labels.problems == ()


@pytest.mark.parametrize(
    "place", ["CollectedData.csv", "labeled-data/x.h5", "labeled-data/group/cam3/x.csv"]
)
def test_label_files_that_lie_elsewhere_are_told(root, place):
    file = root / place.replace("/x.", f"/CollectedData_{fakes.SCORER}.")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes((root / CSV).read_bytes())
    labels = project_labels.read(str(root))
    assert len(labels.items) == 3
    inner = file.relative_to(root).as_posix()
    what = "1 label file in no folder of a video: not read, such as"
    assert f"{what} {inner}" in whats(labels)


def test_folders_of_frames_that_are_still_packed_are_told(root):
    (root / "labeled-data/cam2.zip").write_bytes(b"PK")
    labels = project_labels.read(str(root))
    assert len(labels.items) == 3
    (problem,) = labels.problems
    assert problem.file.endswith("labeled-data/cam2.zip") and "is not unpacked" in problem.what
