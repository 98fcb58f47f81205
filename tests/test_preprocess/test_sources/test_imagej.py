import fake_labels
import fakes
import numpy as np
import pytest

from beampose import formats
from beampose.formats.imagej import imagej_reader, myconfig
from beampose.preprocess.labels import ERROR, WARNING


@pytest.fixture
def root(tmp_path):
    return fake_labels.imagej(tmp_path / "data-reach")


def keypoints(labels) -> np.ndarray:
    return np.concatenate([item.keypoints for item in labels.items])


def whats(labels):
    return [problem.what for problem in labels.problems]


@pytest.mark.parametrize("cut", ["\t", ",", ";"])
def test_tables_are_read_in_natural_order_and_the_order_of_clicks(tmp_path, cut):
    labels = imagej_reader.read(str(fake_labels.imagej(tmp_path / "data-reach", cut=cut)))
    assert labels.bodyparts == fakes.BODYPARTS
    np.testing.assert_array_equal(keypoints(labels), fakes.points() + 20)
    names = [f"labeled-data/cam1/{name}.png" for name in ("img1", "img2", "img10")]
    assert [item.name for item in labels.items] == names
    assert (labels.project, labels.problems) == ("reach", ())


def test_bodyparts_asked_for_choose_and_order(root):
    labels = formats.read("imagej", str(root), bodyparts=["tail", "nose"])
    np.testing.assert_array_equal(keypoints(labels), (fakes.points() + 20)[:, [2, 0]])
    assert ["'ear', which is not among the bodyparts" in what for what in whats(labels)] == [True]


def cycle(root, points=None, *, order="images"):
    """One table for all bodyparts."""
    points = fakes.points() + 20 if points is None else points
    points = np.nan_to_num(points, nan=3.0)
    lines = ["X,Y,Slice"]
    for i, image in enumerate(points):
        lines += [f"{x},{y},{i + 1 if order == 'images' else 1}" for x, y in image.tolist()]
    for name in fakes.BODYPARTS:
        (root / "cam1" / f"{name}.csv").unlink()
    (root / "cam1" / "Results.csv").write_text("\n".join(lines))


@pytest.mark.parametrize("order", ["images", "none"])
def test_one_table_cycles_over_the_bodyparts(root, order):
    cycle(root, order=order)
    labels = imagej_reader.read(str(root), bodyparts=list(fakes.BODYPARTS))
    np.testing.assert_array_equal(keypoints(labels), fakes.points() + 20)
    assert whats(labels) == ["1 point lies in the corner (x and y below 10): they mean not visible"]


def test_one_table_without_names_asks_for_them(root):
    cycle(root)
    with pytest.raises(ValueError, match=r"3 points an image.*source.bodyparts"):
        imagej_reader.read(str(root))


def test_an_image_with_another_number_of_points_is_not_used(root):
    cycle(root)
    file = root / "cam1/Results.csv"
    file.write_text(file.read_text() + "\n50,30,2\n")
    labels = imagej_reader.read(str(root), bodyparts=list(fakes.BODYPARTS))
    assert [item.name[-8:] for item in labels.items] == ["img1.png", "mg10.png"]
    assert "4 points for image 2, of 3 bodyparts; not used" in whats(labels)


def test_the_corner_means_not_visible_only_where_both_are_in_it(root):
    points = np.array([[9.9, 9.9], [9.9, 10.0], [10.0, 0.0]])
    (root / "cam1/nose.csv").write_text(fake_labels.imagej_table(points))
    found = keypoints(imagej_reader.read(str(root)))[:, 0]
    np.testing.assert_array_equal(found, [[np.nan, np.nan], *points[1:]])


def test_a_slice_beyond_the_images_and_words_are_problems_of_their_rows(root):
    file = root / "cam1/nose.csv"
    file.write_text(file.read_text() + "9\t0\t1\t1\t1\t5\t5\t4\n10\t0\t1\t1\t1\telf\t5\t3\n")
    labels = imagej_reader.read(str(root))
    assert len(labels.items) == 3
    # A header, three rows, and these two.
    assert [(p.level, p.row) for p in labels.problems] == [(ERROR, 6), (ERROR, 5)]


