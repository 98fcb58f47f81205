"""Folds and radii: every image held out once, and radii that cover what they promise."""

from types import SimpleNamespace
from typing import cast

import fakes
import numpy as np
import pytest

from beampose.core.settings.label_settings import Split
from beampose.trainer import cross_validation
from beampose.trainer.dataset import Dataset


def test_folds_are_equal_and_the_same_in_any_order():
    records = [fakes.label_record(i) for i in range(23)]
    names, numbers = cross_validation.by_hash(records, 5, Split())
    assert names == ["1", "2", "3", "4", "5"]
    assert sorted(numbers.count(k) for k in range(5)) == [4, 4, 5, 5, 5]
    assert cross_validation.by_hash(records[::-1], 5, Split())[1][::-1] == numbers
    assert cross_validation.by_hash(records, 5, Split(seed=1))[1] != numbers


@pytest.mark.parametrize("count", [1, 24])
def test_too_few_or_too_many_folds_are_refused(count):
    with pytest.raises(ValueError, match="must be from 2 to 23"):
        cross_validation.by_hash([fakes.label_record(i) for i in range(23)], count, Split())


def test_views_of_one_instant_are_in_one_fold():
    records = [
        fakes.label_record(i, video=f"run-{view}")._replace(name=f"run-{view}/img{i}")
        for i in range(12)
        for view in ("left", "right", "top")
    ]
    split = Split(views=["left", "right", "top"])
    _, numbers = cross_validation.by_hash(records, 4, split)
    assert [numbers[i] for i in range(0, 36, 3)] == [numbers[i] for i in range(2, 36, 3)]
    assert sorted(numbers.count(k) for k in range(4)) == [9] * 4
    with pytest.raises(ValueError, match="from 2 to 12, the instants"):
        cross_validation.by_hash(records, 13, split)
    held = cross_validation.held_out(cast(Dataset, SimpleNamespace(of=lambda _: records)), split)
    assert len(held) == 9 and len({name.rpartition("/")[2] for name in held}) == 3
    with pytest.raises(ValueError, match="one instant"):
        one = cast(Dataset, SimpleNamespace(of=lambda _: records[:3]))
        cross_validation.held_out(one, split)


def crops(sizes):
    """Records of crops: so many of each class."""
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    return [fakes.label_record(i, video=f"v{i}", label=one) for i, one in enumerate(labels)]


def learned(records, held):
    """Classes of what is not held out."""
    return {r.label for r in records if r.name not in held}


@pytest.mark.parametrize("folds", [2, 4, 5])
def test_a_head_knows_each_class_of_which_it_judges_a_crop_unless_there_is_only_one(folds):
    records = crops([*[3] * 30, 2, 2, 1])
    _, numbers = cross_validation.by_hash(records, folds, Split())
    assert cross_validation.by_hash(records[::-1], folds, Split())[1][::-1] == numbers
    for fold in range(folds):
        held = {r.name for r, n in zip(records, numbers, strict=True) if n == fold}
        assert learned(records, held) >= set(range(32))


def test_folds_that_no_class_is_in_alone_are_those_of_images_without_a_class():
    plain = [fakes.label_record(i) for i in range(40)]
    numbers = cross_validation.by_hash(plain, 4, Split())[1]
    assert cross_validation.by_hash(crops([20, 20]), 4, Split())[1] == numbers


def test_the_last_crops_of_a_class_are_learned_from_with_what_stays_together():
    records = crops([3, 2, 1, 4])
    names = [r.name for r in records]
    alone = cross_validation.without_last(records, names, names[:6])
    assert learned(records, alone) == {0, 1, 2, 3} and len(alone) == 3
    assert cross_validation.without_last(records, names, names[1:3]) == set(names[1:3])
    films = ["a", "a", "b", "b", "a", "c", "d", "d", "d", "d"]
    assert cross_validation.without_last(records, films, names[:6]) == set(names[2:4])


def test_what_would_be_chosen_by_leaves_each_class_a_crop():
    few = cast(Dataset, SimpleNamespace(of=lambda _: crops([1] * 9 + [2] * 9)))
    held = cross_validation.held_out(few, Split())
    assert held and learned(crops([1] * 9 + [2] * 9), held) == set(range(18))
    single = cast(Dataset, SimpleNamespace(of=lambda _: crops([1] * 12)))
    with pytest.raises(ValueError, match="Label more of each class"):
        cross_validation.held_out(single, Split())


@pytest.mark.parametrize("second", [None, "other/project"])
def test_images_of_a_second_project_are_in_no_fold(second):
    records = [fakes.label_record(i)._replace(split="test" if i > 3 else "train") for i in range(6)]
    info = SimpleNamespace(source={"path": "p"} | ({"test_from": second} if second else {}))
    own = cross_validation.own_part(cast(Dataset, SimpleNamespace(records=records, info=info)))
    assert len(own.records) == (4 if second else 6)


def test_each_video_is_a_fold():
    names, numbers = cross_validation.by_videos(
        [fakes.label_record(i, video="ab"[i % 2]) for i in range(6)], 0, Split()
    )
    assert names == ["a", "b"]
    assert numbers == [0, 1, 0, 1, 0, 1]
    with pytest.raises(ValueError, match="two videos or more"):
        cross_validation.by_videos([fakes.label_record(0)], 0, Split())


def test_the_radius_is_the_conformal_quantile():
    errors = np.arange(1.0, 20.0)[:, None]
    # Of 19 errors rank ceil(20 * 0.9) = 18.
    assert cross_validation.radii(errors) == [18.0]
    assert np.isnan(cross_validation.radii(errors[:8])).all()
    assert cross_validation.radii(np.r_[errors, [[np.nan]] * 7]) == [18.0]


def test_new_errors_are_covered_as_often_as_promised():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        errors = rng.gamma(2.0, 2.0, (40, 2))
        limit = cross_validation.radii(errors)
        inside.append((rng.gamma(2.0, 2.0, (50, 2)) <= limit).mean())
    assert 0.89 < np.mean(inside) < 0.93


def test_coverage_judges_each_fold_by_the_others():
    errors = np.r_[np.full((20, 1), 1.0), np.full((20, 1), 5.0)]
    number = np.repeat([0, 1], 20)
    # Fold 0 lies inside the radius of fold 1, and not the other way round.
    assert cross_validation.coverage(errors, number) == 0.5
    assert cross_validation.coverage(errors[:4], number[::10]) is None
