"""Suspicions on arrays: planted errors come first, with the right name and proposal."""

from types import SimpleNamespace

import numpy as np
import pytest

from beampose.pipelines.curation import label_audit, suspects
from beampose.pipelines.curation.suspects import Evidence

NAMES = ("nose", "left", "right")


def evidence(count=40):
    """Animals labeled with an error of about 2 px, predicted with one of about 3."""
    rng = np.random.default_rng(1)
    truth = rng.uniform(100, 400, (count, 1, 2)) + np.array([[0, 0], [-20, 30], [20, 30]])
    predicted = np.concatenate([truth, np.full((count, 3, 1), 0.95)], axis=-1)
    predicted[..., :2] += rng.normal(0, 3, truth.shape)
    truth = truth + rng.normal(0, 2, truth.shape)
    truth[::9, 2] = np.nan
    records = [SimpleNamespace(name=f"labeled-data/a/img{i:02d}.png") for i in range(count)]
    return Evidence(records, NAMES, truth, predicted, rng.normal(size=(count, 6)))


def test_every_labeled_point_stands_in_one_suspicion():
    given = evidence()
    found = [(one.image, part) for one in suspects.of_points(given) for part in one.parts]
    labeled = np.isfinite(given.truth).all(axis=-1)
    assert sorted(found) == [tuple(place) for place in np.argwhere(labeled).tolist()]


def test_a_moved_and_an_exchanged_label_come_first():
    given = evidence()
    given.truth[5, 0] += (20, 15)
    given.truth[7, [1, 2]] = given.truth[7, [2, 1]]
    first, second = suspects.of_points(given)[:2]
    assert {(one.image, one.parts, one.kind) for one in (first, second)} == {
        (5, (0,), suspects.FAR),
        (7, (1, 2), suspects.SWAP),
    }
    swap, far = (one for one in sorted((first, second), key=lambda one: -len(one.parts)))
    np.testing.assert_array_equal(swap.proposal, given.truth[7, [2, 1]])
    np.testing.assert_array_equal(far.proposal, given.predicted[5, :1, :2])
    assert "left and right exchanged?" in swap.reason
    assert "nose" in far.reason


def test_a_head_that_is_not_sure_accuses_less():
    given = evidence()
    given.truth[[5, 6], 0] += (20, 15)
    given.predicted[6, 0, 2] = 0.1
    score = {one.image: one.score for one in suspects.of_points(given) if one.parts == (0,)}
    assert score[5] > 2 * score[6]


def test_exchanges_agree_with_a_loop():
    given = evidence()
    given.truth[7, [1, 2]] = given.truth[7, [2, 1]]
    given.truth[8, [0, 1]] = given.truth[8, [1, 0]]
    expected = []
    for image in range(len(given.truth)):
        for a in range(3):
            for b in range(a + 1, 3):
                (ta, tb), (pa, pb) = given.truth[image, [a, b]], given.predicted[image, [a, b], :2]
                now = np.hypot(*(ta - pa)) + np.hypot(*(tb - pb))
                then = np.hypot(*(ta - pb)) + np.hypot(*(tb - pa))
                if now - then > suspects.RELIEF * now:
                    expected.append((image, a, b, pytest.approx(now - then)))
    assert sorted(suspects.exchanges(given)) == sorted(expected, key=lambda one: one[:3])
    assert {one[0] for one in expected} == {7, 8}


def test_frames_that_look_nearly_the_same_are_asked():
    given = evidence()
    for i in (10, 11, 12):
        given.looks[i] = given.looks[13] + 0.001 * i
        given.truth[i] = given.predicted[i, :, :2] = given.truth[13]
    # The head is wrong in the same way as the label: only the neighbours know better.
    given.truth[13, 0] += 40
    given.predicted[13, 0, :2] = given.truth[13, 0]
    moved, nearest = suspects.disagreement(given)
    assert nearest[13] == 10
    assert moved[13, 0] == pytest.approx(np.hypot(40, 40))
    assert np.isnan(np.delete(moved, [10, 11, 12, 13], axis=0)).all()
    first = suspects.of_points(given)[0]
    assert (first.image, first.parts, first.kind) == (13, (0,), suspects.NEIGHBOURS)
    assert "img10.png" in first.reason


