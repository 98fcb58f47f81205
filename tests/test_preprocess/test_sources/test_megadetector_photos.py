"""Which entry of MegaDetector's JSON belongs to which photograph."""

import json

import pytest

from beampose.formats import megadetector_photos


def written(tmp_path, *names):
    values = {
        "detection_categories": {"1": "animal"},
        "images": [
            {
                "file": name,
                "detections": [{"category": "1", "conf": 0.5, "bbox": [i / 10, 0, 0.1, 0.1]}],
            }
            for i, name in enumerate(names)
        ],
    }
    path = tmp_path / "md.json"
    path.write_text(json.dumps(values))
    return str(path)


def found(path, names, root="/data/photos"):
    boxes, remark = megadetector_photos.boxes_of(path, names, root)
    return [round(one.boxes[0][0] * 10) if one.boxes else one.failure for one in boxes], remark


def test_names_are_those_of_the_folder_that_was_looked_through(tmp_path):
    path = written(tmp_path, "A/1.jpg", "B/1.jpg")
    assert found(path, ["B/1.jpg", "A/1.jpg"]) == ([1, 0], "")


def test_a_namesake_of_another_camera_is_not_taken(tmp_path):
    path = written(tmp_path, "A/1.jpg", "A/2.jpg")
    numbers, _ = found(path, ["A/1.jpg", "A/2.jpg", "B/1.jpg"])
    assert numbers[:2] == [0, 1]
    assert numbers[2] == "has no entry in md.json"


def test_a_part_of_the_folder_finds_its_own_entries(tmp_path):
    path = written(tmp_path, "A/1.jpg", "B/1.jpg")
    assert found(path, ["1.jpg"], "/data/photos/B") == ([1], "")


def test_a_moved_folder_is_found_and_said(tmp_path):
    path = written(tmp_path, "C:\\job\\A\\1.jpg", "C:\\job\\B\\1.JPG")
    numbers, remark = found(path, ["A/1.jpg", "B/1.jpg"])
    assert numbers == [0, 1]
    assert "C:/job" in remark


def test_images_that_differ_in_letters_case_alone_have_their_own_boxes(tmp_path):
    path = written(tmp_path, "job/A/1.JPG", "job/A/1.jpg", "job/A/2.JPG")
    names = ["A/1.jpg", "A/1.JPG", "A/2.jpg"]
    assert found(path, names)[0] == [1, 0, 2]
    missing = found(path, [*names, "A/2.JPG"])[0]
    assert missing == [1, 0, "has no entry in md.json", 2]


def test_accents_may_be_composed_or_not_and_images_that_differ_so_have_their_own_boxes(tmp_path):
    assert found(written(tmp_path, "cafe\u0301/1.jpg"), ["caf\xe9/1.jpg"]) == ([0], "")
    path = written(tmp_path, "e\u0301.jpg", "\xe9.jpg")
    assert found(path, ["\xe9.jpg", "e\u0301.jpg"]) == ([1, 0], "")


def test_what_may_be_either_is_refused(tmp_path):
    path = written(tmp_path, "A/1.jpg", "B/1.jpg")
    with pytest.raises(ValueError, match="several folders"):
        found(path, ["1.jpg"])


def test_a_file_of_other_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no entry for any"):
        found(written(tmp_path, "A/1.jpg"), ["A/2.jpg"])


def test_what_speciesnet_writes_is_read_without_its_classes_of_whole_images(tmp_path):
    whole = {"category": "0", "label": "whole_image_classification", "conf": 1.0}
    box = {"category": "2", "label": "human", "conf": 0.7, "bbox": [0.3, 0, 0.1, 0.1]}
    whole["bbox"] = [0, 0, 1, 1]
    told = [
        {"filepath": "C:\\cards\\A\\1.jpg", "detections": [whole, box], "failures": ["CLASSIFIER"]},
        {"filepath": "C:\\cards\\A\\2.jpg", "detections": [whole]},
        {"filepath": "C:\\cards\\A\\3.jpg", "failures": ["DETECTOR", "CLASSIFIER"]},
    ]
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps({"predictions": told}))
    names = ["A/1.jpg", "A/2.jpg", "A/3.jpg"]
    boxes, _ = megadetector_photos.boxes_of(str(path), names, "/data/photos")
    assert boxes[0].boxes == ((0.3, 0, 0.1, 0.1, 0.7, "human"),) and boxes[1].boxes == ()
    assert boxes[2].failure == "predictions.json says that it failed: DETECTOR, CLASSIFIER"
    path = tmp_path / "classes.json"
    path.write_text(json.dumps({"predictions": told[1:2]}))
    with pytest.raises(ValueError, match="classes of whole images, and no boxes: run its detector"):
        megadetector_photos.boxes_of(str(path), names, "/data/photos")
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"predictions": [{"filepath": "a.jpg", "detections": ["x"]}]}))
    with pytest.raises(ValueError, match="is not MegaDetector's JSON"):
        megadetector_photos.boxes_of(str(path), names, "/data/photos")


