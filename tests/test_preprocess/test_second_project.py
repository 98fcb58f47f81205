"""A second project as the test set: matched by name, under names of its own."""

import dataclasses

import numpy as np
import pytest

from beampose.preprocess import second_project
from beampose.preprocess.labels import TEST, TRAIN, LabeledCrop, LabeledFrame, Labels


def frames(bodyparts, individuals=("one",), unique=(), count=2, video="a", project="p"):
    """Labels whose x says which individual and bodypart they are of, and y which frame."""
    shape = (len(individuals), len(bodyparts))
    number = 10.0 * np.arange(shape[0])[:, None] + np.arange(shape[1])
    items = []
    for i in range(count):
        keypoints = np.stack([number, np.full(shape, float(i))], axis=-1)
        scene = np.array([name in unique for name in bodyparts])
        single = np.array([name == "single" for name in individuals])
        keypoints[scene[None] != single[:, None]] = np.nan
        name = f"labeled-data/{video}/img{i}.png"
        items.append(
            LabeledFrame(image=name, name=name, video=video, file="f", row=i, keypoints=keypoints)
        )
    return Labels(
        items=tuple(items),
        bodyparts=bodyparts,
        individuals=individuals,
        unique_bodyparts=unique,
        project=project,
    )


def notes(labels):
    return [problem.what for problem in labels.problems]


def test_all_of_the_second_is_the_test_set_and_bodyparts_are_matched_by_name():
    first, second = frames(("nose", "ear", "tail")), frames(("hip", "tail", "nose"), video="b")
    both, sides = second_project.joined(first, second, "/other")
    assert sides == [TRAIN, TRAIN, TEST, TEST]
    np.testing.assert_array_equal(both.items[3].keypoints[0, :, 0], [2, np.nan, 1])
    np.testing.assert_array_equal(both.items[3].keypoints[0, :, 1], [1, np.nan, 1])
    np.testing.assert_array_equal(both.items[0].keypoints, first.items[0].keypoints)
    assert both.bodyparts == first.bodyparts
    assert notes(both) == [
        "split.test_from: bodyparts that are missing there and are not tested: ear",
        "split.test_from: bodyparts that are only there and are not used: hip",
    ]


def test_the_same_bodyparts_are_worth_no_word():
    both, _ = second_project.joined(frames(("a", "b")), frames(("b", "a"), video="v"), "/other")
    assert not both.problems


def test_no_common_bodypart_is_an_error():
    with pytest.raises(ValueError, match="/other has the bodyparts paw, none of.*nose, ear"):
        second_project.joined(frames(("nose", "ear")), frames(("paw",)), "/other")


def test_animals_are_matched_by_name_and_the_scene_by_its_own_row():
    first = frames(("nose", "corner"), ("ann", "bob", "single"), ("corner",))
    second = frames(("corner", "nose"), ("bob", "single"), ("corner",), video="b")
    both, _ = second_project.joined(first, second, "/other")
    expected = np.full((3, 2), np.nan)
    expected[1, 0], expected[2, 1] = 1, 10
    np.testing.assert_array_equal(both.items[2].keypoints[..., 0], expected)


def test_animals_of_other_names_are_taken_in_order_and_said():
    first, second = frames(("nose",), ("ann", "bob")), frames(("nose",), ("m1", "m2"), video="b")
    both, _ = second_project.joined(first, second, "/other")
    np.testing.assert_array_equal(both.items[2].keypoints[:, 0, 0], [0, 10])
    assert "m1 as ann, m2 as bob" in notes(both)[0]


def test_one_animal_needs_no_name():
    second = frames(("nose",), ("mouse",), video="b")
    assert not second_project.joined(frames(("nose",)), second, "/other")[0].problems


def test_more_animals_than_are_learned_are_an_error():
    with pytest.raises(ValueError, match="/other has 2 animals .m1, m2., more than the 1"):
        second_project.joined(frames(("nose",)), frames(("nose",), ("m1", "m2")), "/other")


def test_a_part_of_the_scene_is_no_part_of_an_animal():
    first = frames(("nose", "corner"), ("ann", "single"), ("corner",))
    both, _ = second_project.joined(first, frames(("nose", "corner"), video="b"), "/other")
    assert np.isnan(both.items[2].keypoints[:, 1]).all()
    assert (
        "in one project and to the scene in the other, and are not tested: corner" in notes(both)[0]
    )


def test_images_of_the_same_name_get_the_projects_name():
    first, second = frames(("nose",)), frames(("nose",), project="p 2/x")
    both, _ = second_project.joined(first, second, "/other")
    names = [item.name for item in both.items]
    assert len(set(names)) == 4
    assert names[:2] == [item.name for item in first.items]
    assert names[2].startswith("p 2_x") and names[2].endswith("/labeled-data/a/img0.png")
    assert {item.video for item in both.items} == {"a"}
    again, _ = second_project.joined(both, second, "/other")
    assert len({item.name for item in again.items}) == 6


def crops(classes, labels):
    items = tuple(
        LabeledCrop(image=f"{i}", name=f"{i}", video="v", file="f", row=1, label=label, split=TRAIN)
        for i, label in enumerate(labels)
    )
    return Labels(items=items, classes=classes)


def test_classes_of_crops_are_matched_by_name():
    first, second = crops(("bird", "other"), [0, 1]), crops(("other", "bird", "cat"), [0, 1, 1])
    both, sides = second_project.joined(first, second, "/birds.csv")
    assert [item.label for item in both.items] == [0, 1, 1, 0, 0]
    assert sides == [TRAIN] * 2 + [TEST] * 3
    assert both.items[2].name == "birds/0"
    with pytest.raises(ValueError, match="crops of class cat; those to be learned are bird, other"):
        second_project.joined(first, dataclasses.replace(second, items=crops((), [2]).items), "/b")
