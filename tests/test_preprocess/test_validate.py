import dataclasses

import fakes
import numpy as np
import pytest
from PIL import Image

from beampose.preprocess import validate
from beampose.preprocess.labels import (
    ERROR,
    TEST,
    TRAIN,
    WARNING,
    LabeledCrop,
    LabeledFrame,
    Labels,
    Problem,
)


def frame(path, keypoints=None, row: int = 4) -> LabeledFrame:
    points = fakes.points(3)[:1] if keypoints is None else np.array([keypoints], float)
    return LabeledFrame(
        image=str(path), name=path.name, video="v", file="p/l.csv", row=row, keypoints=points
    )


def crop(path, label: int, row: int = 0) -> LabeledCrop:
    return LabeledCrop(
        image=str(path), name=path.name, video="v", file="p/list.csv", row=row, label=label
    )


def written(path, seed: int, data: bytes | None = None):
    path.write_bytes(data or fakes.encode(fakes.pixels(seed)))
    return path


def many_crops(tmp_path, positives: int, negatives: int) -> Labels:
    items = []
    for i in range(positives + negatives):
        items.append(crop(written(tmp_path / f"{i}.png", i), int(i >= positives)))
    return Labels(items=tuple(items), classes=("positive", "negative"))


def test_a_sound_frame_has_no_problem_and_its_pixels(tmp_path):
    item = frame(written(tmp_path / "a.png", 0))
    inspection, pixels = validate.inspect(item, fakes.BODYPARTS)
    assert inspection.problems == ()
    assert (inspection.height, inspection.width) == (fakes.HEIGHT, fakes.WIDTH)
    np.testing.assert_array_equal(pixels, fakes.pixels(0))


def test_a_missing_image_is_told_with_its_file_and_row(tmp_path):
    inspection, pixels = validate.inspect(frame(tmp_path / "absent.png", row=9), fakes.BODYPARTS)
    (problem,) = inspection.problems
    assert pixels is None
    assert problem[:4] == (ERROR, "p/l.csv", 9, "absent.png")
    assert "image missing" in problem.what


def test_a_folder_in_place_of_an_image_is_a_problem(tmp_path):
    (tmp_path / "a.png").mkdir()
    inspection, pixels = validate.inspect(frame(tmp_path / "a.png"), fakes.BODYPARTS)
    assert pixels is None
    assert "cannot be read" in inspection.problems[0].what


def test_a_truncated_image_is_a_problem(tmp_path):
    path = written(tmp_path / "a.png", 0, fakes.encode(fakes.pixels(0))[:2000])
    inspection, pixels = validate.inspect(frame(path), fakes.BODYPARTS)
    assert pixels is None
    assert inspection.digest == ""
    assert inspection.problems[0].level == ERROR
    assert "image cannot be decoded" in inspection.problems[0].what


def test_a_label_outside_loses_that_point_only(tmp_path):
    path = written(tmp_path / "a.png", 0)
    # x = 50 is inside the width of 60; y = 50 is outside the height of 40.
    item = frame(path, [[50, 30], [30, 50], [10, 5]])
    inspection, pixels = validate.inspect(item, fakes.BODYPARTS)
    np.testing.assert_array_equal(
        inspection.item.keypoints, [[[50, 30], [np.nan, np.nan], [10, 5]]]
    )
    assert pixels is not None
    (problem,) = inspection.problems
    assert problem.what.startswith("ear at (30, 50) lies outside the 60x40 image")


def test_inspecting_does_not_change_the_item(tmp_path):
    item = frame(written(tmp_path / "a.png", 0), [[50, 30], [30, 50], [10, 5]])
    validate.inspect(item, fakes.BODYPARTS)
    assert item.keypoints[0, 1].tolist() == [30, 50]


@pytest.mark.parametrize("point", [(-0.1, 5), (60, 5), (5, 40), (5, -1), (np.inf, 5)])
def test_points_beyond_any_border_are_outside(point):
    assert validate.outside(np.array([point]), fakes.HEIGHT, fakes.WIDTH).tolist() == [True]


