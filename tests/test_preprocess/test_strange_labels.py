"""Labels that do not fit their images, or that nobody asked for: each has a line."""

import json
import os

import fake_labels
import fakes
import numpy as np
import pytest
from PIL import Image

from beampose import formats
from beampose.formats.deeplabcut import project_labels
from beampose.formats.sleap import slp_reader
from beampose.preprocess import exif, images, validate


def said(labels):
    report = validate.report(labels, ["train"] * len(labels.items))
    return [problem.what for problem in report.problems]


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_tiff_is_read_as_stored_whatever_its_orientation(tmp_path, turn):
    pixels = fakes.pixels(0)
    Image.fromarray(pixels).save(tmp_path / "a.tif", tiffinfo={274: turn})
    found, told = images.load(str(tmp_path / "a.tif"))
    np.testing.assert_array_equal(found, pixels)
    assert told == turn
    with open(tmp_path / "a.tif", "rb") as stream:
        photo = images.photo(stream)
    np.testing.assert_array_equal(photo.pixels, exif.upright(pixels, turn))


def test_labels_on_a_stack_of_pages_are_said_to_be_of_the_first(tmp_path):
    root = fakes.project(tmp_path / "p")
    pages = [Image.fromarray(fakes.pixels(i + 20)) for i in range(2)]
    place = root / "labeled-data/cam1"
    pages[0].save(place / "img0.tif", save_all=True, append_images=pages[1:])
    csv = place / "CollectedData_Ann.csv"
    csv.write_text(csv.read_text().replace("img0.png", "img0.tif"))
    assert "is a stack of several pages, of which the first is used" in said(
        project_labels.read(str(root))
    )


def changed(root, change):
    path = fake_labels.coco(root)
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    return formats.read("coco", str(path))


def test_a_coco_file_of_larger_images_is_told(tmp_path):
    labels = changed(tmp_path / "a", lambda c: c["images"][0].update(width=600, height=400))
    assert any("than the labels say, 60x40 for 600x400" in what for what in said(labels))
    labels = changed(tmp_path / "b", lambda c: c["images"][0].update(width=60, height=40))
    assert said(labels) == []


def test_coordinates_as_shares_of_the_image_are_no_pixels(tmp_path):
    def shrink(told):
        for one in told["annotations"]:
            values = np.reshape(one["keypoints"], (-1, 3)) / [60, 40, 1]
            one["keypoints"] = values.ravel().tolist()

    assert any("as shares of an image do" in what for what in said(changed(tmp_path / "a", shrink)))


def test_a_crowd_is_one_by_its_number_whatever_its_type(tmp_path):
    def change(told):
        for one, word in zip(told["annotations"], ["0", 0.0, "1"], strict=True):
            one["iscrowd"] = word

    labels = changed(tmp_path / "a", change)
    assert len(labels.items) == 1
    assert np.isfinite(labels.items[0].keypoints).any(axis=(1, 2)).sum() == 2


def test_label_files_of_others_in_a_folder_are_named(tmp_path):
    root = fakes.project(tmp_path / "p")
    place = root / "labeled-data/cam1"
    text = (place / "CollectedData_Ann.csv").read_text()
    (place / "CollectedData_Bob.csv").write_text(text.replace("Ann", "Bob"))
    (place / "CollectedData_Ann - Copy.csv").write_text(text)
    (what,) = [problem.what for problem in project_labels.read(str(root)).problems]
    assert "Ann - Copy (1), Bob (1) are there and not read" in what
    assert project_labels.read(str(root), scorer="Ann").problems == ()


def test_points_in_the_corner_are_counted_in_a_line(tmp_path):
    root = fakes.project(tmp_path / "p")
    points = fakes.points()
    points[:2, 0] = 0
    names = [f"labeled-data/cam1/img{i}.png" for i in range(3)]
    (root / "labeled-data/cam1/CollectedData_Ann.csv").write_text(fakes.csv_text(names, points))
    (what,) = said(project_labels.read(str(root)))
    assert "points at exactly (0, 0)" in what
    assert "2 in 2 images" in what


def test_names_that_look_alike_are_not_said_to_differ_in_case(tmp_path):
    root = fakes.project(tmp_path / "p", config={"bodyparts": ["u\u0308", "ear", "tail"]})
    csv = root / "labeled-data/cam1/CollectedData_Ann.csv"
    csv.write_text(csv.read_text().replace("nose", "\u00fc"))
    assert any("they look alike" in p.what for p in project_labels.read(str(root)).problems)


