"""Targets and decoding: slow, obvious versions, and the round trip."""

import numpy as np
import pytest
import tensorflow as tf

from beampose.trainer import cells, dataset, decode, targets

STDEV = 7.2801
RADIUS = 17.0


def maps(keypoints, rows, columns, cell, origin=(0.0, 0.0)):
    batch = len(keypoints)
    x, y = targets.centres(
        rows,
        columns,
        tf.constant([cell] * batch, tf.float32),
        tf.constant([origin] * batch, tf.float32),
    )
    scoremap, locref = targets.pose_targets(
        tf.constant(keypoints, tf.float32), x, y, pos_dist_thresh=RADIUS, locref_stdev=STDEV
    )
    return scoremap, locref, x, y


def test_targets_equal_a_loop_over_cells():
    rng = np.random.default_rng(0)
    rows, columns, cell = 7, 11, (8.0, 9.5)
    keypoints = rng.uniform(0, 80, (3, 2, 4, 2))
    keypoints[1, 0, 2] = np.nan
    keypoints[2, :, 1] = np.nan
    scoremap, locref, _, _ = maps(keypoints, rows, columns, cell)
    for b in range(3):
        for r in range(rows):
            for c in range(columns):
                centre = np.array([(c + 0.5) * cell[0], (r + 0.5) * cell[1]])
                for j in range(4):
                    offsets = keypoints[b, :, j] - centre
                    distance = np.linalg.norm(offsets, axis=1)
                    near = np.nanmin(distance) if np.isfinite(distance).any() else np.inf
                    assert scoremap[b, r, c, j] == (near <= RADIUS)
                    expected = offsets[np.nanargmin(distance)] / STDEV if near <= RADIUS else (0, 0)
                    np.testing.assert_allclose(locref[b, r, c, j], expected, atol=1e-4)


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.25, 1.5])
@pytest.mark.parametrize(("height", "width"), [(480, 640), (470, 640), (747, 832), (131, 97)])
def test_a_point_anywhere_comes_back_within_half_a_pixel(scale, height, width):
    rng = np.random.default_rng(1)
    points = rng.uniform(0, [width, height], (40, 1, 3, 2))
    points[0, 0] = [(0, 0), (width - 1e-3, height - 1e-3), (width - 1e-3, 0)]
    rows, columns = cells.grid(height, width, scale)
    scoremap, locref, x, y = maps(points, rows, columns, (width / columns, height / rows))
    found = decode.keypoints(scoremap, locref, x, y, locref_stdev=STDEV).numpy()
    assert np.abs(found[..., :2] - points[:, 0]).max() < 0.5
    assert (found[..., 2] == 1).all()


def test_a_window_of_a_map_has_the_targets_of_the_map_there():
    keypoints = np.array([[[(50.0, 40.0), (np.nan, np.nan), (100.0, 20.0)]]])
    whole, refined, _, _ = maps(keypoints, 12, 16, (8.0, 8.0))
    part, part_refined, _, _ = maps(keypoints, 5, 6, (8.0, 8.0), origin=(24.0, 16.0))
    np.testing.assert_array_equal(part, whole[:, 2:7, 3:9])
    np.testing.assert_allclose(part_refined, refined[:, 2:7, 3:9], atol=1e-5)


def test_decoding_takes_the_peak_and_votes_around_it():
    scoremap = np.zeros((3, 6, 9, 1), np.float32)
    locref = np.zeros((3, 6, 9, 1, 2), np.float32)
    scoremap[:, 3, 4], scoremap[:, 3, 5], scoremap[:, 0, 0] = 0.8, 0.4, 0.7
    locref[:, 3, 5, 0] = (-1.0, 0.5)
    x = tf.constant([np.arange(9) * 10.0] * 3, tf.float32)
    y = tf.constant([np.arange(6) * 20.0] * 3, tf.float32)
    found = decode.keypoints(
        tf.constant(scoremap), tf.constant(locref), x, y, locref_stdev=2.0
    ).numpy()
    votes = {(40.0, 60.0): 0.8**2, (50.0 - 2.0, 60.0 + 1.0): 0.4**2}
    expected = sum(np.array(p) * w for p, w in votes.items()) / sum(votes.values())
    np.testing.assert_allclose(found[:, 0, :2], [expected] * 3, rtol=1e-6)
    np.testing.assert_allclose(found[:, 0, 2], 0.8)


