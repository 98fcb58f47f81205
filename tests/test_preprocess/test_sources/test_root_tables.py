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


@pytest.fixture
def tested(root):
    """Beside the table one of another film, which models are tested on."""
    lines = (root / "CollectedData.csv").read_text().splitlines()
    (root / "CollectedData.csv").write_text("\n".join(lines[:7]))
    (root / "CollectedData_new.csv").write_text("\n".join([*lines[:3], *lines[7:]]))
    return root


def said_by(file, labels):
    return [problem.what for problem in labels.problems if problem.file == str(file)]


def of_lightning_pose(tables, folder="/home/joe/mouse"):
    """A config of Lightning Pose, as far as it says where labels are."""
    return (
        f"data:\n  data_dir: {folder}\n  csv_file: {tables}\n  keypoint_names: [nose, ear, tail]\n"
        "eval:\n  test_videos_directory: ${data.video_dir}\n"
    )


@pytest.mark.parametrize("end", ["new", "test"])
def test_labels_that_models_are_tested_on_are_left_out_and_may_be_named(tested, end):
    table = (tested / "CollectedData_new.csv").rename(tested / f"CollectedData_{end}.csv")
    labels = project_labels.read(str(tested))
    assert {item.file for item in labels.items} == {str(tested / "CollectedData.csv")}
    (what,) = said_by(table, labels)
    assert "is left out" in what and "split.test_from may name it" in what
    assert {item.video for item in project_labels.read(str(table)).items} == {"trial2_top"}


def test_a_config_of_lightning_pose_names_the_table(tested):
    (tested / "config_mouse.yaml").write_text(of_lightning_pose("CollectedData_new.csv"))
    for path in (tested, tested / "config_mouse.yaml"):
        labels = project_labels.read(str(path))
        assert {item.video for item in labels.items} == {"trial2_top"}
        assert "names CollectedData_new.csv" in said_by(tested / "CollectedData.csv", labels)[0]
        assert "names the labels" in said_by(tested / "config_mouse.yaml", labels)[0]


def test_tables_of_views_and_folders_of_any_name_are_read_by_a_config(root):
    lines = (root / "CollectedData.csv").read_text().replace("labeled-data/", "frames/").split("\n")
    for view in ("top", "bot"):
        rows = [line for line in lines[3:] if f"_{view}/" in line]
        (root / f"{view}.csv").write_text("\n".join([*lines[:3], *rows]))
    (root / "labeled-data").rename(root / "frames")
    (root / "CollectedData.csv").unlink()
    config = root / "config.yaml"
    config.write_text(of_lightning_pose("[top.csv, /home/joe/mouse/bot.csv]"))
    assert formats.guess(str(root)) == "deeplabcut"
    labels = project_labels.read(str(root))
    assert [item.video for item in labels.items] == [
        f"frames_{VIEWS[i]}" for i in (0, 0, 2, 2, 1, 1)
    ]
    assert labels.items[0].image == str(root / "frames/trial1_top/img0.png")
    assert labels.bodyparts == fakes.BODYPARTS and len(labels.problems) == 1
    config.write_text(of_lightning_pose("top.csv").replace("ear", "tongue"))
    assert (
        "its keypoint_names are others (nose, tongue"
        in said_by(config, labels := project_labels.read(str(root)))[0]
    )
    assert labels.bodyparts == fakes.BODYPARTS


def test_configs_that_name_different_tables_are_told_and_one_of_them_may_be_named(tested):
    for name, table in {"a": "CollectedData.csv", "b": "CollectedData_new.csv"}.items():
        (tested / f"config_{name}.yaml").write_text(of_lightning_pose(table))
    assert formats.guess(str(tested)) == "deeplabcut"
    with pytest.raises(ValueError, match="config_a.yaml CollectedData.csv; config_b.yaml Coll"):
        project_labels.read(str(tested))
    assert len(project_labels.read(str(tested / "config_b.yaml")).items) == 2
    # One table that is spelled in two ways is none of another.
    (tested / "config_b.yaml").write_text(of_lightning_pose("/home/joe/CollectedData.csv"))
    assert len(project_labels.read(str(tested)).items) == 4
    assert len(project_labels.read(str(tested / "labeled-data")).items) == 4


