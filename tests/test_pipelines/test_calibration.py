"""Calibration against slow obvious versions, and figures by hand."""

import numpy as np
import pytest

from beampose.pipelines.report import calibration


def slow_bins(score, right, count):
    """(score, share, count) of each bin that holds something, one answer at a time."""
    held = [[] for _ in range(count)]
    for s, r in zip(score, right, strict=True):
        for number in range(count):
            last = number == count - 1
            if number / count <= s < (number + 1) / count or (last and s == 1.0):
                held[number].append((s, r))
    return [
        (np.mean([s for s, _ in one]), np.mean([r for _, r in one]), len(one))
        for one in held
        if one
    ]


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    score = np.r_[rng.uniform(0, 1, 200), 0.0, 1.0, 0.55]
    return score, rng.uniform(0, 1, 203) < score**2


def test_bins_equal_a_loop_over_answers(answers):
    found = calibration.bins(*answers)
    expected = slow_bins(*answers, calibration.BINS)
    assert len(found) == 10
    for one, (score, share, count) in zip(found, expected, strict=True):
        assert (one.score, one.share, one.count) == pytest.approx((score, share, count))
        assert one.low <= one.score <= one.high
        assert one.least <= one.share <= one.most


def test_empty_bins_are_left_out():
    found = calibration.bins(np.array([0.95, 0.97, 1.0]), np.array([True, True, False]))
    assert [(one.low, one.count) for one in found] == [(0.9, 3)]


def test_the_calibration_error_is_the_mean_gap_by_size(answers):
    score, right = answers
    gaps = [abs(a - b) * n for a, b, n in slow_bins(score, right, 10)]
    assert calibration.expected_error(score, right) == pytest.approx(sum(gaps) / len(score))


def test_who_is_right_as_often_as_sure_has_no_error_and_the_too_sure_one_has():
    score = np.repeat([0.25, 0.75], 40)
    right = np.tile([True, False, False, False], 10)
    assert calibration.expected_error(score, np.r_[right, ~right]) == 0.0
    assert calibration.expected_error(score, np.zeros(80, bool)) == pytest.approx(0.5)


def test_few_answers_get_no_figure():
    count = calibration.FEWEST - 1
    assert calibration.expected_error(np.ones(count), np.ones(count, bool)) is None


def test_intervals_of_shares_hold_as_often_as_promised():
    # Of 8 out of 10: Wilson's interval, as tables have it.
    assert calibration.wilson(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)
    assert calibration.wilson(0, 5)[0] == 0.0
    assert calibration.wilson(5, 5)[1] == 1.0
    rng = np.random.default_rng(0)
    inside = 0
    for hits in rng.binomial(25, 0.9, 2000):
        low, high = calibration.wilson(int(hits), 25)
        inside += low <= 0.9 <= high
    assert 0.92 < inside / 2000 < 0.99


def test_cutoffs_equal_a_loop():
    rng = np.random.default_rng(1)
    likelihood, error = rng.uniform(0, 1, 60), rng.gamma(2, 4, 60)
    unlabeled = rng.uniform(0, 0.5, 7)
    cutoffs = calibration.listed(0.33)
    assert 0.33 in cutoffs
    found = calibration.kept(likelihood, error, unlabeled, cutoffs, tolerance=8.0)
    for one, cutoff in zip(found, cutoffs, strict=True):
        own = [e for s, e in zip(likelihood, error, strict=True) if s >= cutoff]
        assert one.count == len(own)
        assert one.share == len(own) / 60
        assert one.mean == pytest.approx(np.mean(own))
        assert one.median == pytest.approx(np.median(own))
        assert one.right == np.mean([e <= 8.0 for e in own])
        assert one.invented == np.mean([s >= cutoff for s in unlabeled])


def test_a_cutoff_that_keeps_nothing_says_nothing():
    (one,) = calibration.kept(
        np.array([0.2]), np.array([3.0]), np.empty(0), np.array([0.9]), tolerance=5.0
    )
    assert (one.count, one.share) == (0, 0.0)
    assert np.isnan([one.mean, one.median, one.right, one.invented]).all()


def test_precision_and_recall_equal_a_count():
    score = np.array([0.1, 0.5, 0.5, 0.8, 0.9])
    positive = np.array([False, True, False, True, True])
    low, middle, high = calibration.rates(score, positive, np.array([0.0, 0.5, 0.95]))
    assert (low.called, low.precision, low.recall) == (5, 0.6, 1.0)
    assert (middle.called, middle.precision, middle.recall) == (4, 0.75, 1.0)
    assert (high.called, high.recall) == (0, 0.0)
    assert np.isnan(high.precision)
