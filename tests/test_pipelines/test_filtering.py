"""What a filter makes of predictions: medians, polynomials, smoothers, gaps."""

import numpy as np
import pytest
from scipy import signal
from walks import walk

from beampose.core.settings import experiment
from beampose.pipelines.results import rts_smoother, smoothing

FILTER = experiment.Filter()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def filtered(values, settings=FILTER, frames=None, pcutoff=0.6):
    frames = np.arange(len(values)) if frames is None else frames
    return smoothing.filtered(values, settings, pcutoff=pcutoff, frames=frames)


def test_a_median_is_deeplabcuts_away_from_the_ends(rng):
    values = walk(rng)
    for window in (3, 5, 9):
        half = window // 2
        found = filtered(values, experiment.Filter(window=window)).values
        for point, axis in np.ndindex(2, 2):
            expected = signal.medfilt(values[:, point, axis], window)
            np.testing.assert_allclose(found[half:-half, point, axis], expected[half:-half])
    assert np.array_equal(found[..., 2], values[..., 2])


def test_a_median_is_that_of_what_is_there(rng):
    series = rng.normal(size=(30, 3))
    series[rng.random(series.shape) < 0.3] = np.nan
    found = smoothing.median(series, 5)
    for row, column in np.ndindex(series.shape):
        window = series[max(row - 2, 0) : row + 3, column]
        if np.isnan(series[row, column]):
            assert np.isnan(found[row, column])
        else:
            assert found[row, column] == pytest.approx(np.nanmedian(window))


def test_savgol_filters_each_run_by_itself(rng):
    values = walk(rng, 40, 1)
    values[25, 0] = np.nan
    found = filtered(values, experiment.Filter(method="savgol", window=7, order=2)).values
    for part in (slice(0, 25), slice(26, 40)):
        expected = np.asarray(signal.savgol_filter(values[part, 0, 0], 7, 2))
        np.testing.assert_allclose(found[part, 0, 0], expected)
    assert np.isnan(found[25, 0]).all()
    short = filtered(values[:3], experiment.Filter(method="savgol")).values
    np.testing.assert_allclose(short, values[:3])
    with pytest.raises(ValueError, match="not evenly spaced.*kalman can"):
        filtered(values[:4], experiment.Filter(method="savgol"), frames=np.array([0, 5, 10, 16]))


@pytest.mark.parametrize("method", ["median", "savgol", "kalman"])
def test_short_gaps_are_bridged_and_long_ones_stay_as_predicted(rng, method):
    truth = walk(rng, 60, 1)
    values = truth.copy()
    values[20:23, 0] = [900, 900, 0.1]
    values[40:50, 0] = [700, 700, 0.2]
    values[58:, 0, 2] = 0.1
    found = filtered(values, experiment.Filter(method=method, fill=5))
    assert found.bridged == 3
    assert np.abs(found.values[20:23, 0, :2] - truth[20:23, 0, :2]).max() < 3
    assert (found.values[40:50, 0, :2] == 700).all()
    assert np.array_equal(found.values[..., 2], values[..., 2])
    assert np.array_equal(found.values[58:], values[58:])


def test_a_kalman_smoother_is_the_gaussian_of_all_rows_at_once(rng, monkeypatch):
    """Against the dense solution: the mean of all places given all predictions."""
    # Vaguer, the dense solution drowns in rounding.
    monkeypatch.setattr(rts_smoother, "_VAGUE", 50.0)
    rows, ratio, steps = 25, 0.3, np.ones(24)
    steps[10] = 3.0
    series = rng.normal(size=(rows, 2)).cumsum(axis=0)
    series[[5, 6, 19]] = np.nan
    found, leverage = rts_smoother._smooth(series, steps[:, None], np.full(2, ratio))
    first = series[0]
    mean = np.zeros(2 * rows)
    shift, noise = np.eye(2 * rows), np.zeros((2 * rows, 2 * rows))
    noise[:2, :2] = rts_smoother._VAGUE * np.eye(2)
    for row, dt in enumerate(steps, 1):
        here, before = slice(2 * row, 2 * row + 2), slice(2 * row - 2, 2 * row)
        move = np.array([[1, dt], [0, 1]])
        shift[here] = move @ shift[before]
        shift[here, here] = np.eye(2)
        noise[here, here] = ratio * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    prior = shift @ noise @ shift.T
    for k in range(2):
        seen = 2 * np.flatnonzero(np.isfinite(series[:, k]))
        gain = prior[:, seen] @ np.linalg.inv(prior[np.ix_(seen, seen)] + np.eye(len(seen)))
        expected = mean + gain @ (series[seen // 2, k] - first[k])
        np.testing.assert_allclose(found[:, k], expected[::2] + first[k], atol=1e-4)
        posterior = prior - gain @ prior[seen]
        np.testing.assert_allclose(leverage[:, k], np.diag(posterior)[::2], atol=1e-4)


def test_chunks_of_a_long_video_join_without_a_seam(rng, monkeypatch):
    series = walk(rng, 900, 1)[..., :2].reshape(900, 2)
    whole = rts_smoother.smooth(series, np.ones(899)).places
    monkeypatch.setattr(rts_smoother, "_CHUNK", 250)
    monkeypatch.setattr(rts_smoother, "_AROUND", 150)
    monkeypatch.setattr(rts_smoother, "_AT_ONCE", 3)
    np.testing.assert_allclose(rts_smoother.smooth(series, np.ones(899)).places, whole, atol=1e-6)


def test_noise_goes_and_the_walk_stays(rng):
    truth = walk(rng, 400, 2)
    noisy = truth.copy()
    noisy[..., :2] += rng.normal(0, 3, noisy[..., :2].shape)
    found = filtered(noisy, experiment.Filter(method="kalman")).values
    before = np.abs(noisy[..., :2] - truth[..., :2]).mean()
    assert np.abs(found[..., :2] - truth[..., :2]).mean() < 0.6 * before


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"method": "mean"}, "must be one of median, savgol, kalman"),
        ({"window": 4}, "must be odd"),
        ({"order": 2}, "filter.order does not apply to method median"),
        ({"method": "kalman", "window": 5}, "filter.window does not apply"),
        ({"pcutoff": 0.5}, "filter.pcutoff does not apply"),
        ({"method": "savgol", "window": 3, "order": 3}, "must be below filter.window"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        experiment.from_dict(experiment.Filter, keys)