def test_a_point_clicked_twice_is_not_guessed(root):
    file = root / "cam1/nose.csv"
    file.write_text(file.read_text() + "9\t0\t1\t1\t1\t55\t35\t2\n")
    labels = imagej_reader.read(str(root))
    assert np.isnan(keypoints(labels)[1, 0]).all()
    assert whats(labels) == ["2 points for image 2, of 1 bodypart; not used"]


def test_a_table_without_its_columns_is_told_and_the_others_are_read(root):
    (root / "cam1/ear.csv").write_text("Area,Mean,X\n1,2,3\n")
    labels = imagej_reader.read(str(root))
    assert labels.bodyparts == ("nose", "tail")
    (problem,) = labels.problems
    assert (problem.level, problem.row) == (ERROR, 1)
    assert "has no column Y" in problem.what


def test_images_nobody_clicked_are_counted(root):
    (root / "cam1/img11.png").write_bytes(fakes.encode(fakes.pixels(5)))
    labels = imagej_reader.read(str(root))
    assert len(labels.items) == 3
    assert whats(labels) == ["1 of 4 images has no point in any table; not used"]


def test_drawings_and_copies_are_not_read(root):
    for name in ("UnaugmentedDataSet_x", "cam1_labeled", ".hidden"):
        fake_labels.imagej(root / name, video="again" if name[0] == "." else "cam1")
    fake_labels.imagej(root.parent / "x", video="cam1-labeled")
    assert len(imagej_reader.read(str(root)).items) == 3


def test_a_folder_without_tables_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder with images and ImageJ tables"):
        imagej_reader.read(str(tmp_path))


SETTINGS = """
# -*- coding: utf-8 -*-
Task = 'reach'
date = "Jan30"
scorer = 'Ann'
bodyparts = ["tail",
    "nose", "ear"]
invisibleboundary = 40
videopath = '../' + 'videos'
import os
print(open("ran", "w"))
"""


def test_the_configuration_of_version_1_is_read(root):
    (root.parent / myconfig.NAME).write_text(SETTINGS)
    labels = imagej_reader.read(str(root))
    assert labels.bodyparts == ("tail", "nose", "ear")
    assert (labels.project, labels.scorer) == ("reachJan30", "Ann")
    # x is up to 32, y up to 27 for the nose; only the tail goes beyond 40.
    found = keypoints(labels)
    assert np.isnan(found[:, 1]).all()
    assert not np.isnan(found[:, 0]).any()


def test_the_configuration_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / myconfig.NAME).write_text(SETTINGS)
    myconfig.read(str(tmp_path / myconfig.NAME))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("bodyparts = [open('ran', 'w')]", "bodyparts must be a plain value"),
        ("bodyparts = 'hand'", "bodyparts must be list"),
        ("bodyparts = [", "is not Python"),
        ("Task = " + "(" * 5000, "is not Python"),
        ("invisibleboundary = 'ten'", "invisibleboundary must be int"),
    ],
)
def test_a_configuration_that_is_no_list_of_values_is_refused(tmp_path, text, what):
    (tmp_path / myconfig.NAME).write_text(text)
    with pytest.raises(ValueError, match=what):
        myconfig.read(str(tmp_path / myconfig.NAME))


def test_a_real_project_of_version_1_equals_what_deeplabcut_made_of_it(shared_data):
    import pandas as pd

    root = shared_data / "v1-reachingJan30"
    labels = formats.read("imagej", str(root))
    (file,) = root.glob("Unaugmented*/*/CollectedData_*.csv")
    wanted = pd.read_csv(file, header=[0, 1, 2], index_col=0)
    assert [item.name for item in labels.items] == [f"labeled-data/{n}" for n in wanted.index]
    assert labels.bodyparts == tuple(dict.fromkeys(wanted.columns.get_level_values(1)))
    np.testing.assert_array_equal(keypoints(labels).reshape(20, -1), wanted.to_numpy())
    assert labels.problems == ()


