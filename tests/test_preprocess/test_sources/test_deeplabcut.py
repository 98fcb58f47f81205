import fakes
import numpy as np
import pytest

from beampose import formats
from beampose.formats.deeplabcut import project_labels
from beampose.preprocess.labels import ERROR, WARNING

NAMES = [f"labeled-data/cam1/img{i}.png" for i in range(3)]
CSV = f"labeled-data/cam1/CollectedData_{fakes.SCORER}.csv"
H5 = f"labeled-data/cam1/CollectedData_{fakes.SCORER}.h5"


@pytest.fixture
def root(tmp_path):
    return fakes.project(tmp_path / "reach-Ann")


def keypoints(labels) -> np.ndarray:
    return np.concatenate([item.keypoints for item in labels.items])


def whats(labels) -> list[str]:
    return [problem.what for problem in labels.problems]


def edit(root, old: str, new: str, file: str = CSV) -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))


def test_a_project_is_read_with_its_names(root):
    labels = project_labels.read(str(root))
    assert labels.bodyparts == fakes.BODYPARTS
    assert labels.scorer == fakes.SCORER
    assert labels.project == "reachJan7"
    assert labels.edges == (("nose", "ear"),)
    assert labels.problems == ()


def test_the_config_file_stands_for_its_project(root):
    assert len(formats.read("deeplabcut", str(root / "config.yaml")).items) == 3


@pytest.mark.parametrize("cut", ["/", "\\", ","])
def test_an_index_in_one_column_or_three_and_of_any_system_is_read(root, cut):
    names = [name.replace("/", cut) for name in NAMES]
    (root / CSV).write_text(fakes.csv_text(names, fakes.points()))
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert [item.name for item in labels.items] == NAMES
    assert [item.image for item in labels.items] == [f"{root}/{name}" for name in NAMES]
    assert labels.problems == ()


@pytest.mark.parametrize("layout", ["table", "fixed"])
def test_h5_of_both_layouts_is_read(root, layout):
    fakes.table(NAMES, fakes.points()).to_hdf(root / H5, key="a", mode="w", format=layout)
    (root / CSV).unlink()
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert [item.name for item in labels.items] == NAMES
    assert labels.problems == ()


def test_h5_is_used_where_the_csv_says_something_else(root):
    fakes.table(NAMES, fakes.points() + 1).to_hdf(root / H5, key="a", mode="w")
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points() + 1)
    assert ["csv holds other labels" in what for what in whats(labels)] == [True]


def test_csv_and_h5_with_rows_in_another_order_agree(root):
    fakes.table(NAMES[::-1], fakes.points()[::-1]).to_hdf(root / H5, key="a", mode="w")
    assert project_labels.read(str(root)).problems == ()


def test_a_broken_h5_falls_back_to_the_csv(root):
    (root / H5).write_bytes(b"broken")
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    (problem,) = labels.problems
    assert (problem.level, problem.file) == (WARNING, str(root / H5))


def test_a_broken_h5_without_a_csv_is_an_error_and_other_folders_stay(root):
    fakes.project(root, video="cam2")
    (root / CSV).unlink()
    (root / H5).write_bytes(b"broken")
    labels = project_labels.read(str(root))
    assert {item.video for item in labels.items} == {"cam2"}
    assert [(p.level, p.file) for p in labels.problems] == [(ERROR, str(root / H5))]


def test_an_h5_of_several_animals_falls_back_to_the_csv(root):
    import pandas as pd

    table = fakes.table(NAMES, fakes.points())
    table.columns = pd.MultiIndex.from_tuples([(s, "ind1", *rest) for s, *rest in table.columns])
    table.to_hdf(root / H5, key="a", mode="w")
    labels = project_labels.read(str(root))
    assert len(labels.items) == 3
    assert [problem.file for problem in labels.problems] == [str(root / H5)]


def test_columns_are_found_by_name_and_not_by_order(root):
    order = ("tail", "nose", "ear")
    moved = fakes.points()[:, [2, 0, 1]]
    (root / CSV).write_text(fakes.csv_text(NAMES, moved, bodyparts=order))
    np.testing.assert_array_equal(keypoints(project_labels.read(str(root))), fakes.points())


