"""Subsets of the learning curve: nested, fair, and with every class."""

import numpy as np
import pytest

from beampose.trainer import judging, learning_curve
from beampose.trainer.schema import LabelRecord


def record(number, label=-1, split="train", copy=0):
    return LabelRecord(
        key=f"{number}-{copy}",
        name=f"img{number}",
        image_uri="",
        video="v",
        file="",
        row=number,
        split=split,
        height=8,
        width=8,
        copy=copy,
        keypoints=np.zeros((1, 1, 2)),
        label=label,
    )


def test_sizes_halve_down_to_what_teaches_something():
    assert learning_curve.subset_sizes(89, 4) == [12, 23, 45, 89]
    assert learning_curve.subset_sizes(20, 4) == [5, 10, 20]
    assert learning_curve.subset_sizes(9, 4) == [5, 9]
    assert learning_curve.subset_sizes(8, 4) == [8]
    assert learning_curve.subset_sizes(400, 3, least=150) == [200, 400]


def test_the_order_is_the_same_for_any_order_of_files_and_after_more_labels():
    records = [record(i) for i in range(40)]
    names = [r.name for r in learning_curve.nested(records, 0)]
    assert sorted(names) == sorted(r.name for r in records)
    assert [r.name for r in learning_curve.nested(records[::-1], 0)] == names
    assert [r.name for r in learning_curve.nested(records, 1)] != names
    more = [
        r.name for r in learning_curve.nested([*records, *[record(i) for i in range(40, 50)]], 0)
    ]
    assert [name for name in more if name in names] == names


def test_every_beginning_has_every_class_in_its_share():
    records = [record(i, label=0 if i < 3 else 1 if i < 23 else 2) for i in range(63)]
    found = [r.label for r in learning_curve.nested(records, 0)]
    assert sorted(found[:3]) == [0, 1, 2]
    for size in (12, 24, 48):
        for label, total in ((0, 3), (1, 20), (2, 40)):
            assert abs(found[:size].count(label) - size * total / 63) <= 2


def test_a_subset_keeps_the_copies_of_its_images_and_all_that_is_held_out():
    records = [record(i, copy=c) for i in range(6) for c in range(3)]
    records += [record(i, split="test") for i in range(6, 9)]

    class Given:
        pass

    given = Given()
    given.records = records
    found = learning_curve.subset(given, [records[0], records[6]])
    assert sorted(r.key for r in found.records if r.split == "train") == [
        "0-0",
        "0-1",
        "0-2",
        "2-0",
        "2-1",
        "2-2",
    ]
    assert sum(r.split == "test" for r in found.records) == 3
    assert given.records is records


def test_errors_are_summed_by_image():
    nan = np.nan
    truth = np.array([[[[0.0, 0.0], [nan, nan]]], [[[5.0, 5.0], [9.0, 9.0]]]])
    records = [record(i)._replace(keypoints=truth[i]) for i in range(2)]
    predicted = np.array([[[1.0, 0.0, 0.9], [3.0, 3.0, 0.9]], [[5.0, 7.0, 0.9], [39.0, 9.0, 0.9]]])
    total, count = judging.Points(["nose", "tail"], 0.6).tally(records, predicted, 17)
    assert total.tolist() == [1.0, 32.0]
    assert count.tolist() == [1.0, 2.0]


class Given(judging.Individuals):
    """Its errors are given: of three labeled points one is near, one far, one was not found."""

    def errors(self, records, predicted):
        return np.array([[3.0, 40.0], [np.nan, np.nan]])


def test_a_point_of_several_animals_that_is_not_found_is_missed():
    keypoints = np.array([[[5.0, 5.0], [9.0, 9.0]], [[1.0, 1.0], [np.nan, np.nan]]])
    records = [record(0)._replace(keypoints=keypoints)]
    total, count = Given(None, 0.6).tally(records, np.empty(0), 17)
    assert (total.tolist(), count.tolist()) == ([2.0], [3.0])


def test_crops_are_wrong_or_not():
    records = [record(i, label=label) for i, label in enumerate([0, 1, 1])]
    scores = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    total, count = judging.Classes(["bird", "none"]).tally(records, scores, 17)
    assert total.tolist() == [0.0, 1.0, 0.0]
    assert count.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("least", [5, 8])
def test_small_sets_keep_at_least_one_size(least):
    assert learning_curve.subset_sizes(4, 4, least) == [4]