def test_warnings_do_not_fail_a_check(root):
    cycle(root)
    labels = imagej_reader.read(str(root), bodyparts=list(fakes.BODYPARTS))
    assert {problem.level for problem in labels.problems} == {WARNING}


@pytest.mark.parametrize("suffix", [".csv", ".h5"])
@pytest.mark.parametrize("name", ["CollectedData_Ann", "collected-data-Ann"])
def test_labels_version_1_converted_are_read_where_the_tables_are_gone(root, suffix, name):
    for part in fakes.BODYPARTS:
        (root / "cam1" / f"{part}.csv").unlink()
    names = ["cam1/img1.png", "../cam1/img2.png", "data-reach/cam1/img10.png"]
    if suffix == ".csv":
        (root / f"{name}.csv").write_text(fakes.csv_text(names, fakes.points()))
    else:
        fakes.table(names, fakes.points()).to_hdf(root / f"{name}.h5", key="a", format="table")
    labels = formats.read("imagej", str(root.parent), bodyparts=["tail", "wing", "nose"])
    found = keypoints(labels)
    np.testing.assert_array_equal(found[:, [0, 2]], fakes.points()[[0, 2]][:, [2, 0]])
    assert [item.image for item in labels.items] == [
        f"{root}/cam1/img1.png",
        f"{root}/cam1/img10.png",
    ]
    assert labels.scorer == "Ann"
    assert whats(labels) == [
        "has no columns of 'wing'; taken as not labeled",
        "must name an image as <video>/<image>; the row is not used",
    ]


def test_two_converted_label_files_are_not_guessed_at(tmp_path):
    for name in ("Ann", "Bob"):
        text = fakes.csv_text(["cam1/img1.png"], fakes.points(1))
        (tmp_path / f"CollectedData_{name}.csv").write_text(text)
    with pytest.raises(ValueError, match="several label files"):
        imagej_reader.read(str(tmp_path))


def test_a_converted_label_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "CollectedData_Ann.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="CollectedData_Ann.csv: must begin"):
        imagej_reader.read(str(tmp_path))


def test_real_labels_version_1_converted_equal_the_tables(shared_data):
    root = shared_data / "v1-reachingJan30"
    one = formats.read("imagej", str(root))
    other = formats.read("imagej", str(root / "UnaugmentedDataSet_reachingJan30"))
    np.testing.assert_array_equal(keypoints(one), keypoints(other))
    assert [item.name for item in one.items] == [item.name for item in other.items]
    assert (other.bodyparts, other.scorer) == (one.bodyparts, "Mackenzie")


def test_images_without_a_table_are_told(tmp_path):
    fake_labels.imagej(tmp_path)
    (tmp_path / "cam2").mkdir()
    (tmp_path / "cam2/img1.png").write_bytes(fakes.encode(fakes.pixels(1)))
    labels = formats.read("imagej", str(tmp_path), bodyparts=list(fakes.BODYPARTS))
    (problem,) = [one for one in labels.problems if "no table" in one.what]
    assert (problem.file, problem.image) == (f"{tmp_path}/cam2", "img1.png")


def test_tables_in_millimetres_are_said_to_be_no_pixels(root):
    cycle(root, np.full((3, 3, 2), 0.25) + np.arange(3)[:, None, None] / 10)
    labels = imagej_reader.read(str(root), bodyparts=list(fakes.BODYPARTS))
    assert "These are all: if they are no pixels, remove the scale in ImageJ" in whats(labels)[0]


def named_table(root, column, cells, **others):
    """A table of the nose alone, whose rows tell their images in a column or two."""
    for name in fakes.BODYPARTS[1:]:
        (root / f"cam1/{name}.csv").unlink(missing_ok=True)
    head = [" ", column, *others, "X", "Y"]
    rows = [
        [str(i + 1), str(cell), *(str(own[i]) for own in others.values()), str(20 + i), str(30 + i)]
        for i, cell in enumerate(cells)
    ]
    (root / "cam1/nose.csv").write_text("\n".join("\t".join(row) for row in [head, *rows]))
    return imagej_reader.read(str(root))


def placed(labels):
    """The row of each image, by the image's name."""
    return {item.name[18:-4]: round(item.keypoints[0, 0, 0]) - 20 for item in labels.items}


