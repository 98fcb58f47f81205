"""Errors and rates against numbers worked out by hand."""

import numpy as np
import pytest

from beampose.trainer import metrics

NAN = np.nan


def pose():
    truth = np.array([[[0, 0], [10, 10]], [[0, 0], [NAN, NAN]], [[5, 5], [20, 0]]], float)
    predicted = np.array(
        [
            [[3, 4, 0.9], [10, 10, 0.2]],
            [[0, 0, 0.1], [1, 1, 0.9]],
            [[5, 17, 0.7], [20, 0, 0.95]],
        ]
    )
    return metrics.pose_metrics(truth, predicted, ["nose", "tail"], 0.6)


def test_the_mean_error_is_the_mean_distance_of_labeled_points():
    assert pose()["mean_error_px"] == pytest.approx((5 + 0 + 0 + 12 + 0) / 5)
    assert pose()["points"] == 5


def test_rmse_is_the_root_of_the_mean_square():
    assert pose()["rmse_px"] == pytest.approx(np.sqrt((25 + 144) / 5))


def test_below_the_cutoff_points_do_not_count():
    assert pose()["mean_error_px_pcutoff"] == pytest.approx((5 + 12 + 0) / 3)
    assert pose()["share_above_pcutoff"] == pytest.approx(3 / 5)


def test_each_bodypart_has_its_own_error():
    assert pose().per_bodypart["nose"].mean_error_px == pytest.approx(17 / 3)
    assert pose().per_bodypart["tail"].points == 2


def test_without_labels_there_is_no_error():
    none = metrics.pose_metrics(np.full((3, 2, 2), NAN), np.zeros((3, 2, 3)), ["a", "b"], 0.6)
    assert none["mean_error_px"] is None
    assert none["rmse_px"] is None


def test_crop_rates_take_class_zero_as_positive():
    labels = np.array([0, 0, 0, 1, 1])
    scores = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])
    found = metrics.crop_metrics(labels, scores, ["positive", "negative"], 0.5)
    assert found["confusion"] == [[2, 1], [1, 1]]
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)


def test_auc_counts_pairs_and_halves_ties():
    positive = np.array([True, True, False, False])
    score = np.array([0.9, 0.5, 0.5, 0.1])
    pairs = [(p, n) for p in score[positive] for n in score[~positive]]
    expected = sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)
    assert metrics.auc(positive, score) == pytest.approx(expected)
    assert metrics.auc(np.array([True]), np.array([1.0])) is None
