import json

import fake_labels
import fakes
import numpy as np
import pytest

from beampose import formats
from beampose.formats.coco import coco_reader
from beampose.preprocess import images
from beampose.preprocess.labels import ERROR, WARNING

A, B, C = fakes.points()


def whats(labels):
    return [problem.what for problem in labels.problems]


def category(**changes):
    return {"id": 1, "keypoints": list(fakes.BODYPARTS), **changes}


def test_animals_bodyparts_and_edges_are_read(tmp_path):
    labels = formats.read("coco", str(fake_labels.coco(tmp_path)))
    assert labels.bodyparts == fakes.BODYPARTS
    assert labels.individuals == ("individual1", "individual2")
    assert labels.edges == (("nose", "ear"),)
    np.testing.assert_array_equal(labels.items[0].keypoints, [A, B])
    np.testing.assert_array_equal(labels.items[1].keypoints[0], C)
    assert [item.name for item in labels.items] == [
        f"labeled-data/cam1/img{i}.png" for i in range(2)
    ]
    np.testing.assert_array_equal(images.load(labels.items[1].image)[0], fakes.pixels(1))
    assert labels.problems == ()


def test_a_folder_stands_for_the_one_file_in_it(tmp_path):
    file = fake_labels.coco(tmp_path)
    folder = str(file.parent)
    assert [item.file for item in formats.read("coco", folder).items] == [str(file)] * 2
    (file.parent / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=f"{folder} must hold one .json, or name the file. Found"):
        formats.read("coco", folder)
    file.rename(file.parent / "annotations.json")
    assert formats.guess(folder) == "coco"
    assert len(formats.read("coco", folder).items) == 2


def test_numbers_may_be_text_and_names_may_be_written_as_addresses(tmp_path):
    animal = fake_labels.annotation(1, 7, A)
    animal["keypoints"] = [str(value) for value in animal["keypoints"]]
    images = [{"id": 7, "file_name": "cam1/%69mg0.png"}]
    file = fake_labels.coco(tmp_path, annotations=[animal], images=images)
    labels = coco_reader.read(str(file))
    np.testing.assert_array_equal(labels.items[0].keypoints[0], A)
    assert labels.items[0].image == f"{file.parent}/cam1/img0.png"
    animal["keypoints"][0] = "left"
    file = fake_labels.coco(tmp_path / "wrong", annotations=[animal], images=images)
    assert "annotation 1 has a keypoint that is not a number; it is not used" in whats(
        coco_reader.read(str(file))
    )


def test_tracks_are_individuals(tmp_path):
    animals = [
        fake_labels.annotation(1, 7, A, track_id=5),
        fake_labels.annotation(2, 7, B, track_id=9),
        fake_labels.annotation(3, 8, C, track_id=9),
    ]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=animals)))
    assert labels.individuals == ("5", "9")
    np.testing.assert_array_equal(labels.items[1].keypoints[1], C)


def test_hidden_keypoints_are_labels_and_counted(tmp_path):
    animal = fake_labels.annotation(1, 7, A)
    animal["keypoints"][2], animal["keypoints"][5] = 1, 0
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=[animal])))
    np.testing.assert_array_equal(labels.items[0].keypoints[0], [A[0], [np.nan, np.nan], A[2]])
    assert "1 keypoint placed but hidden (visibility 1): used all the same" in whats(labels)
    assert any("1 of 2 images has no labeled animal; not used" in w for w in whats(labels))