def test_y_before_x_is_understood(root):
    edit(root, "coords,x,y,x,y,x,y", "coords,y,x,y,x,y,x")
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points()[..., ::-1])


def test_bodyparts_asked_for_choose_and_order(root):
    labels = project_labels.read(str(root), bodyparts=["tail", "nose"])
    np.testing.assert_array_equal(keypoints(labels), fakes.points()[:, [2, 0]])


def test_a_renamed_video_folder_gives_its_own_name(root):
    (root / "labeled-data/cam1").rename(root / "labeled-data/left")
    item = project_labels.read(str(root)).items[2]
    assert item.video == "left"
    assert item.name == "labeled-data/left/img2.png"
    assert item.image == f"{root}/labeled-data/left/img2.png"


def test_stale_places_in_the_config_are_not_used(root):
    edit(root, "/nowhere/reach-Ann", "/etc", "config.yaml")
    labels = project_labels.read(str(root))
    assert all(item.image.startswith(f"{root}/") for item in labels.items)
    assert {item.video for item in labels.items} == {"cam1"}


def test_labels_by_another_scorer_are_a_problem_of_the_folder(root):
    edit(root, "scorer: Ann", "scorer: Bob", "config.yaml")
    labels = project_labels.read(str(root))
    (problem,) = labels.problems
    assert labels.items == ()
    assert (problem.level, problem.file) == (ERROR, f"{root}/labeled-data/cam1")
    assert "config.yaml says 'Bob', the folder has CollectedData_Ann" in problem.what


def test_the_scorer_asked_for_replaces_that_of_the_config(root):
    edit(root, "scorer: Ann", "scorer: Bob", "config.yaml")
    labels = project_labels.read(str(root), scorer="Ann")
    assert (labels.scorer, len(labels.items)) == ("Ann", 3)


def test_columns_by_another_scorer_are_told_and_used(root):
    edit(root, ",Ann", ",Bob")
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert ["columns are by Bob, config says Ann" in what for what in whats(labels)] == [True]


def test_an_unknown_bodypart_is_told_and_left_out(root):
    edit(root, "- ear\n- tail", "- tail", "config.yaml")
    edit(root, "- - nose\n  - ear", "- - nose\n  - tail", "config.yaml")
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points()[:, [0, 2]])
    assert ["unknown bodypart 'ear'" in what for what in whats(labels)] == [True]


def test_a_bodypart_without_columns_is_not_labeled(root):
    parts = ["nose", "whisker", "ear", "tail"]
    labels = project_labels.read(str(root), bodyparts=parts)
    assert np.isnan(keypoints(labels)[:, 1]).all()
    np.testing.assert_array_equal(keypoints(labels)[:, [0, 2, 3]], fakes.points())
    assert ["'whisker' of config.yaml has no columns" in what for what in whats(labels)] == [True]


def test_a_cell_that_is_no_number_costs_its_row_only(root):
    edit(root, "11.25", "elf")
    labels = project_labels.read(str(root))
    (problem,) = labels.problems
    # Three rows of header, then img0 in row 4 and img1 in row 5.
    assert (problem.level, problem.file, problem.row) == (ERROR, str(root / CSV), 5)
    assert "'elf', which is not a number" in problem.what
    assert [(item.name, item.row) for item in labels.items] == [(NAMES[0], 4), (NAMES[2], 6)]
    np.testing.assert_array_equal(keypoints(labels), fakes.points()[[0, 2]])


def test_empty_lines_count_as_an_editor_counts_them(root):
    edit(root, NAMES[1], "\n\n" + NAMES[1])
    assert [item.row for item in project_labels.read(str(root)).items] == [4, 7, 8]


def test_a_row_with_too_many_values_is_a_problem(root):
    with (root / CSV).open("a") as file:
        file.write("labeled-data/cam1/img9.png,1,2,3,4,5,6,7\n")
    labels = project_labels.read(str(root))
    assert len(labels.items) == 3
    assert [(p.row, p.what) for p in labels.problems] == [
        (7, "has 7 values for 6 columns; the row is not used")
    ]