def test_nearest_agrees_with_a_loop_in_blocks_too(monkeypatch):
    monkeypatch.setattr(suspects, "_ROWS", 7)
    looks = np.random.default_rng(0).normal(size=(20, 4))
    order, distance, _ = suspects.nearest(looks, 3)
    scaled = (looks - looks.mean(axis=0)) / looks.std(axis=0)
    for i in range(20):
        others = sorted((np.linalg.norm(scaled[i] - scaled[j]), j) for j in range(20) if j != i)
        assert [j for _, j in others[:3]] == order[i].tolist()
        np.testing.assert_allclose(distance[i], [d for d, _ in others[:3]], atol=1e-3)
    assert suspects.nearest(looks[:1], 3)[0].shape == (1, 0)


def test_a_crop_of_the_wrong_class_comes_first():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20)
    looks = rng.normal(0, 0.3, (40, 5)) + 3 * labels[:, None]
    scores = np.where(labels[:, None] == [[0, 1]], 0.9, 0.1)
    labels[4] = 1
    given = Evidence([], ("positive", "negative"), labels, scores, looks)
    found = suspects.of_crops(given)
    assert len(found) == 40
    assert (found[0].image, found[0].proposal, found[0].kind) == (4, 0, suspects.CLASS)
    assert found[0].score > 0.9 > 0.3 > found[1].score


def test_the_only_crop_of_a_class_comes_last_since_no_head_could_know_it():
    labels = np.array([0] * 9 + [1] * 9 + [2])
    looks = np.random.default_rng(0).normal(0, 0.3, (19, 5)) + 3 * labels[:, None]
    scores = np.eye(3)[np.minimum(labels, 1)] * 0.8 + 0.1
    names = ("bird", "none", "squirrel")
    found = suspects.of_crops(Evidence([], names, labels, scores, looks))
    assert found[-1].image == 18 and found[-1].score == 0
    assert "the only crop of squirrel" in found[-1].reason


def test_of_two_views_that_contradict_each_other_only_a_label_is_marked_that_the_head_leaves_too():
    given = evidence()
    views = np.full(given.truth.shape[:2], 2.0)
    # Upright lines 80 pixels to the right of three labels.
    lines = given.truth[:, :, None] + np.array([[80, -50], [80, 50]])
    views[3, 0] = views[4, 1] = views[6, 2] = 80
    # The head agrees with one label, is where the other view says with one, elsewhere with one.
    given.predicted[4, 1, :2] = given.truth[4, 1] + (78, 0)
    given.predicted[6, 2, :2] = given.truth[6, 2] - (70, 0)
    given = given._replace(views=views, lines=lines)
    found = {(one.image, one.parts[0]): one for one in suspects.of_points(given)}
    other, here, neither = found[3, 0], found[4, 1], found[6, 2]
    assert {other.kind, here.kind, neither.kind} == {suspects.VIEWS}
    rather = ["rather the other label" in one.reason for one in (other, here, neither)]
    assert rather == [True, False, False]
    assert [label_audit.marked(given, one) for one in (other, here, neither)] == [
        False,
        True,
        False,
    ]


def test_a_head_that_takes_something_else_for_the_animal_marks_nothing():
    given = evidence()
    given.truth[4, 1] += 300
    given.predicted[6, :, :2] += 300
    found = {one.image: one for one in suspects.of_points(given)[:4]}
    assert {*found} == {4, 6}
    assert label_audit.marked(given, found[4]) and not label_audit.marked(given, found[6])
    assert "take something else for the animal" in found[6].reason
    assert "something else" not in found[4].reason