def test_crowds_are_not_used(tmp_path):
    animals = [fake_labels.annotation(1, 7, A, iscrowd=1), fake_labels.annotation(2, 8, C)]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=animals)))
    assert [item.name[-8:] for item in labels.items] == ["img1.png"]
    assert "1 annotation of crowds: not used" in whats(labels)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"keypoints": [1, 2, 2]}, "must have 3 x 3 keypoints"),
        ({"keypoints": [1, 2, 3] * 3}, "visibility that is not 0, 1 or 2"),
        ({"keypoints": [1, float("nan"), 2] * 3}, "a labeled keypoint that is not a number"),
        ({"keypoints": [1, "2x", 2] * 3}, "a keypoint that is not a number"),
        ({"keypoints": [1, 10**400, 2] * 3}, "a keypoint that is not a number"),
        ({"image_id": 99}, "belongs to image 99, which is not listed"),
        ({"image_id": [1]}, "belongs to image [1], which is not listed"),
    ],
)
def test_a_bad_annotation_is_an_error_and_the_others_stay(tmp_path, change, what):
    animals = [{**fake_labels.annotation(4, 7, A), **change}, fake_labels.annotation(2, 8, C)]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=animals)))
    assert len(labels.items) == 1
    (problem,) = [p for p in labels.problems if p.level == ERROR]
    assert problem.what.startswith("annotation 4 ")
    assert what in problem.what


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "C:\\secret.png", "", None, 7, "a/../b.png"]
)
def test_an_image_out_of_its_folder_is_refused(tmp_path, name):
    listed = [{"id": 7, "file_name": name}, {"id": 8, "file_name": "cam1/img1.png"}]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, images=listed)))
    assert [item.name for item in labels.items] == ["labeled-data/cam1/img1.png"]
    assert [p.level for p in labels.problems if p.what.startswith("image 1 ")] == [ERROR]


def test_ids_are_compared_as_numbers_and_as_text(tmp_path):
    animals = [fake_labels.annotation("4", "7", A), fake_labels.annotation(2, 8.0, C)]
    animals = [{**one, "category_id": code} for one, code in zip(animals, ("1", 1.0), strict=True)]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=animals)))
    assert len(labels.items) == 2 and not labels.problems


@pytest.mark.parametrize("nothing", [None, []])
def test_an_annotation_without_keypoints_is_counted(tmp_path, nothing):
    animals = [fake_labels.annotation(i, 7 + i, A) for i in range(2)]
    animals[0]["keypoints"] = nothing
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=animals)))
    assert len(labels.items) == 1
    assert any(what.startswith("1 annotation without keypoints") for what in whats(labels))
    assert {problem.level for problem in labels.problems} == {WARNING}


def test_a_point_with_a_null_is_not_labeled(tmp_path):
    animal = fake_labels.annotation(4, 7, A)
    animal["keypoints"] = [None, None, 2, 3.0, 4.0, 2, 5.0, 6.0, None]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=[animal])))
    nothing = [np.nan, np.nan]
    np.testing.assert_array_equal(labels.items[0].keypoints[0], [nothing, [3, 4], nothing])
    assert "2 keypoints with a null: not labeled" in whats(labels)


@pytest.mark.parametrize(
    "above",
    [
        "C:\\Users\\me\\data\\",
        "/home/me/data/",
        "https://example.org/local-files/?d=",
        "/data/local-files/?d=",
        "gs://b/",
    ],
)
def test_whole_paths_and_addresses_are_found_by_their_last_parts(tmp_path, above):
    cut = "\\" if "\\" in above else "/"
    listed = [{"id": 7 + i, "file_name": f"{above}cam1{cut}img{i}.png"} for i in range(2)]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, images=listed)))
    assert [item.image for item in labels.items] == [f"{tmp_path}/cam1/img{i}.png" for i in (0, 1)]
    assert {item.video for item in labels.items} == {"labels"}
    assert not labels.problems


def test_whole_paths_of_two_folders_are_two_videos(tmp_path):
    file = fake_labels.coco(tmp_path)
    (tmp_path / "cam2").mkdir()
    (tmp_path / "cam1/img1.png").rename(tmp_path / "cam2/img0.png")
    names = [f"D:\\lab\\cam{i}\\img0.png" for i in (1, 2)]
    told = json.loads(file.read_text())
    told["images"] = [{"id": 7 + i, "file_name": name} for i, name in enumerate(names)]
    file.write_text(json.dumps(told))
    labels = coco_reader.read(str(file))
    assert [item.image for item in labels.items] == [f"{tmp_path}/cam{i}/img0.png" for i in (1, 2)]
    assert [item.video for item in labels.items] == ["cam1", "cam2"]


def test_images_that_are_nowhere_are_one_problem_and_so_are_their_annotations(tmp_path):
    listed = [{"id": 7 + i, "file_name": f"https://x.org/far/{i}.png"} for i in range(2)]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, images=listed)))
    (what,) = whats(labels)
    assert what.startswith("image 1 https://x.org/far/0.png and 1 others are missing")
    assert "it is an address, which is not fetched" in what


