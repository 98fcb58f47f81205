import os

import fakes
import pytest

from beampose import formats
from beampose.formats import crop_folders, crop_lists
from beampose.preprocess.labels import TEST, TRAIN, WARNING

WHOLE = {
    "Training/Positive": 3,
    "Training/Negative": 2,
    "Testing/Positive": 1,
    "Testing/Negative": 2,
}


def counts(labels) -> dict[tuple, int]:
    found = [(item.split, labels.classes[item.label]) for item in labels.items]
    return {key: found.count(key) for key in set(found)}


def test_folders_give_classes_and_splits(tmp_path):
    labels = crop_folders.read(str(fakes.crops(tmp_path, WHOLE)))
    assert counts(labels) == {
        (TRAIN, "positive"): 3,
        (TRAIN, "negative"): 2,
        (TEST, "positive"): 1,
        (TEST, "negative"): 2,
    }
    assert labels.problems == ()


@pytest.mark.parametrize(
    "names",
    [
        ("training/positives", "TRAINING/negatives"),
        ("train/POSITIVE", "train/NEGATIVES"),
        ("Training/Positives", "Training/negative"),
    ],
)
def test_folder_names_are_read_in_any_case_and_number(tmp_path, names):
    labels = crop_folders.read(str(fakes.crops(tmp_path, dict.fromkeys(names, 2))))
    assert counts(labels) == {(TRAIN, "positive"): 2, (TRAIN, "negative"): 2}


def test_positive_is_class_0(tmp_path):
    labels = crop_folders.read(str(fakes.crops(tmp_path, WHOLE)))
    assert labels.classes == ("positive", "negative")
    assert {item.label for item in labels.items if "Positive" in item.name} == {0}


def test_other_classes_are_sorted_by_name(tmp_path):
    labels = crop_folders.read(str(fakes.crops(tmp_path, {"wren": 1, "Robin": 2, "tit": 1})))
    assert labels.classes == ("robin", "tit", "wren")
    assert [item.split for item in labels.items] == [None] * 4


def test_results_of_an_experiment_beside_the_crops_are_no_class(tmp_path):
    root = fakes.crops(tmp_path, WHOLE)
    (root / "plots").mkdir()
    (root / "plots/losses.png").write_bytes(fakes.encode(fakes.pixels(0, 12, 20)))
    assert crop_folders.read(str(root)).classes == ("positive", "negative", "plots")
    (root / "dataset").mkdir()
    (root / "dataset/COMPLETED").write_bytes(b"")
    assert crop_folders.read(str(root)).classes == ("positive", "negative")


def test_hidden_files_and_folders_are_ignored(tmp_path):
    root = fakes.crops(tmp_path, {**WHOLE, ".cache/Positive": 1, "Training/.thumbs": 1})
    (root / "Training/Positive/.DS_Store").write_bytes(b"x")
    (root / "Training/Positive/._bird_0_0.jpg").write_bytes(b"x")
    labels = crop_folders.read(str(root))
    assert len(labels.items) == 8
    assert labels.classes == ("positive", "negative")
    assert labels.problems == ()


def test_files_that_are_no_images_are_problems(tmp_path):
    root = fakes.crops(tmp_path, WHOLE)
    (root / "Training/Negative/notes.txt").write_text("x")
    labels = crop_folders.read(str(root))
    (problem,) = labels.problems
    assert len(labels.items) == 8
    assert problem.level == WARNING
    assert problem.image.endswith("Training/Negative/notes.txt")
    assert "is not an image" in problem.what


def test_a_folder_inside_a_class_is_a_problem(tmp_path):
    root = fakes.crops(tmp_path, {**WHOLE, "Training/Negative/more.jpg": 2})
    labels = crop_folders.read(str(root))
    assert len(labels.items) == 8
    assert ["is a folder" in problem.what for problem in labels.problems] == [True]


def test_an_upper_case_ending_is_an_image(tmp_path):
    root = fakes.crops(tmp_path, WHOLE)
    (root / "Testing/Positive/bird_0_0.jpg").rename(root / "Testing/Positive/BIRD_0_0.JPG")
    assert len(crop_folders.read(str(root)).items) == 8