@pytest.mark.parametrize(
    "grid, share", [((84, 112), 0.8), ((120, 180), 0.569), ((135, 240), 0.4), ((270, 480), 0.4)]
)
def test_of_large_maps_more_windows_show_background(grid, share):
    assert dataset.near_share(grid, 16, 1) == pytest.approx(share, abs=1e-3)
    assert dataset.near_share(grid, 16, 2) == dataset.NEAR


def test_a_peak_in_the_corner_does_not_vote_from_outside():
    scoremap = np.zeros((1, 4, 5, 1), np.float32)
    scoremap[0, 0, 0] = 1.0
    locref = np.zeros((1, 4, 5, 1, 2), np.float32)
    x, y = (
        tf.constant([np.arange(5) + 0.5], tf.float32),
        tf.constant([np.arange(4) + 0.5], tf.float32),
    )
    found = decode.keypoints(tf.constant(scoremap), tf.constant(locref), x, y, locref_stdev=1.0)
    np.testing.assert_allclose(found[0, 0], (0.5, 0.5, 1.0))


def test_an_empty_map_gives_numbers_with_likelihood_zero():
    zeros = tf.zeros((2, 4, 6, 3))
    x, y = tf.zeros((2, 6)), tf.zeros((2, 4))
    found = decode.keypoints(zeros, tf.zeros((2, 4, 6, 3, 2)), x, y, locref_stdev=1.0).numpy()
    assert np.isfinite(found).all()
    assert (found[..., 2] == 0).all()


def peaked(columns, peaks):
    """Score maps (1, 4, columns, bodyparts) and flat locref: `peaks` is (bodypart, column, p)."""
    scoremap = np.full((1, 4, columns, 3), 1e-4, np.float32)
    for bodypart, column, likelihood in peaks:
        scoremap[0, 2, column, bodypart] = likelihood
    return tf.constant(scoremap), tf.zeros((1, 4, columns, 3, 2))


def decoded(peaks, reach, columns=60):
    scoremap, locref = peaked(columns, peaks)
    x, y = targets.centres(4, columns, tf.constant([[8.0, 8.0]]), tf.zeros((1, 2)))
    found = decode.keypoints(scoremap, locref, x, y, locref_stdev=STDEV, reach=reach)
    return found.numpy()[0]


def test_a_peak_far_from_the_other_bodyparts_yields_to_a_lower_one_that_fits():
    reach = np.array([[np.inf, 40, 40], [40, np.inf, 40], [40, 40, np.inf]], np.float32)
    peaks = [(0, 10, 0.9), (1, 12, 0.8), (2, 50, 0.95), (2, 13, 0.1)]
    found = decoded(peaks, reach)
    np.testing.assert_allclose(found[:, 0], [84, 100, 108], rtol=1e-5)
    np.testing.assert_allclose(found[:, 2], [0.9, 0.8, 0.1], rtol=1e-5)
    highest = decoded(peaks, None)
    np.testing.assert_allclose(highest[:, 0], [84, 100, 404], rtol=1e-5)


def test_where_nothing_lower_fits_the_highest_peak_stands():
    reach = np.full((3, 3), 40, np.float32)
    found = decoded([(0, 10, 0.9), (1, 12, 0.8), (2, 50, 0.95)], reach)
    assert found[2, 0] == pytest.approx(404)
    assert found[2, 2] == np.float32(0.95)


def test_bodyparts_seldom_seen_together_do_not_bind_each_other():
    keypoints = np.random.default_rng(0).uniform(0, 100, (20, 3, 2))
    keypoints[4:, 2] = np.nan
    reach = decode.reaches(keypoints)
    assert reach is not None
    distance = np.linalg.norm(keypoints[:, 0] - keypoints[:, 1], axis=-1)
    assert reach[0, 1] == reach[1, 0] == np.float32(distance.max())
    assert np.isinf(reach[2]).all() and np.isinf(np.diag(reach)).all()
    assert decode.reaches(keypoints[:4]) is None


def test_maps_with_fewer_cells_than_candidates_decode():
    scoremap, locref = tf.fill((2, 1, 2, 3), 0.5), tf.zeros((2, 1, 2, 3, 2))
    x, y = targets.centres(1, 2, tf.constant([[8.0, 8.0]] * 2), tf.zeros((2, 2)))
    reach = np.full((3, 3), 10, np.float32)
    found = decode.keypoints(scoremap, locref, x, y, locref_stdev=STDEV, reach=reach).numpy()
    assert np.isfinite(found).all()