def test_one_image_is_not_two_of_its_name(tmp_path):
    file = fake_labels.coco(tmp_path)
    (tmp_path / "cam1/img0.png").rename(tmp_path / "img0.png")
    told = json.loads(file.read_text())
    told["images"] = [{"id": 7 + i, "file_name": f"day{i}/img0.png"} for i in range(2)]
    file.write_text(json.dumps(told))
    labels = coco_reader.read(str(file))
    assert not labels.items
    assert all("they agree in the name alone" in what for what in whats(labels))


def test_two_images_of_one_name_or_id_are_told(tmp_path):
    listed = [{"id": 7, "file_name": "cam1/img0.png"}] * 2
    listed += [{"id": 8, "file_name": "./cam1/img0.png"}]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, images=listed)))
    assert len(labels.items) == 1
    found = [p.what for p in labels.problems if p.what.startswith("image")]
    assert "the id 7 of another image" in found[0]
    assert "like another image" in found[1]


def test_names_are_relative_to_the_json_or_a_folder_near_it(tmp_path):
    file = fake_labels.coco(tmp_path)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "cam1").rename(tmp_path / "images/cam1")
    moved = file.rename(tmp_path / "annotations/labels.json")
    item = coco_reader.read(str(moved)).items[0]
    np.testing.assert_array_equal(images.load(item.image)[0], fakes.pixels(0))


def of_parts(tmp_path, *points):
    """A file with a category for each bodypart, and labels (image, bodypart, x, y, more)."""
    kinds = [{"id": i, "name": n, "keypoints": [n]} for i, n in enumerate(fakes.BODYPARTS)]
    told = [
        {"id": i, "image_id": image, "category_id": part, "keypoints": [x, y, 2], **more}
        for i, (image, part, x, y, more) in enumerate(points)
    ]
    return coco_reader.read(
        str(fake_labels.coco(tmp_path, categories=kinds, annotations=told)),
    )


def test_a_category_for_each_bodypart_is_one_animal(tmp_path):
    labels = of_parts(tmp_path, (7, 1, 3, 4, {}), (7, 0, 1, 2, {}), (8, 1, 5, 6, {}))
    assert labels.bodyparts == fakes.BODYPARTS and len(labels.individuals) == 1
    rest = [[np.nan] * 2] * (len(fakes.BODYPARTS) - 2)
    np.testing.assert_array_equal(labels.items[0].keypoints, [[[1, 2], [3, 4], *rest]])
    np.testing.assert_array_equal(labels.items[1].keypoints[0, :2], [[np.nan] * 2, [5, 6]])
    said = "categories name one keypoint each: those of an image are taken for one animal"
    assert any(said in what for what in whats(labels))


def test_a_category_that_is_not_listed_is_named_with_those_that_are(tmp_path):
    kinds = [{"id": 1, "name": "mouse", "keypoints": ["nose"]}]
    told = [fake_labels.annotation(i, 7, A[:1], category_id=5) for i in range(2)]
    file = fake_labels.coco(tmp_path, categories=kinds, annotations=told)
    labels = coco_reader.read(str(file))
    said = "2 annotations of category 5, which is not listed (listed: 1 mouse): not used"
    assert not labels.items and said in whats(labels)


def test_kinds_of_animals_with_one_keypoint_of_one_name_are_no_bodyparts(tmp_path):
    kinds = [{"id": i, "keypoints": ["nose"]} for i in range(2)]
    told = [fake_labels.annotation(i, 7, A[:1], category_id=i) for i in range(2)]
    file = fake_labels.coco(tmp_path, categories=kinds, annotations=told)
    labels = coco_reader.read(str(file))
    assert len(labels.individuals) == 2 and not any("categories" in what for what in whats(labels))


def test_tracks_tell_whose_the_bodyparts_of_categories_are(tmp_path):
    one, other = {"track_id": 1}, {"track_id": 2}
    labels = of_parts(tmp_path, (7, 0, 1, 2, one), (7, 0, 5, 6, other), (7, 1, 3, 4, one))
    assert labels.individuals == ("1", "2")
    np.testing.assert_array_equal(
        labels.items[0].keypoints[:, :2], [[[1, 2], [3, 4]], [[5, 6], [np.nan] * 2]]
    )
    labels = of_parts(tmp_path / "untold", (7, 0, 1, 2, {}), (7, 0, 5, 6, {}), (7, 1, 3, 4, {}))
    assert len(labels.individuals) == 3
    said = "an image has two of one: each keypoint is an animal of its own"
    assert any(said in what for what in whats(labels))