def test_16_bit_images_of_low_values_are_told_to_be_nearly_black(tmp_path):
    root = fakes.project(tmp_path / "p")
    image = root / "labeled-data/cam1/img1.png"
    dark = fakes.pixels(1)[..., 0].astype(np.uint16) * 4
    image.write_bytes(fakes.encode(Image.fromarray(dark)))
    labels = project_labels.read(str(root))
    found = validate.report(labels, ["train", "train", "test"])
    (problem,) = found.problems
    assert (problem.level, problem.row) == ("warning", 5)
    assert "is nearly black: its brightest value is 3 of 255" in problem.what
    assert all(found.usable)


def test_a_sleap_file_without_the_images_it_says_it_holds_is_told(tmp_path):
    file = tmp_path / "a.slp"
    video = {"backend": {"filename": ".", "dataset": "video0/video"}}
    fake_labels.slp(file, [(0, 0, [(0, -1, fakes.points()[0])])], videos=[video])
    (problem,) = slp_reader.read(str(file)).problems
    assert "should hold its own images (video0/video)" in problem.what
    assert "1 label is not used" in problem.what


def test_a_scorer_whose_letters_are_composed_in_another_way_is_told(tmp_path):
    folder = fakes.project(tmp_path, config={"scorer": "\xc4nn"}) / "labeled-data/cam1"
    (folder / "CollectedData_Ann.csv").rename(folder / "CollectedData_A\u0308nn.csv")
    (problem,) = project_labels.read(str(tmp_path)).problems
    assert "an accent is a letter of its own in one of them: copy the name" in problem.what


def test_points_of_a_network_alone_are_told_to_be_no_labels(tmp_path):
    folder = fakes.project(tmp_path) / "labeled-data/cam1"
    (folder / "CollectedData_Ann.csv").rename(folder / "machinelabels-iter0.csv")
    (problem,) = project_labels.read(str(tmp_path)).problems
    assert "machinelabels-iter0.csv is what a network found" in problem.what


def test_what_is_no_project_of_labels_is_named(tmp_path):
    fakes.project(tmp_path / "reach/reach")
    with pytest.raises(FileNotFoundError, match="But [^ ]*/reach/reach holds labels, of format d"):
        formats.read("deeplabcut", str(tmp_path / "reach"))
    (tmp_path / "reach.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"reach.zip is a file, .*a zip must be unpacked first"):
        formats.read("deeplabcut", str(tmp_path / "reach.zip"))
    with pytest.raises(ValueError, match="is a file, and of no format of labels that is known"):
        formats.read("imagej", str(tmp_path / "reach.zip"))
    (tmp_path / "config.yaml").write_text("Task: x\nscorer: Ann\ncamera_names: [camera-1]\n")
    with pytest.raises(ValueError, match="project in 3D, which has no labels of its own"):
        formats.read("deeplabcut", str(tmp_path))


def test_frames_of_a_folder_whose_name_is_in_no_encoding_are_told(tmp_path):
    folder = fakes.project(tmp_path) / "labeled-data/cam1"
    try:
        folder.rename(folder.parent / os.fsdecode(b"k\xe4fer"))
    except OSError:
        pytest.skip("this disk has no such names")
    labels = formats.read("deeplabcut", str(tmp_path))
    (problem,) = labels.problems
    assert not labels.items and problem.what.startswith("3 images have a name in no encoding")


def test_labels_in_a_folder_that_is_none_of_labels_are_named(tmp_path):
    fakes.label_folder(tmp_path / "far", "cam1")
    table = tmp_path / "far/labeled-data/cam1/mine.csv"
    table.write_text(fakes.csv_text([f"img{i}.png" for i in range(3)], fakes.points()))
    for folder in (table.parent, table.parent.parent):
        with pytest.raises(FileNotFoundError, match="mine.csv holds labels, of format deeplabcut"):
            formats.read("imagej", str(folder))
    told = [{"filename": "a.png", "class": "image", "annotations": []}]
    (tmp_path / "far/labels.json").write_text(json.dumps(told))
    with pytest.raises(FileNotFoundError, match=r"In it [^ ]*labels.json is not COCO: .*AlphaTra"):
        formats.read("imagej", str(tmp_path / "far"))


def test_a_folder_of_a_project_of_several_animals_names_the_project(tmp_path):
    fakes.animals(tmp_path / "several", np.ones((2, 3, 4, 2)) * 7)
    folder = tmp_path / "several/labeled-data/cam1"
    with pytest.raises(ValueError, match=r"Name the project, [^ ]*/several, whose folders are re"):
        formats.read(formats.guess(str(folder)), str(folder))
