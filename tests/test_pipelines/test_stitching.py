"""Tracklets to tracks: the flow that joins them, gaps, and figures of identity."""

import itertools

import herd
import numpy as np
import pytest
from herd import BODY, at, joined, piece, straight

from beampose.pipelines.tracking import costs, gaps, identity_metrics, similarity, stitch, tracklets
from beampose.pipelines.tracking.tracklets import Tracklet

NAN = np.nan
KINDS = list(similarity.KINDS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_tracklets_are_joined_over_a_gap_by_where_they_head():
    """Two that cross unseen: the nearest end would be the other's."""
    a, b = straight((0, 0), (5, 5), 41), straight((0, 200), (5, -5), 41)
    found = [piece(0, 0, a[:19]), piece(1, 0, b[:19]), piece(2, 22, a[22:]), piece(3, 22, b[22:])]
    made = stitch.stitch(found, stitch.Settings(tracks=2))
    assert {(link.before, link.after) for link in made.links} == {(0, 2), (1, 3)}
    assert {link.frame for link in made.links} == {22} and not made.left


def test_the_same_tracklets_in_any_order_give_the_same_tracks(rng):
    truth = herd.walk(rng, 80, 5)
    found, made = joined(herd.see(rng, truth), 5)
    for _ in range(3):
        again = stitch.stitch(
            [found[i] for i in rng.permutation(len(found))], stitch.Settings(tracks=5), frames=80
        )
        np.testing.assert_array_equal(again.keypoints, made.keypoints)
        assert again.links == made.links


def test_every_detection_is_in_a_track_or_left(rng):
    truth = herd.walk(rng, 80, 5)
    found, made = joined(herd.see(rng, truth, herd.Seen(false=0.5)), 4)
    held = {(one.id, int(f)) for one in found for f in one.frames}
    left = {(one.id, int(f)) for one in made.left for f in one.frames}
    frames, tracks = np.nonzero(made.ids >= 0)
    shown = set(zip(made.ids[frames, tracks].tolist(), frames.tolist(), strict=True))
    assert left and not left & shown
    assert left | shown == held


def test_the_flow_is_as_cheap_as_the_cheapest_of_all_ways(rng):
    """Against every way to put five tracklets into two tracks or to leave them out."""
    settings = stitch.Settings(tracks=2, leave=0.3)
    for _ in range(5):
        firsts = np.sort(rng.integers(0, 60, 5))
        lengths = rng.integers(5, 20, 5)
        found = [
            piece(i, int(first), straight(rng.uniform(0, 150, 2), rng.normal(0, 1, 2), length))
            for i, (first, length) in enumerate(zip(firsts, lengths, strict=True))
        ]
        known = costs.ends(found)
        best = np.inf
        for given in itertools.product((-1, 0, 1), repeat=5):
            best = min(best, price(found, known, given, settings))
        made = stitch.stitch(found, settings)
        chosen = [-1] * 5
        for track in range(2):
            for number in set(made.ids[:, track].tolist()) - {-1}:
                chosen[number] = track
        # A cut piece is in no tracklet's price: such rounds say nothing.
        if not made.left or all(len(one.frames) == lengths[one.id] for one in made.left):
            assert price(found, known, chosen, settings) == pytest.approx(best)


def price(found, known, given, settings):
    total = sum(settings.leave * len(f.frames) for f, t in zip(found, given, strict=True) if t < 0)
    for track in (0, 1):
        chain = [i for i, t in enumerate(given) if t == track]
        total += settings.begin if chain else 0
        for a, b in itertools.pairwise(chain):
            if known.first[b] <= known.last[a]:
                return np.inf
            pair = np.array([a]), np.array([b])
            total += costs.links(known, *pair, settings.weights).item()
    return total


def test_only_the_overlap_of_two_tracklets_of_one_animal_is_left_out():
    path = straight((0, 0), (4, 0), 100)
    found = [piece(0, 0, path[:60]), piece(1, 52, path[52:] + [3.0, 1.0])]
    made = stitch.stitch(found, stitch.Settings(tracks=1))
    assert sum(len(one.frames) for one in made.left) == 8
    assert not np.isnan(made.keypoints[:, 0]).any()


def test_an_animal_that_leaves_and_returns_keeps_its_track():
    stays = piece(0, 0, straight((500, 500), (0, 1), 300))
    gone, back = piece(1, 0, straight((100, 100), (-3, 0), 30)), piece(2, 200, [[5, 90.0]] * 100)
    made = stitch.stitch([stays, gone, back], stitch.Settings(tracks=2))
    assert [(link.before, link.after) for link in made.links] == [(1, 2)]
    near = stitch.stitch([stays, gone, back], stitch.Settings(tracks=2, max_gap=100))
    assert [one.id for one in near.left] == [1]


def test_an_animal_that_enters_gets_a_track_of_its_own():
    found = [piece(0, 0, [[50, 50.0]] * 40), piece(1, 45, [[900, 700.0]] * 40)]
    made = stitch.stitch(found, stitch.Settings(tracks=2))
    assert not made.links and not made.left
    assert made.ids.max(axis=0).tolist() == [0, 1]
    assert len(stitch.stitch(found).ids[0]) == 1


def test_appearance_decides_where_places_cannot():
    """Two animals that meet and part: only looks tell which is which."""
    found = [
        piece(0, 0, [[100, 100.0]] * 20),
        piece(1, 0, [[100, 140.0]] * 20),
        piece(2, 40, [[100, 100.0]] * 20),
        piece(3, 40, [[100, 140.0]] * 20),
    ]
    swapped = np.eye(4)
    swapped[0, 3] = swapped[1, 2] = 1.0
    for appearance in (swapped, lambda one, two: swapped[one.id, two.id]):
        made = stitch.stitch(found, stitch.Settings(tracks=2), appearance=appearance)
        assert {(link.before, link.after) for link in made.links} == {(0, 3), (1, 2)}
    plain = stitch.stitch(found, stitch.Settings(tracks=2))
    assert {(link.before, link.after) for link in plain.links} == {(0, 2), (1, 3)}
    with pytest.raises(ValueError, match="a row and a column for each of 4"):
        stitch.stitch(found, stitch.Settings(tracks=2), appearance=np.eye(3))
    with pytest.raises(ValueError, match="between 0 and 1"):
        stitch.stitch(found, stitch.Settings(tracks=2), appearance=swapped * 2)


def test_proportions_count_more_than_a_few_pixels():
    body = BODY - BODY.mean(axis=0)
    found = []
    for number, scale in enumerate((0.8, 1.2, 1.2, 0.8)):
        one = at((100 + 3 * (number % 2), 100), body=body * scale)
        frames = np.arange(20) + (40 if number > 1 else 0)
        found.append(Tracklet(number, frames, np.repeat(one, 20, axis=0)))
    made = stitch.stitch(found, stitch.Settings(tracks=2))
    assert {(link.before, link.after) for link in made.links} == {(0, 3), (1, 2)}


def test_what_the_tracker_joined_stays_joined():
    """It saw every frame between; the ends of pieces say less."""
    here, there = [[100, 100.0]] * 20, [[200, 100.0]] * 20
    found = [piece(0, 0, here), piece(1, 0, there), piece(0, 20, there), piece(1, 20, here)]
    made = stitch.stitch(found, stitch.Settings(tracks=2))
    assert not made.links and (made.ids == [0, 1]).all()


def test_an_upright_animal_has_one_axis_whichever_way_its_angle_is_told():
    def leaning(degrees):
        lean = np.deg2rad(degrees)
        turn = np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]])
        return at((100, 100), body=(BODY - BODY.mean(axis=0)) @ turn)

    frames = [leaning(86 if i % 2 else 94) for i in range(20)]
    assert len(list(tracklets.track(frames, tracklets.Settings("ellipse", 0.95)))) == 1


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([piece(0, 5, [[1, 1.0]] * 9)], "there are 10 frames"),
        ([piece(0, 0, [[1, 1.0]] * 9), piece(0, 5, [[1, 1.0]] * 2)], "another one with this id"),
        ([Tracklet(3, np.array([2, 2]), at((1, 1), (1, 1)))], "tracklet 3: frames must increase"),
        ([Tracklet(3, np.array([2]), at((1, 1), (1, 1)))], "tracklet 3: keypoints"),
    ],
)
def test_tracklets_that_cannot_be_are_refused(found, told):
    with pytest.raises(ValueError, match=told):
        stitch.stitch(found, frames=10)