def test_an_item_says_its_image_name_and_video(tmp_path):
    labels = crop_folders.read(str(fakes.crops(tmp_path, WHOLE)) + "/")
    item = next(item for item in labels.items if item.split == TEST and item.label == 0)
    assert item.name == "Testing/Positive/bird_0_0.jpg"
    assert item.image == f"{tmp_path}/Testing/Positive/bird_0_0.jpg"
    assert item.video == "bird"


@pytest.mark.parametrize("only", [{}, {"Training/Positive": 3}, {"Positive": 2, "Negative": 0}])
def test_fewer_than_two_classes_are_a_value_error(tmp_path, only):
    with pytest.raises(ValueError, match="at least two folders of images"):
        crop_folders.read(str(fakes.crops(tmp_path, only)))


def test_an_absent_folder_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="No crop folder"):
        crop_folders.read(str(tmp_path / "absent"))


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="one of deeplabcut, .*csv. Received: 'xml'"):
        formats.read("xml", "anywhere")


def test_bodyparts_do_not_apply_to_crops(tmp_path):
    with pytest.raises(ValueError, match="does not apply to format 'crops'"):
        formats.read("crops", str(fakes.crops(tmp_path, WHOLE)), bodyparts=["nose"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("crops-birdfeeder", (169, 326, 60, 103)), ("crops-pollenbees", (285, 259, 84, 86))],
)
def test_real_crops_have_their_known_counts(shared_data, name, expected):
    found = counts(formats.read("crops", str(shared_data / name)))
    sides = [(split, label) for split in (TRAIN, TEST) for label in ("positive", "negative")]
    assert tuple(found[side] for side in sides) == expected


@pytest.mark.parametrize("name", ["val", "Valid", "validation"])
def test_folders_of_validation_are_held_out_and_told(tmp_path, name):
    root = fakes.crops(tmp_path, {**WHOLE, f"{name}/Positive": 2, f"{name}/Negative": 1})
    labels = crop_folders.read(str(root))
    assert counts(labels)[TEST, "positive"] == 3
    (problem,) = labels.problems
    assert (problem.file, problem.level) == (f"{root}/{name}", WARNING)
    assert "is read as held-out images" in problem.what


def test_images_beside_the_folders_of_classes_are_told(tmp_path):
    root = fakes.crops(tmp_path, {**WHOLE, ".": 2, "Training": 1})
    labels = crop_folders.read(str(root))
    assert len(labels.items) == 8
    assert [problem.what.split(",")[0] for problem in labels.problems] == [
        f"{count} in no folder of a class: not read" for count in ("2 images", "1 image")
    ]


def test_names_that_differ_in_case_or_composition_alone_are_one_class_and_told(tmp_path):
    (tmp_path / "Here").mkdir()
    if (tmp_path / "here").exists():
        pytest.skip("this disk does not tell capitals from other letters")
    (tmp_path / "Here").rmdir()
    wanted = {"train/b\xe4r": 2, "train/deer": 1, "test/ba\u0308r": 1, "train/Deer": 1}
    labels = crop_folders.read(str(fakes.crops(tmp_path, wanted)))
    assert labels.classes == ("b\xe4r", "deer")
    assert [p.what for p in labels.problems] == ["Deer and deer are read as one class, deer"]


def test_words_of_a_list_that_are_one_class_are_told(tmp_path):
    fakes.crops(tmp_path, {"a": 4})
    rows = [f"a/bird_{i}_0.jpg,{word}" for i, word in enumerate(("Fox", "fox", "Owl", "Owl"))]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    labels = formats.read("csv", str(tmp_path / "list.csv"))
    assert labels.classes == ("fox", "owl")
    assert [p.what for p in labels.problems] == ["Fox and fox are read as one class, fox"]


@pytest.mark.parametrize(
    ("folders", "what"),
    [
        ({"mammals/fox": 1, "mammals/deer": 1}, "There are images in mammals/deer: name the"),
        ({"test": 1, "control": 1}, "Found: control. test is read as a split, not as a class"),
        ({"fox/train": 1, "deer/test": 1}, "in deer/test: the split must stand above the class"),
    ],
)
def test_folders_that_are_no_two_classes_are_named(tmp_path, folders, what):
    with pytest.raises(ValueError, match=what):
        crop_folders.read(str(fakes.crops(tmp_path, folders)))