BY_NAME = {"img1": 0, "img10": 1, "img2": 2}


@pytest.mark.parametrize(
    "form", ["{}.png", "{}", "cam1:{}", "stack.tif:0001-0034:{}.png", "C:\\lab\\{}.tif", "{}.png:a"]
)
@pytest.mark.parametrize("others", [{}, {"Slice": [1, 1, 1]}, {"Slice": [1, 3, 2]}])
def test_labels_name_the_images_of_rows_in_any_order(root, form, others):
    cells = [form.format(name) for name in BY_NAME]
    labels = named_table(root, "Label", cells, **others)
    assert placed(labels) == BY_NAME
    assert not labels.problems


def test_labels_of_some_images_are_of_these(root):
    labels = named_table(root, "Label", ["img10.png", "img1.png"])
    assert placed(labels) == {"img1": 1, "img10": 0}
    assert whats(labels) == ["1 of 3 images has no point in any table; not used"]


@pytest.mark.parametrize(
    ("column", "others"),
    [
        ("Frame", {}),
        ("Frame", {"Ch": [1, 1, 1], "Slice": [1, 1, 1]}),
        ("Position", {"T": [0.5, 1.0, 1.5]}),
        ("T", {}),
        ("Slice", {"Label": ["stack.tif"] * 3}),
        ("Slice", {"T": [7, 8, 9]}),
    ],
)
def test_frames_count_images_where_slices_do_not(root, column, others):
    labels = named_table(root, column, [3, 1, 2], **others)
    assert placed(labels) == {"img1": 1, "img2": 2, "img10": 0}
    assert not labels.problems


def test_numbers_of_slices_in_labels_count_images(root):
    cells = ["stack.tif:3", "stack.tif:1", "stack.tif:2"]
    assert placed(named_table(root, "Label", cells)) == {"img1": 1, "img2": 2, "img10": 0}


@pytest.mark.parametrize(("slices", "wanted"), [([2, 3], "23"), ([3, 4], "34"), (None, "")])
def test_a_number_in_labels_that_is_also_a_name_is_not_guessed(root, slices, wanted):
    for i in range(4):
        (root / f"cam1/img{i}.png").unlink(missing_ok=True)
        (root / f"cam1/{i}.png").write_bytes(fakes.encode(fakes.pixels(i)))
    (root / "cam1/img10.png").unlink()
    # Slice 3 of 0.png, 1.png, … is 2.png.
    labels = named_table(root, "Label", ["s:2", "s:3"], **({"Slice": slices} if slices else {}))
    assert "".join(item.name[-5] for item in labels.items) == (
        "".join(str(int(one) - 1) for one in wanted)
    )
    assert any("'s:2', which may be 2.png or image 2" in what for what in whats(labels)) == (
        slices is None
    )


@pytest.mark.parametrize(
    ("cells", "others", "what"),
    [
        (["img1", "img2", "img3"], {}, "Label 'img3' names no image of the folder; not used"),
        (["img1", "img2", ""], {}, "has an empty Label, where others name images; not used"),
        (
            ["img1", "img2", "img10"],
            {"Slice": [1, 2, 1]},
            "Label 'img10' is img10.png and Slice 1 is img1.png: which is meant is not known",
        ),
        (["img1", "img2", "img10"], {"Frame": [1, 2, 9]}, "Frame 9 of 3 images; not used"),
        ([""] * 3, {"Slice": [1, 2, 3], "Frame": [1, 2, 1]}, "Slice 3 is img10.png and Frame 1"),
    ],
)
def test_a_row_that_names_two_images_or_none_is_not_used(root, cells, others, what):
    labels = named_table(root, "Label", cells, **others)
    assert placed(labels) == {"img1": 0, "img2": 1}
    (problem,) = [one for one in labels.problems if one.level == ERROR]
    assert what in problem.what and problem.row == 4


def test_one_image_that_label_and_slice_name_differently_is_not_used(root):
    assert not named_table(root, "Label", ["img1"], Slice=[3]).items
    assert placed(named_table(root, "Label", ["img10"], Slice=[1])) == {"img10": 0}