@pytest.mark.parametrize(
    "wrong", [{"tracks": 0}, {"max_gap": 0}, {"min_length": 0}, {"leave": -1}, {"begin": NAN}]
)
def test_settings_of_stitching_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        stitch.Settings(**wrong)
    with pytest.raises(ValueError, match="The weight motion"):
        costs.Weights(motion=-1)


def test_short_gaps_are_filled_by_straight_lines_and_long_ones_are_not():
    keypoints = np.full((12, 1, 2, 3), NAN)
    keypoints[[1, 4, 9], 0, 0] = [[10, 0, 0.9], [40, 6, 0.8], [0, 0, 0.7]]
    filled = gaps.fill(keypoints, 3)
    np.testing.assert_allclose(filled[2:4, 0, 0], [[20, 2, 0], [30, 4, 0]])
    assert np.isnan(filled[5:9]).all() and np.isnan(filled[[0, 10, 11]]).all()
    assert np.isnan(filled[:, 0, 1]).all()
    np.testing.assert_array_equal(filled[[1, 4, 9]], keypoints[[1, 4, 9]])
    assert np.isnan(keypoints[2]).all()


def test_figures_are_those_worked_out_by_hand():
    truth = np.zeros((4, 2, 1, 2))
    truth[:, 1] = 100
    tracks = truth.copy()
    # They change places in the last frame; one is lost in the second; one stands where nobody is.
    tracks[3] = tracks[3, ::-1]
    tracks[1, 1] = NAN
    tracks[2, 0] = 500
    found = identity_metrics.figures(truth, tracks, reach=10)
    assert found["switches"] == 2 and found["misses"] == 2 and found["false"] == 1
    assert found["mota"] == pytest.approx(1 - 5 / 8)
    assert found["detection_rate"] == pytest.approx(6 / 8)
    # In their own tracks: two of the first, two of the second.
    assert found["idf1"] == pytest.approx(2 * 4 / (8 + 7))
    assert np.isnan(identity_metrics.figures(truth * NAN, tracks)["mota"])