@pytest.mark.parametrize("point", [(0, 0), (59.9, 39.9), (np.nan, np.nan)])
def test_points_within_and_missing_ones_are_not_outside(point):
    assert validate.outside(np.array([point]), fakes.HEIGHT, fakes.WIDTH).tolist() == [False]


def test_a_frame_without_any_label_is_not_used(tmp_path):
    item = frame(written(tmp_path / "a.png", 0), np.full((3, 2), np.nan))
    inspection, pixels = validate.inspect(item, fakes.BODYPARTS)
    assert pixels is None
    assert [(p.level, p.what) for p in inspection.problems] == [(WARNING, validate.NO_LABEL)]


def test_a_frame_that_loses_its_last_label_is_not_used(tmp_path):
    item = frame(written(tmp_path / "a.png", 0), [[99, 99], [np.nan] * 2, [np.nan] * 2])
    inspection, pixels = validate.inspect(item, fakes.BODYPARTS)
    assert pixels is None
    assert [p.level for p in inspection.problems] == [ERROR, WARNING]


def test_an_exif_orientation_is_worth_a_warning(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = written(tmp_path / "a.jpg", 0, fakes.encode(fakes.pixels(0), "JPEG", exif=exif))
    inspection, pixels = validate.inspect(frame(path), fakes.BODYPARTS)
    assert "EXIF orientation" in inspection.problems[0].what
    assert pixels.shape == (fakes.HEIGHT, fakes.WIDTH, 3)


def test_report_begins_with_the_problems_of_the_source(tmp_path):
    own = Problem(ERROR, "p/l.csv", 5, "x", "not a number")
    item = frame(tmp_path / "absent.png")
    labels = Labels(items=(item,), bodyparts=fakes.BODYPARTS, problems=(own,))
    found = validate.report(labels, [TRAIN]).problems
    assert found[0] == own
    assert "image missing" in found[1].what
    assert len(found) == 2


def test_report_shows_its_progress_image_by_image(tmp_path):
    labels = Labels(
        items=tuple(
            frame(written(tmp_path / f"{i}.png", i), fakes.points(3)[2] + i) for i in range(3)
        ),
        bodyparts=fakes.BODYPARTS,
    )
    seen = []

    def progress(inspections):
        for inspection in inspections:
            seen.append(inspection.item.name)
            yield inspection

    assert validate.report(labels, [TRAIN] * 3, progress).problems == []
    assert seen == ["0.png", "1.png", "2.png"]


def test_the_same_pixels_in_another_format_are_a_duplicate(tmp_path):
    first = frame(written(tmp_path / "a.png", 0))
    other = frame(written(tmp_path / "b.tif", 0, fakes.encode(fakes.pixels(0), "TIFF")), row=7)
    third = frame(written(tmp_path / "c.png", 1), fakes.points(3)[2])
    labels = Labels(items=(first, other, third), bodyparts=fakes.BODYPARTS)
    (problem,) = validate.report(labels, [TRAIN] * 3).problems
    assert problem[:4] == (WARNING, "p/l.csv", 7, "b.tif")
    assert "same pixels as a.png (l.csv row 4)" in problem.what


def test_two_rows_of_one_image_with_other_labels_are_an_error(tmp_path):
    path = written(tmp_path / "a.png", 0)
    items = (frame(path), frame(path, [[1, 1], [2, 2], [3, 3]], row=5))
    (problem,) = validate.report(
        Labels(items=items, bodyparts=fakes.BODYPARTS), [TRAIN] * 2
    ).problems
    assert problem.level == ERROR
    assert problem.row == 5
    assert "duplicate row" in problem.what
    assert "their labels differ" in problem.what


@pytest.mark.parametrize("splits", [[TRAIN, TEST], [TEST, TRAIN]])
def test_one_image_in_train_and_test_is_an_error(tmp_path, splits):
    items = (frame(written(tmp_path / "a.png", 0)), frame(written(tmp_path / "b.png", 0)))
    (problem,) = validate.report(Labels(items=items, bodyparts=fakes.BODYPARTS), splits).problems
    assert (problem.level, problem.image) == (ERROR, "b.png")
    assert "same image in train and test" in problem.what


def test_of_three_copies_the_first_of_the_source_stays(tmp_path):
    rows = {"a": 12, "b": 9, "c": 10}
    items = [frame(written(tmp_path / f"{name}.png", 0), row=row) for name, row in rows.items()]
    inspections = [validate.inspect(item, fakes.BODYPARTS)[0] for item in items]
    assert validate.choose(inspections) == 1


def test_of_copies_without_rows_the_first_by_name_stays(tmp_path):
    items = [crop(written(tmp_path / f"{name}.png", 0), 0) for name in "cab"]
    inspections = [validate.inspect(item, ())[0] for item in items]
    assert validate.choose(inspections) == 1


def test_of_three_copies_two_are_told(tmp_path):
    items = tuple(frame(written(tmp_path / f"{name}.png", 0)) for name in "abc")
    labels = Labels(items=items, bodyparts=fakes.BODYPARTS)
    assert [p.image for p in validate.report(labels, [TRAIN] * 3).problems] == ["b.png", "c.png"]


def test_images_that_cannot_be_used_are_no_duplicates_of_each_other(tmp_path):
    items = tuple(frame(tmp_path / f"absent{i}.png") for i in range(3))
    found = validate.report(Labels(items=items, bodyparts=fakes.BODYPARTS), [TRAIN] * 3).problems
    (problem,) = found
    assert "absent0.png, and 2 more (all 3 labeled images)" in problem.what


def test_a_crop_needs_no_keypoints(tmp_path):
    inspection, pixels = validate.inspect(crop(written(tmp_path / "a.png", 0), 1), ())
    assert inspection.problems == ()
    assert pixels.shape == (fakes.HEIGHT, fakes.WIDTH, 3)


def test_copies_of_a_crop_with_other_classes_are_an_error(tmp_path):
    items = (crop(written(tmp_path / "a.png", 0), 0), crop(written(tmp_path / "b.png", 0), 1))
    labels = Labels(items=items, classes=("positive", "negative"))
    (problem,) = validate.report(labels, [TRAIN] * 2).problems
    assert problem.level == ERROR
    assert "their labels differ" in problem.what


@pytest.mark.parametrize(("positives", "told"), [(1, True), (2, False)])
def test_a_class_below_a_fifth_of_the_other_is_imbalance(tmp_path, positives, told):
    found = validate.report(many_crops(tmp_path, positives, 9), [TRAIN] * (positives + 9)).problems
    assert [(p.level, "class imbalance" in p.what) for p in found] == [(WARNING, True)] * told


@pytest.mark.parametrize(("side", "level"), [(TRAIN, ERROR), (TEST, WARNING)])
def test_an_empty_class_is_an_error_in_train_and_a_warning_in_test(tmp_path, side, level):
    other = TEST if side == TRAIN else TRAIN
    found = validate.report(many_crops(tmp_path, 2, 3), [other, other, side, side, other]).problems
    (problem,) = found
    assert problem.level == level
    assert problem.what.startswith(f"{side}: a class is empty (0 positive, 2 negative)")


def test_a_frame_changed_by_inspection_keeps_all_else(tmp_path):
    item = frame(written(tmp_path / "a.png", 0), [[50, 30], [30, 50], [10, 5]], row=8)
    changed = validate.inspect(item, fakes.BODYPARTS)[0].item
    kept = [field.name for field in dataclasses.fields(item) if field.name != "keypoints"]
    assert [getattr(changed, name) for name in kept] == [getattr(item, name) for name in kept]


def test_labels_without_any_point_are_an_error(tmp_path):
    nothing = np.full((3, 2), np.nan)
    items = tuple(frame(written(tmp_path / f"{i}.png", i), nothing) for i in range(2))
    problems, usable = validate.report(Labels(items=items, bodyparts=fakes.BODYPARTS), [TRAIN] * 2)
    assert usable == [False, False]
    assert "none of 2 labeled images can be used" in [p.what for p in problems if p.level == ERROR]


def test_labels_that_leave_nothing_to_train_on_are_an_error(tmp_path):
    items = (
        frame(written(tmp_path / "a.png", 0)),
        frame(written(tmp_path / "b.png", 1), np.full((3, 2), np.nan)),
    )
    labels = Labels(items=items, bodyparts=fakes.BODYPARTS)
    problems, usable = validate.report(labels, [TEST, TRAIN])
    assert usable == [True, False]
    assert "no image to train on" in next(p.what for p in problems if p.level == ERROR)


def test_a_bodypart_that_nobody_labeled_is_told(tmp_path):
    item = frame(written(tmp_path / "a.png", 0), [[1, 1], [np.nan, np.nan], [3, 3]])
    problems = validate.report(Labels(items=(item,), bodyparts=fakes.BODYPARTS), [TRAIN]).problems
    assert [p.what for p in problems] == [
        "bodypart 'ear' is not labeled in any image: it cannot be learned"
    ]


def test_copies_that_are_not_used_are_not_counted(tmp_path):
    items = tuple(frame(written(tmp_path / f"{name}.png", 0)) for name in "abc")
    labels = Labels(items=items, bodyparts=fakes.BODYPARTS)
    assert validate.report(labels, [TRAIN] * 3).usable == [True, False, False]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (
            "day1/IMG7.PNG",
            "folder is another one, and names differ in upper and lower case (wanted img7.png, "
            "there is day1/IMG7.PNG)",
        ),
        ("IMG7.PNG", "names differ in upper and lower case (wanted img7.png, there is IMG7.PNG)"),
        ("img7.jpg", "suffix is another one (wanted img7.png, there is img7.jpg)"),
        ("day1/img7.png", "folder is another one (wanted img7.png, there is day1/img7.png)"),
    ],
)
def test_a_missing_image_has_a_hint_at_what_is_there(tmp_path, there, said):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).touch()
    items = tuple(frame(tmp_path / f"img{i}.png", row=i) for i in range(7, 9))
    (problem,) = validate.report(
        Labels(items=items, bodyparts=fakes.BODYPARTS), [TRAIN] * 2
    ).problems
    assert (problem.row, problem.image) == (7, "img7.png")
    assert said in problem.what