def test_classes_that_are_still_packed_are_told(tmp_path):
    root = fakes.crops(tmp_path, {"fox": 1, "deer": 1})
    (root / "owl.zip").write_bytes(b"PK")
    (problem,) = crop_folders.read(str(root)).problems
    assert (problem.image, problem.what) == ("owl.zip", "is not unpacked: not read")
    (root / "deer/bird_0_0.jpg").unlink()
    with pytest.raises(ValueError, match="Found: fox. owl.zip: is not unpacked"):
        crop_folders.read(str(root))


def test_images_that_icloud_has_not_downloaded_are_told(tmp_path):
    root = fakes.crops(tmp_path, {"fox": 1, "deer": 1})
    (root / "fox/.bird_7_0.jpg.icloud").write_bytes(b"")
    (problem,) = crop_folders.read(str(root)).problems
    assert "is only the placeholder of bird_7_0.jpg: iCloud" in problem.what
    (root / "deer/bird_0_0.jpg").rename(root / "deer/bird.heic")
    with pytest.raises(ValueError, match="Found: fox. deer/bird.heic: is not an image"):
        crop_folders.read(str(root))


def test_folders_in_no_encoding_are_told_and_not_read(tmp_path):
    root = fakes.crops(tmp_path, {"fox": 1, "deer": 1, "bear": 1})
    try:
        (root / "bear").rename(root / os.fsdecode(b"b\xe4r"))
    except OSError:
        pytest.skip("this disk has no such names")
    labels = crop_folders.read(str(root))
    assert labels.classes == ("deer", "fox")
    assert "its name is in no encoding that is known" in labels.problems[0].what


def test_any_folders_of_images_are_said_to_be_crops(tmp_path):
    root = fakes.crops(tmp_path, {"fox": 1, "deer": 1})
    with pytest.raises(FileNotFoundError, match="As crops it has the classes deer, fox"):
        formats.read(formats.guess(str(root)), str(root))


def test_a_data_set_of_ultralytics_is_called_so(tmp_path):
    (tmp_path / "train/images").mkdir(parents=True)
    (tmp_path / "train/images/a.png").write_bytes(fakes.encode(fakes.pixels(0)))
    (tmp_path / "a.yaml").mkdir()
    (tmp_path / "data.yaml").write_text("train: train/images\nkpt_shape: [2, 3]\n")
    with pytest.raises(ValueError, match="data.yaml is of keypoints of Ultralytics"):
        crop_folders.read(str(tmp_path))


def test_a_folder_without_an_image_is_told(tmp_path):
    root = fakes.crops(tmp_path, {"fox": 2, "owl": 2})
    (root / "cat").mkdir()
    labels = crop_folders.read(str(root))
    assert labels.classes == ("fox", "owl")
    (problem,) = labels.problems
    assert problem.file.endswith("/cat") and "holds no image" in problem.what


def test_files_of_boxes_are_called_what_they_are(tmp_path):
    file = tmp_path / "boxes.json"
    file.write_text("{}")
    for read in (crop_folders.read, crop_lists.read):
        with pytest.raises(ValueError, match="Boxes are no crops: `beampose extract-crops"):
            read(str(file))
    root = fakes.crops(tmp_path / "yolo", {"images": 2})
    (root / "data.yaml").write_text("train: images\nnames: {0: fox, 1: owl}\n")
    with pytest.raises(ValueError, match="data.yaml is of boxes of Ultralytics"):
        crop_folders.read(str(root))


def test_folders_of_the_system_are_no_classes_and_told(tmp_path):
    root = fakes.crops(tmp_path, {**WHOLE, "$RECYCLE.BIN": 1, "Training/@eaDir": 1})
    labels = crop_folders.read(str(root))
    assert labels.classes == ("positive", "negative") and len(labels.items) == 8
    assert [(one.level, one.file.removeprefix(f"{root}")) for one in labels.problems] == [
        (WARNING, ""),
        (WARNING, "/Training"),
    ]
    assert (
        "1 folder that a system keeps for itself ($RECYCLE.BIN) is left" in labels.problems[0].what
    )