@pytest.mark.parametrize("seed", range(6))
def test_figures_are_those_of_motmetrics(seed):
    motmetrics = pytest.importorskip("motmetrics")
    rng = np.random.default_rng(seed)
    truth = herd.walk(rng, 60, 4, side=140, bodyparts=3)
    tracks = np.concatenate([truth + rng.normal(0, 8, truth.shape), truth[:, :1] + 300], axis=1)
    for at_frame in rng.integers(0, 60, 4):
        tracks[at_frame:] = tracks[at_frame:, rng.permutation(5)]
    tracks[rng.random(tracks.shape[:2]) < 0.2] = NAN
    truth[rng.random(truth.shape[:2]) < 0.1] = NAN
    ours = identity_metrics.figures(truth, tracks, reach=40)
    held = motmetrics.MOTAccumulator(auto_id=True)
    for one, two in zip(truth, tracks, strict=True):
        here, there = (np.flatnonzero(~np.isnan(e[:, 0, 0])) for e in (one, two))
        apart = np.linalg.norm(one[here][:, None] - two[there], axis=-1).mean(axis=-1)
        held.update(here, there, np.where(apart <= 40, apart, NAN))
    names = ["idf1", "idp", "idr", "mota", "recall", "num_switches", "num_misses"]
    theirs = motmetrics.metrics.create().compute(held, metrics=names).iloc[0]
    mine = ["idf1", "idp", "idr", "mota", "detection_rate", "switches", "misses"]
    # Recall there counts a switch as found, and so does ours.
    np.testing.assert_allclose([ours[name] for name in mine], theirs[names].to_numpy(float))