@pytest.mark.parametrize(
    ("column", "cells", "what"),
    [
        ("Frame", [0, 1, 2], "has a Frame of 0, and ImageJ counts from 1"),
        ("Area", [0, 0], "has no column that names images (Label, Slice or Frame), and 2 rows"),
        ("Label", ["a", "b"], "has no column that names images"),
    ],
)
def test_rows_of_which_nobody_knows_the_image_are_not_used(root, column, cells, what):
    labels = named_table(root, column, cells)
    assert not labels.items
    assert what in whats(labels)[0] and labels.problems[0].level == ERROR


def test_labels_that_name_no_image_leave_the_order_of_rows_and_that_is_said(root):
    labels = named_table(root, "Label", ["a", "b", "c"])
    assert placed(labels) == {"img1": 0, "img2": 1, "img10": 2}
    assert "Label, such as 'a', names no image of the folder: rows are taken in" in whats(labels)[0]
    assert not named_table(root, "Label", ["cam1.avi"] * 3).problems


def copied(root, names=("img1", "img2", "img10"), scale=1):
    for i, name in enumerate(names):
        pixels = np.kron(fakes.pixels(i), np.ones((scale, scale, 1), np.uint8))
        (root / f"cam1/{name}.bmp").write_bytes(fakes.encode(pixels))


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("Slice", [1, 2, 3]),
        ("Area", [0, 0, 0]),
        ("Label", ["cam1:img1", "cam1:img2", "cam1:img10"]),
    ],
)
def test_images_that_were_copied_to_another_format_count_once(root, column, cells):
    copied(root)
    labels = named_table(root, column, cells)
    assert placed(labels) == {"img1": 0, "img2": 1, "img10": 2}
    (what,) = whats(labels)
    assert what.startswith("img1.bmp and img1.png lie there, and copies of 2 other images: the")
    assert "those ending with .png are used" in what


def test_copies_that_the_tables_name_or_count_are_images(root):
    copied(root)
    labels = named_table(root, "Label", ["img2.bmp", "img1.bmp"])
    assert [item.name[-8:] for item in labels.items] == ["img1.bmp", "img2.bmp"]
    labels = named_table(root, "Slice", [6, 1])
    assert [item.name[-9:] for item in labels.items] == ["/img1.bmp", "img10.png"]


def test_copies_are_refused_where_nobody_knows_what_the_tables_count(root):
    copied(root)
    with pytest.raises(ValueError, match="whether its tables count 3 images or all 6 is not known"):
        named_table(root, "Slice", [1, 2])
    copied(root, scale=2)
    with pytest.raises(ValueError, match="img1.bmp 120x80 and img1.png 60x40.*which of them was"):
        named_table(root, "Slice", [1, 2, 3])
    (root / "cam1/img1.png").rename(root / "cam1/img3.png")
    with pytest.raises(ValueError, match="no format has all 4 images. Move the copies to another"):
        named_table(root, "Slice", [1, 2, 3, 4])


def test_names_that_imagej_cut_are_known_where_one_image_begins_so(root):
    long = "a_camera_with_a_name_as_long_as_the_day_of_the_experiment_and_more"
    for number in (1, 2, 10):
        (root / f"cam1/img{number}.png").rename(root / f"cam1/img{number}_{long}.png")
    cells = [f"cam1:{f'{name}_{long}'[:60]}" for name in BY_NAME]
    labels = named_table(root, "Label", cells)
    found = {name.split("_")[0]: row for name, row in placed(labels).items()}
    assert (found, labels.problems) == (BY_NAME, ())


def test_of_two_tables_of_one_bodypart_the_second_is_told(root):
    nose = root / "cam1/nose.csv"
    (root / "cam1/nose.txt").write_text(nose.read_text().replace("\\t", " "))
    labels = imagej_reader.read(str(root))
    np.testing.assert_array_equal(keypoints(labels), fakes.points() + 20)
    (problem,) = labels.problems
    assert problem.file.endswith("nose.txt")
    assert "is of the same bodypart as nose.csv, which is used" in problem.what
