"""Images that are not there, or are no images, are told once for a label file."""

import fakes
import pytest

from beampose import formats
from beampose.preprocess import missing_images, validate
from beampose.preprocess.labels import ERROR, Problem


def test_pointers_that_stand_for_images_are_one_line(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    for place in fakes.label_folder(fakes.project(tmp_path)).glob("*.png"):
        place.write_bytes(pointer)
    labels = formats.read("deeplabcut", str(tmp_path))
    found = [p.what for p in validate.report(labels, ["train"] * 3).problems if p.level == ERROR]
    told = [what for what in found if "git lfs pull" in what]
    assert len(told) == 1 and told[0].endswith("and 2 more (all 3 labeled images)")


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (".img0.png.icloud", "There is only its placeholder .img0.png.icloud: iCloud has not"),
        ("img0.png.part", "There is only its placeholder img0.png.part: its download has not"),
        ("IMG0.png", "differ in upper and lower case"),
    ],
)
def test_what_is_there_instead_is_named(tmp_path, left, told):
    (tmp_path / left).touch()
    what = missing_images.what(str(tmp_path / "img0.png"))
    (found,) = missing_images.together([Problem(ERROR, "a.csv", 4, "img0.png", what)], 3)
    assert told in found.what


def test_rows_that_are_numbers_are_told(tmp_path):
    what = missing_images.what(str(tmp_path / "0"))
    (found,) = missing_images.together([Problem(ERROR, "a.h5", 1, "0", what)], 1)
    assert "Every row must name the file of an image" in found.what


def test_an_image_that_is_listed_and_not_given_is_not_said_to_have_another_name(buckets):
    buckets.put("gs://lab/img0.png", b"")
    what = missing_images.what("gs://lab/img0.png")
    (found,) = missing_images.together([Problem(ERROR, "a.csv", 4, "img0.png", what)], 3)
    assert found.what.endswith(". img0.png was there when its folder was listed: run it again")
