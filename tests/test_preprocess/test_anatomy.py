"""Distances between bodyparts: what is usual, and who is out of place."""

import numpy as np
import pytest

from beampose.preprocess import anatomy

NAMES = ("nose", "ear", "tail", "tip")


def animals(count=30):
    """Animals of one shape, turned and moved; some bodyparts missing."""
    rng = np.random.default_rng(0)
    shape = np.array([[0.0, 0.0], [12.0, 5.0], [60.0, 0.0], [90.0, 0.0]])
    angle = rng.uniform(0, 2 * np.pi, count)
    turn = np.stack([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = np.einsum("ijn,pj->npi", turn, shape) + rng.uniform(100, 400, (count, 1, 2))
    found += rng.normal(0, 0.5, found.shape)
    found[::7, 3] = np.nan
    return found


def test_figures_count_labels_and_name_the_nearest():
    found = {one.name: one for one in anatomy.figures(animals(), NAMES)}
    assert (found["tip"].labeled, found["tip"].missing) == (25, 5)
    assert (found["nose"].nearest, found["tip"].nearest) == ("ear", "tail")
    assert found["nose"].median == pytest.approx(13, abs=0.5)
    assert found["nose"].low < found["nose"].median < found["nose"].high


def test_a_lonely_bodypart_has_no_distances():
    (one,) = anatomy.figures(animals()[:, :1], ["nose"])
    assert one.nearest is None
    assert anatomy.figures(np.full((3, 2, 2), np.nan), ["a", "b"])[0].labeled == 0


def test_only_the_bodypart_out_of_place_is_odd():
    keypoints = animals()
    assert not any(anatomy.oddities(keypoints))
    keypoints[4, 2] += (0, 40)
    found = anatomy.oddities(keypoints)
    assert [i for i, one in enumerate(found) if one] == [4]
    odd = found[4]
    assert odd and NAMES[odd.bodypart] == "tail"
    assert odd.usual == pytest.approx(
        np.nanmedian(anatomy.distances(keypoints)[:, 2, odd.other]), abs=1e-9
    )


def test_few_labels_say_nothing():
    keypoints = animals(7)
    keypoints[4, 2] += (0, 400)
    assert not any(anatomy.oddities(keypoints))


def test_distances_agree_with_a_loop():
    keypoints = animals(3)
    found = anatomy.distances(keypoints)
    for n, i, j in np.ndindex(*found.shape):
        expected = np.hypot(*(keypoints[n, i] - keypoints[n, j]))
        assert found[n, i, j] == pytest.approx(expected, nan_ok=True)
