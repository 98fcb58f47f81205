import fakes
import numpy as np
import pytest
from reach_project import CSV, NAMES, edit, keypoints, whats

from beampose.formats.deeplabcut import project_labels
from beampose.preprocess.labels import ERROR, WARNING

H5 = f"labeled-data/cam1/CollectedData_{fakes.SCORER}.h5"


def test_a_project_is_read_with_its_names(root):
    labels = project_labels.read(str(root))
    assert labels.bodyparts == fakes.BODYPARTS
    assert labels.scorer == fakes.SCORER
    assert labels.project == "reachJan7"
    assert labels.edges == (("nose", "ear"),)
    assert labels.problems == ()


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
    (problem,) = labels.problems
    assert problem.row == 7
    assert problem.what.startswith("has 8 cells where the header has 7: which is too many")
    assert problem.what.endswith("; the row is not used")


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


def test_a_config_of_a_later_age_is_read(tmp_path):
    config = {"multianimalproject": False, "identity": None, "engine": "pytorch", "later": {"a": 1}}
    assert len(project_labels.read(str(fakes.project(tmp_path, config=config))).items) == 3