def test_several_categories_have_all_bodyparts(tmp_path):
    kinds = [category(), category(id=2, keypoints=["wing", "nose"]), {"id": 3, "name": "stone"}]
    animals = [
        fake_labels.annotation(1, 7, A),
        fake_labels.annotation(2, 7, A[:2], category_id=2),
        {"id": 3, "image_id": 7, "category_id": 3},
    ]
    labels = coco_reader.read(
        str(fake_labels.coco(tmp_path, categories=kinds, annotations=animals))
    )
    assert labels.bodyparts == ("nose", "ear", "tail", "wing")
    nothing = [np.nan, np.nan]
    np.testing.assert_array_equal(labels.items[0].keypoints[1], [A[1], nothing, nothing, A[0]])
    assert "1 annotation of categories without keypoints: not used" in whats(labels)
    said = "2 categories name different keypoints: those of one name are one bodypart"
    assert said in whats(labels)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not COCO: it must hold a list of images"),
        ('{"images": [], "annotations": {}}', "must hold a list of annotations"),
        ('{"images": [], "annotations": [], "categories": [3]}', "no category with keypoints"),
    ],
)
def test_another_file_is_refused(tmp_path, text, what):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=what):
        coco_reader.read(str(tmp_path / "a.json"))


def test_a_bodypart_named_twice_is_refused(tmp_path):
    kinds = [category(keypoints=["nose", "nose", "tail"])]
    with pytest.raises(ValueError, match="names a bodypart twice"):
        coco_reader.read(str(fake_labels.coco(tmp_path, categories=kinds)))


def test_edges_of_bodyparts_that_are_not_there_are_left_out(tmp_path):
    kinds = [category(skeleton=[[0, 1], [2, 3], [3, 4], "ab", [1]])]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, categories=kinds)))
    assert labels.edges == (("ear", "tail"),)
    (what,) = [w for w in whats(labels) if "skeleton" in w or "edge" in w]
    assert "4 edges are no pairs of bodyparts, such as [0, 1]; not drawn" in what


def test_a_skeleton_counted_from_0_is_read_so_and_told(tmp_path):
    kinds = [category(skeleton=[[0, 1], [1, 2], ["nose", "tail"], [9, 1]])]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, categories=kinds)))
    assert labels.edges == (("nose", "ear"), ("ear", "tail"), ("nose", "tail"))
    told = [w for w in whats(labels) if "category" in w]
    assert "its skeleton is counted from 0" in told[0]
    assert "1 edge is no pair of bodyparts, such as [9, 1]" in told[1]


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(coco_reader, "MAX_BYTES", 10)
    with pytest.raises(ValueError, match="above 10"):
        coco_reader.read(str(fake_labels.coco(tmp_path)))


def test_warnings_count_what_was_left_out(tmp_path):
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=[])))
    assert labels.items == ()
    assert [p.level for p in labels.problems] == [WARNING]
    assert json.loads((tmp_path / "labels.json").read_text())["annotations"] == []


def test_coordinates_with_visibility_0_are_not_labels_and_told(tmp_path):
    hidden = fake_labels.annotation(1, 7, A)
    hidden["keypoints"][2::3] = [0, 2, 2]
    hidden["keypoints"][:2] = [3.5, 4]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=[hidden])))
    assert np.isnan(labels.items[0].keypoints[0, 0]).all()
    assert "1 keypoint with coordinates and visibility 0: not labeled, as COCO has it" in whats(
        labels
    )
    hidden["keypoints"][2] = 0.93
    labels = coco_reader.read(str(fake_labels.coco(tmp_path / "b", annotations=[hidden])))
    assert any("not 0, 1 or 2 (Received: 0.93)" in what for what in whats(labels))