def test_a_config_elsewhere_finds_labels_in_its_data_dir_if_it_is_named_itself(tested, tmp_path):
    config = tmp_path / "config_mouse.yaml"
    config.write_text(of_lightning_pose("CollectedData.csv", tested))
    labels = project_labels.read(str(config))
    assert len(labels.items) == 4 and labels.items[0].image.startswith(str(tested))
    # Its data_dir may count from a folder above.
    (tmp_path / "scripts/configs").mkdir(parents=True)
    other = tmp_path / "scripts/configs/config_mouse.yaml"
    other.write_text(of_lightning_pose("CollectedData.csv", tested.name))
    assert len(project_labels.read(str(other)).items) == 4
    # A stranger's project does not lead to folders that it names.
    (tmp_path / "upload").mkdir()
    config.rename(tmp_path / "upload/config_mouse.yaml")
    with pytest.raises(ValueError, match="not found in [^ ]*/upload. Put what is missing there"):
        project_labels.read(str(tmp_path / "upload"))


def test_the_project_of_lightning_poses_app_names_its_views(tested):
    (tested / "CollectedData_new.csv").rename(tested / "CollectedData_top.csv")
    (tested / "project.yaml").write_text("view_names: [top]\nkeypoint_names: [nose, ear, tail]\n")
    labels = project_labels.read(str(tested))
    assert {item.file for item in labels.items} == {str(tested / "CollectedData_top.csv")}
    (tested / "project.yaml").write_text("view_names: []\n")
    assert len(project_labels.read(str(tested)).items) == 4


def test_other_capitals_of_a_label_file_are_read_at_the_root_and_told_in_folders(root, tmp_path):
    (root / "CollectedData.csv").rename(root / "collecteddata.CSV")
    assert len(project_labels.read(str(root)).items) == 6
    folder = fakes.project(tmp_path / "reach") / "labeled-data/cam1"
    (folder / "CollectedData_Ann.csv").rename(folder / "Collecteddata_Ann.csv")
    (what,) = errors(project_labels.read(str(tmp_path / "reach")))
    assert "Collecteddata_Ann.csv is none: they are called CollectedData_<scorer>.csv" in what
    (tmp_path / "reach/config.yaml").unlink()
    assert formats.guess(str(tmp_path / "reach")) == "deeplabcut"
    with pytest.raises(FileNotFoundError, match="cam1 Collecteddata_Ann.csv is none"):
        project_labels.read(str(tmp_path / "reach"))
    (tmp_path / "reach/labeled-data").rename(tmp_path / "reach/Labeled-data")
    if (tmp_path / "reach/labeled-data").exists():
        return  # This disk does not tell capitals from other letters.
    with pytest.raises(FileNotFoundError, match="but Labeled-data, another folder"):
        project_labels.frame_folders(str(tmp_path / "reach"))


def test_tables_of_any_name_are_named_without_a_config_and_each_is_read_by_its_path(root):
    text = (root / "CollectedData.csv").read_text()
    (root / "CollectedData.csv").rename(root / "top.csv")
    space = text.replace("likelihood", "z").replace(",y", ",z")
    (root / "points.csv").write_text(space)
    (root / "folder.csv").mkdir()
    assert formats.guess(str(root)) == "deeplabcut"
    with pytest.raises(ValueError, match=r"; top.csv may hold its labels. Let source.path name it"):
        project_labels.read(str(root))
    assert formats.guess(str(root / "top.csv")) == "deeplabcut"
    labels = project_labels.read(str(root / "top.csv"))
    np.testing.assert_equal(labels.keypoints[:, 0], fakes.points(6).reshape(6, -1, 2))
    assert formats.guess(str(root / "points.csv")) != "deeplabcut"


def test_a_table_of_several_animals_needs_no_config(root):
    lines = (root / "CollectedData.csv").read_text().splitlines()
    lines.insert(1, ",".join(["individuals", *["fly"] * 2 * len(fakes.BODYPARTS)]))
    (root / "CollectedData.csv").write_text("\n".join(lines))
    labels = project_labels.read(str(root))
    assert labels.individuals == ("fly",) and labels.bodyparts == fakes.BODYPARTS
    np.testing.assert_equal(labels.keypoints[:, 0], fakes.points(6).reshape(6, -1, 2))