def entry(name, *boxes, **rest):
    told = [{"category": "1", "conf": conf, "bbox": bbox} for conf, bbox in boxes]
    return {"file": name, "detections": told, **rest}


def of_entries(tmp_path, entries, names):
    values = {"detection_categories": {"1": "animal"}, "images": entries}
    (tmp_path / "md.json").write_text(json.dumps(values))
    return megadetector_photos.boxes_of(str(tmp_path / "md.json"), names, "/data/photos")


def test_folders_and_images_are_named_as_they_are_spelt(tmp_path):
    names = [f"Site{letter}/IMG_1.JPG" for letter in "CD"]
    path = written(tmp_path, "/mnt/SiteB/IMG_1.JPG", "/mnt/SiteA/IMG_1.JPG")
    with pytest.raises(ValueError, match="several folders") as error:
        found(path, names, "/tmp/Cards")
    either = "/mnt/SiteA may be /tmp/Cards/SiteC, or /mnt/SiteB may be /tmp/Cards/SiteC"
    assert either in str(error.value)
    with pytest.raises(ValueError, match=r"any of the images, such as SiteC/IMG_1\.JPG"):
        found(written(tmp_path, "SiteC/IMG_2.JPG"), names)
    _, remark = found(written(tmp_path, "/mnt/Old/SiteC/IMG_1.JPG"), names, "/tmp/Cards")
    assert remark == "boxes of /mnt/Old in md.json are taken for those of Cards, by file name"


def test_boxes_of_several_entries_of_an_image_are_joined_and_told(tmp_path):
    one, other = [0.1, 0.1, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2]
    failed = {"file": "1.jpg", "failure": "Failure image access", "detections": None}
    entries = [entry("1.jpg", (0.5, one)), entry("1.jpg", (0.8, one), (0.3, other)), failed]
    boxes, remark = of_entries(tmp_path, [*entries, entry("2.jpg")], ["1.jpg", "2.jpg"])
    assert boxes[0].boxes == ((*one, 0.8, "animal"), (*other, 0.3, "animal"))
    assert boxes[1].boxes == ()
    assert "1 image has several entries in md.json, such as 1.jpg: the boxes of all" in remark


def test_boxes_without_width_or_height_are_left_out_and_told(tmp_path):
    told = entry("1.jpg", (0.9, [0.1, 0.1, 0, 0.2]), (0.8, [0.1, 0.1, 0.2, 0.2]))
    boxes, remark = of_entries(tmp_path, [told], ["1.jpg"])
    assert [box[4] for box in boxes[0].boxes or ()] == [0.8]
    assert remark == "1 box without width or height in md.json is left out, such as of 1.jpg"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"detections": None}, "has neither detections nor a failure: run the detector on it"),
        ({}, "has neither detections nor a failure"),
        (entry("", (float("nan"), [0, 0, 1, 1])), "conf must be a number"),
        (entry("", (None, [0, 0, 1, 1])), "conf must be a number"),
        (entry("", (0.5, [0, 0, 1])), "bbox must be a list of x, y, width and height"),
        (entry("", (0.5, [0, 0, 1, "x"])), "every value of bbox must be a number"),
        ({"detections": ["x"]}, "it must have bbox, category and conf"),
    ],
)
def test_an_entry_that_says_nothing_of_its_image_is_a_failure(tmp_path, told, why):
    (boxes,), _ = of_entries(tmp_path, [{**told, "file": "1.jpg"}], ["1.jpg"])
    assert boxes.boxes is None and "md.json: images[0]" in boxes.failure and why in boxes.failure


def test_speciesnet_without_its_detector_saw_no_image(tmp_path):
    told = [{"filepath": "1.jpg", "classifications": {}}, {"filepath": "2.jpg", "detections": []}]
    (tmp_path / "p.json").write_text(json.dumps({"predictions": told}))
    names = ["1.jpg", "2.jpg"]
    boxes, _ = megadetector_photos.boxes_of(str(tmp_path / "p.json"), names, "/data/photos")
    assert "neither detections nor a failure" in boxes[0].failure and boxes[1].boxes == ()