def test_empty_cells_are_not_labeled(root):
    found = keypoints(project_labels.read(str(root)))
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 1, 0], [1, 1, 1]]


def test_one_coordinate_is_no_point(root):
    edit(root, "30.75,", ",")
    labels = project_labels.read(str(root))
    assert np.isnan(keypoints(labels)[0, 2]).all()
    np.testing.assert_array_equal(keypoints(labels)[0, :2], fakes.points()[0, :2])
    (problem,) = labels.problems
    assert (problem.row, problem.image) == (4, NAMES[0])
    assert "tail has only one of x and y" in problem.what


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "C:\\secret.png", "labeled-data/cam1/..", ".."]
)
def test_a_path_out_of_the_project_is_rejected(root, name):
    edit(root, NAMES[1], name)
    labels = project_labels.read(str(root))
    assert [item.name for item in labels.items] == [NAMES[0], NAMES[2]]
    (problem,) = labels.problems
    assert (problem.level, problem.row, problem.image) == (ERROR, 5, name)


def test_a_csv_written_on_windows_is_read(root):
    text = (root / CSV).read_text()
    (root / CSV).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert [item.row for item in labels.items] == [4, 5, 6]


def test_a_csv_with_individuals_is_refused(root):
    edit(root, "bodyparts,", "individuals,a,a,a,a,a,a\nbodyparts,")
    labels = project_labels.read(str(root))
    assert labels.items == ()
    assert ["several animals" in what for what in whats(labels)] == [True]


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n"])
def test_a_csv_without_its_header_is_a_problem(root, text):
    (root / CSV).write_text(text)
    labels = project_labels.read(str(root))
    assert labels.items == ()
    assert [(p.level, p.file) for p in labels.problems] == [(ERROR, str(root / CSV))]
    assert "must begin with rows scorer" in labels.problems[0].what


def test_an_unclosed_quote_is_a_problem_and_not_a_crash(root):
    edit(root, NAMES[2], '"' + NAMES[2])
    with (root / CSV).open("a") as file:
        file.write("1,2,3,4,5,6\n" * 20_000)
    labels = project_labels.read(str(root))
    assert {problem.file for problem in labels.problems} == {str(root / CSV)}
    assert {problem.level for problem in labels.problems} == {ERROR}


def test_a_config_of_an_old_age_is_read(root):
    edit(root, "multianimalproject: null\n", "resnet:\n", "config.yaml")
    edit(root, "skeleton:\n- - nose\n  - ear\n", "", "config.yaml")
    labels = project_labels.read(str(root))
    assert len(labels.items) == 3
    assert labels.edges == ()


def test_a_config_of_a_later_age_is_read(tmp_path):
    config = {"multianimalproject": False, "identity": None, "engine": "pytorch", "later": {"a": 1}}
    assert len(project_labels.read(str(fakes.project(tmp_path, config=config))).items) == 3


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


def test_a_missing_project_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="No DeepLabCut project"):
        project_labels.read(str(tmp_path / "absent"))


def test_a_project_without_labeled_frames_is_not_found(tmp_path):
    (tmp_path / "config.yaml").write_text("bodyparts: [nose]\nscorer: Ann\n")
    with pytest.raises(FileNotFoundError, match="no labeled frames"):
        project_labels.read(str(tmp_path))


REAL = {
    "openfield-Pranav-2018-10-30": (116, 4, 0.0),
    "Reaching-Mackenzie-2018-08-30": (55, 5, 0.15),
    "golden_mouse-shaokai-2022-10-19": (5, 27, None),
}


@pytest.mark.parametrize("name", REAL)
def test_real_projects_have_their_known_labels(shared_data, name):
    frames, bodyparts, missing = REAL[name]
    labels = project_labels.read(str(shared_data / name))
    found = keypoints(labels)
    assert found.shape == (frames, bodyparts, 2)
    assert labels.problems == ()
    if missing is not None:
        assert np.isnan(found).mean() == pytest.approx(missing, abs=0.005)