def test_two_files_put_together_with_ids_that_count_from_one_mix_no_labels(tmp_path):
    images = [{"id": i % 2, "file_name": f"cam1/img{i}.png"} for i in range(3)]
    animals = [fake_labels.annotation(1, 0, A), fake_labels.annotation(2, 1, B)]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, images=images, annotations=animals)))
    (item,) = labels.items
    assert item.name.endswith("img1.png")
    assert "the id 0 of another image, img0.png, which is not used either" in whats(labels)[0]
    kinds = [category(), category(keypoints=["wing"])]
    with pytest.raises(ValueError, match="two categories with other keypoints have the id 1"):
        coco_reader.read(str(fake_labels.coco(tmp_path / "b", categories=kinds)))


def test_ids_that_floats_cannot_tell_apart_are_not_taken_for_one(tmp_path):
    images = [{"id": 2**60 + i, "file_name": f"cam1/img{i}.png"} for i in range(2)]
    animals = [fake_labels.annotation(1, float(2**60 + 1), A)]
    file = fake_labels.coco(tmp_path, images=images, annotations=animals)
    labels = coco_reader.read(str(file))
    assert not labels.items and "1.152921504606847e+18, which is not listed" in whats(labels)[0]


@pytest.mark.parametrize(("told", "used"), [("false", 2), ("False", 2), (None, 2), (True, 1)])
def test_crowds_are_told_apart_in_words_too(tmp_path, told, used):
    animals = [fake_labels.annotation(1, 7, A, iscrowd=told), fake_labels.annotation(2, 7, B)]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=animals)))
    assert len(labels.individuals) == used


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ([{"data": {}, "annotations": []}], "a list of 1 value, Label Studio's own. Its export"),
        ([{"image_id": 1, "keypoints": [], "score": 1}], "results of a model"),
        ({"shapes": [], "imagePath": "a.png"}, "the keys 'shapes', 'imagePath', labelme's"),
        ([{"filename": "a.png", "class": "image", "annotations": []}], "AlphaTracker's: sleap-io"),
        ({"videos": [], "instances": [], "points": []}, "SLEAP's of before 2020"),
        ({}, "Found: nothing"),
    ],
)
def test_files_of_other_programs_are_named(tmp_path, told, what):
    (tmp_path / "a.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=what):
        coco_reader.read(str(tmp_path / "a.json"))


@pytest.mark.parametrize("name", [None, "", ["nose"]])
def test_bodyparts_must_be_names(tmp_path, name):
    kinds = [category(keypoints=["nose", name, "tail"])]
    with pytest.raises(ValueError, match="category 1: keypoints must be names, one an entry"):
        coco_reader.read(str(fake_labels.coco(tmp_path, categories=kinds)))


def test_exports_of_roboflow_cvat_and_label_studio_are_recognized(tmp_path):
    file = fake_labels.coco(tmp_path / "cvat")
    (tmp_path / "cvat/annotations").mkdir()
    file.rename(tmp_path / "cvat/annotations/person_keypoints_default.json")
    assert len(formats.read("coco", str(tmp_path / "cvat")).items) == 2
    fake_labels.coco(tmp_path / "ls").rename(tmp_path / "ls/result.json")
    assert formats.guess(str(tmp_path / "ls")) == "coco"
    for side in ("train", "valid"):
        one = fake_labels.coco(tmp_path / "rf" / side)
        one.rename(one.parent / "_annotations.coco.json")
    assert formats.guess(str(tmp_path / "rf")) == "coco"
    with pytest.raises(ValueError, match="Found: train/_annotations.coco.json, valid/.*test_from"):
        formats.read("coco", str(tmp_path / "rf"))


@pytest.mark.parametrize("told", [("40", "60"), (40.0, 60.0), (40, 60), (40.5, 60), (True, 60)])
def test_sizes_are_numbers_or_text(tmp_path, told):
    images = [{"id": 7, "file_name": "cam1/img0.png", "height": told[0], "width": told[1]}]
    file = fake_labels.coco(tmp_path, images=images, annotations=[fake_labels.annotation(1, 7, A)])
    (item,) = coco_reader.read(str(file)).items
    assert item.told == (None if told[0] in (40.5, True) else (40, 60))


def test_two_animals_of_one_track_in_an_image_are_told(tmp_path):
    animals = [fake_labels.annotation(i, 7, points, track_id=1) for i, points in enumerate((A, B))]
    labels = coco_reader.read(str(fake_labels.coco(tmp_path, annotations=animals)))
    assert labels.individuals == ("1", "individual1")
    assert any("1 animal has the track of another one in their image" in w for w in whats(labels))