def test_composed_letters_are_told_from_others(tmp_path):
    import unicodedata

    name = "für.png"
    (tmp_path / unicodedata.normalize("NFD", name)).touch()
    item = frame(tmp_path / unicodedata.normalize("NFC", name))
    (problem,) = validate.report(Labels(items=(item,), bodyparts=fakes.BODYPARTS), [TRAIN]).problems
    assert "letters are composed in another way" in problem.what


def test_seven_hundred_missing_images_are_one_line(tmp_path):
    items = tuple(frame(tmp_path / f"{i}.png", row=i) for i in range(1, 708))
    items += (frame(written(tmp_path / "there.png", 0)),)
    problems, usable = validate.report(
        Labels(items=items, bodyparts=fakes.BODYPARTS), [TRAIN] * 708
    )
    (problem,) = problems
    assert "1.png, and 706 more (707 of 708 labeled images)" in problem.what
    assert sum(usable) == 1


def test_many_classes_are_counted_and_the_empty_ones_named(tmp_path):
    items = tuple(crop(written(tmp_path / f"{i}.png", i), i % 20) for i in range(18))
    labels = Labels(items=items, classes=tuple(f"c{i}" for i in range(20)))
    (problem,) = validate.report(labels, [TRAIN] * 18).problems
    assert problem.what.startswith("train: 2 of 20 classes are empty (c18, c19)")


def test_a_class_whose_images_cannot_be_read_is_empty(tmp_path):
    labels = many_crops(tmp_path, 2, 2)
    for name in ("0.png", "1.png"):
        (tmp_path / name).write_bytes(b"no image")
    assert any(
        "(0 positive, 2 negative)" in p.what for p in validate.report(labels, [TRAIN] * 4).problems
    )


def test_individuals_that_nobody_labeled_are_told_once():
    points = np.full((3, 2, 2), np.nan)
    points[1] = 7.0
    item = LabeledFrame(image="a", name="a", video="v", file="f", row=1, keypoints=points)
    labels = Labels(items=(item,), bodyparts=("x", "y"), individuals=("ann", "bob", "cy"))
    (problem,) = validate.of_points(labels)
    assert problem.what.startswith("no image has a label of ann, cy, and a model looks for all 3")
    only = dataclasses.replace(labels, individuals=("ann", "bob", "single"))
    assert "label of ann, and" in validate.of_points(only)[0].what