@pytest.mark.parametrize("name", REAL)
def test_csv_and_h5_of_real_projects_say_the_same(shared_data, name, tmp_path):
    root = shared_data / name
    sides = {}
    for suffix in (".csv", ".h5"):
        copy = tmp_path / suffix[1:]
        for file in [root / "config.yaml", *root.glob(f"labeled-data/*/CollectedData_*{suffix}")]:
            place = copy / file.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
        sides[suffix] = project_labels.read(str(copy))
    names = [[item.name for item in labels.items] for labels in sides.values()]
    assert names[0] == names[1]
    np.testing.assert_allclose(keypoints(sides[".csv"]), keypoints(sides[".h5"]), atol=1e-6)


def test_the_first_real_keypoint_is_the_one_clicked(shared_data):
    item = project_labels.read(str(shared_data / "openfield-Pranav-2018-10-30")).items[0]
    assert item.name == "labeled-data/m4s1/img0000.png"
    np.testing.assert_allclose(item.keypoints[0, 0], [21.521, 265.428], atol=1e-3)


def german(text: str) -> str:
    """The text as a German spreadsheet program saves it."""
    rows = [row.split(",") for row in text.splitlines()]
    return "\r\n".join(";".join([r[0], *(c.replace(".", ",") for c in r[1:])]) for r in rows)


@pytest.mark.parametrize("cut", [";", "\t"])
def test_decimal_commas_are_read_where_another_separator_stands(root, cut):
    text = german((root / CSV).read_text()).replace(";", cut)
    (root / CSV).write_text(text)
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


@pytest.mark.parametrize("nothing", ["NA", "N/A", "None", "nan", "NULL", "#N/A", "<NA>", " "])
def test_words_for_no_number_are_not_labeled(root, nothing):
    edit(root, ",,", f",{nothing},{nothing}")
    labels = project_labels.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


@pytest.mark.parametrize("odd", ["1_0", "0x10", "1e99999", "1.234,5", "infinity"])
def test_what_only_python_or_nobody_takes_for_a_number_is_none(root, odd):
    edit(root, "11.25", f'"{odd}"')
    (problem,) = project_labels.read(str(root)).problems
    assert f"holds {odd!r}, which is not a number" in problem.what


def letters(root, config: str, csv: str):
    edit(root, "ear", "Öhrchen", "config.yaml")
    edit(root, "ear", "Öhrchen")
    for file, encoding in (("config.yaml", config), (CSV, csv)):
        (root / file).write_bytes((root / file).read_text("utf-8").encode(encoding))
    return project_labels.read(str(root))


@pytest.mark.parametrize("csv", ["utf-8", "utf-8-sig", "utf-16"])
def test_letters_are_read_in_every_encoding_that_says_itself(root, csv):
    labels = letters(root, "utf-8", csv)
    assert labels.bodyparts == ("nose", "Öhrchen", "tail")
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert labels.problems == ()


@pytest.mark.parametrize("csv", ["utf-8", "cp1252"])
def test_a_config_of_windows_vouches_for_its_csv_files(root, csv):
    labels = letters(root, "cp1252", csv)
    assert labels.bodyparts == ("nose", "Öhrchen", "tail")
    np.testing.assert_array_equal(keypoints(labels), fakes.points())
    assert whats(labels) == [
        "is not UTF-8: read as Windows-1252, with the csv files of the project"
    ]


def test_a_csv_of_windows_beside_a_config_in_utf_8_is_refused(root):
    labels = letters(root, "utf-8", "cp1252")
    assert labels.items == ()
    (problem,) = labels.problems
    assert problem.level == ERROR
    assert "is not UTF-8 (line 2 has the byte 0xd6)" in problem.what


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
    assert "1 images are not beside it but in the folders of their rows" in whats(labels)[0]
    # A name alone is not enough.
    edit(root, "labeled-data/cam2/img7.png", "labeled-data/cam3/img7.png")
    (found,) = [item for item in project_labels.read(str(root)).items if item.row == 6]
    assert found.image == f"{root}/labeled-data/cam1/img7.png"


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
    what = "1 label files lie in no folder of a video and are not read, such as"
    assert f"{what} {inner}" in whats(labels)
