"""Detections to tracklets: simulated herds, two real flies, slow versions."""

import herd
import numpy as np
import pandas as pd
import pytest
from herd import at, joined, straight

from beampose.pipelines.tracking import identity_metrics, similarity, stitch, tracklets
from beampose.pipelines.tracking.motion_filter import Kalman, Noise
from beampose.pipelines.tracking.tracklets import Tracker

NAN = np.nan
KINDS = list(similarity.KINDS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("kind", KINDS)
def test_animals_that_cross_keep_their_tracks(kind, rng):
    a = straight((100, 100), (6, 5), 60)
    b = straight((100, 395), (6, -5), 60)
    truth = np.stack([at(*a), at(*b)], axis=1)[..., :2]
    shuffled = [at(*frame)[rng.permutation(2)] for frame in np.stack([a, b], axis=1)]
    found, made = joined(shuffled, 2, kind)
    assert len(found) == 2
    figures = identity_metrics.figures(truth, made.keypoints)
    assert figures["idf1"] == 1 and figures["switches"] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bodyparts", [1, 2, 9])
def test_a_herd_is_tracked_nearly_as_well_as_it_was_seen(kind, bodyparts, rng):
    truth = herd.walk(rng, 120, 6, bodyparts=bodyparts)
    detections = herd.see(rng, truth)
    _, made = joined(detections, 6, kind)
    figures = identity_metrics.figures(truth, made.keypoints, reach=30)
    seen = sum(int((~np.isnan(one[..., 0])).any(axis=1).sum()) for one in detections)
    # One point of two is half an animal away from its centre, and centres are what those compare.
    less = 0.12 if bodyparts == 2 and kind != "skeleton" else 0.05
    assert figures["idf1"] > 2 * seen / (seen + truth.shape[0] * 6) - less
    assert figures["switches"] <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_animal_behind_something_comes_back_as_the_same_tracklet(kind):
    path = straight((100, 100), (7, 3), 40)
    frames = [at(*([] if 15 <= i < 20 else [place])) for i, place in enumerate(path)]
    found = list(tracklets.track(frames, tracklets.Settings(similarity=kind, max_age=5)))
    assert [len(one.frames) for one in found] == [35]
    assert len(list(tracklets.track(frames, tracklets.Settings(similarity=kind, max_age=4)))) == 2


def test_a_tracklet_is_handed_out_when_it_ends_and_not_held_any_longer():
    tracker = Tracker(tracklets.Settings(max_age=1))
    handed = [tracker.update(at((50, 50)) if i < 3 else at()) for i in range(6)]
    assert [len(one) for one in handed] == [0, 0, 0, 0, 1, 0]
    assert handed[4][0].frames.tolist() == [0, 1, 2]
    assert tracker.finish() == []


def test_a_long_tracklet_is_handed_out_in_pieces_and_stitched_whole():
    path = straight((100, 100), (2, 0), 25)
    found = list(tracklets.track([at(p) for p in path], tracklets.Settings(longest=10)))
    assert [(one.id, len(one.frames)) for one in found] == [(0, 10), (0, 10), (0, 5)]
    made = stitch.stitch(found[::-1], stitch.Settings(tracks=1, min_length=20))
    assert not made.left and not made.links
    np.testing.assert_array_equal(made.keypoints[:, 0, :, :2], at(*path)[..., :2])


def test_each_detection_of_a_tracklet_knows_its_place_in_the_frame(rng):
    truth = herd.walk(rng, 60, 4, bodyparts=3)
    detections = herd.see(rng, truth)
    found, made = joined(detections, 3)
    assert sum(len(one.frames) for one in found) > 100
    for one in [*found, *made.left]:
        given = [detections[frame][slot] for frame, slot in zip(one.frames, one.slots, strict=True)]
        np.testing.assert_array_equal(one.keypoints, given)


def test_frames_without_anybody_are_no_trouble():
    nobody = np.full((3, 4, 3), NAN)
    frames = [nobody, at(), at((50, 50)), nobody, at((51, 50))]
    (one,) = tracklets.track(frames)
    assert one.frames.tolist() == [2, 4]
    assert list(tracklets.track([nobody, nobody])) == []
    made = stitch.stitch([], stitch.Settings(tracks=2), frames=7, bodyparts=4)
    assert made.keypoints.shape == (7, 2, 4, 3) and np.isnan(made.keypoints).all()


def test_a_video_of_one_frame_has_its_animals():
    _, made = joined([at((50, 50), (200, 80))], 2)
    assert made.keypoints.shape == (1, 2, 4, 3)
    assert not np.isnan(made.keypoints).any()


def test_a_short_tracklet_is_refused_and_counted_where_more_detections_are_asked_for():
    tracker = Tracker(tracklets.Settings(min_hits=3))
    for i in range(10):
        tracker.update(at((50, 50), (400, 400)) if i == 4 else at((50, 50)))
    assert [len(one.frames) for one in tracker.finish()] == [10]
    assert tracker.refused == 1


def test_a_point_without_a_number_is_missing_whatever_it_holds_instead():
    one = at((50, 50))
    one[0, 1, 0], one[0, 2, 1] = np.inf, NAN
    (found,) = tracklets.track([one])
    assert np.isnan(found.keypoints[0, 1:3]).all() and np.isfinite(found.keypoints[0, [0, 3]]).all()


@pytest.mark.parametrize(
    ("shape", "told"), [((2, 4), "individuals, bodyparts, 3"), ((1, 5, 3), "frame 1: .* 5 body")]
)
def test_detections_of_another_shape_are_refused(shape, told):
    tracker = Tracker()
    tracker.update(at((50, 50)))
    with pytest.raises(ValueError, match=told):
        tracker.update(np.zeros(shape))


@pytest.mark.parametrize(
    "wrong",
    [{"similarity": "colour"}, {"min_similarity": 0}, {"max_age": -1}, {"min_hits": 0}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        tracklets.Settings(**wrong)


def test_the_filter_is_the_textbook_one(rng):
    noise = Noise(np.array([0.1, 0.2]), np.array([0.05, 0.1]), np.array([0.5, 1.0]))
    filters = Kalman(noise)
    path = rng.normal(0, 1, (12, 2)).cumsum(axis=0)
    filters.add(path[:1], np.full((1, 2), 3.0))
    state, spread = np.array([path[0, 1], 0.0]), np.diag([0.6**2, 3.0**2])
    move, change = np.array([[1, 1], [0, 1.0]]), 0.3**2 * np.array([[0.25, 0.5], [0.5, 1]])
    look = np.array([[1.0, 0.0]])
    for observed in path[1:]:
        filters.predict(np.array([False]))
        filters.update(np.array([0]), observed[None])
        state, spread = move @ state, move @ spread @ move.T + change
        gain = spread @ look.T / (look @ spread @ look.T + 0.6**2)
        state = state + gain[:, 0] * (observed[1] - state[0])
        spread = (np.eye(2) - gain @ look) @ spread
    assert filters.place[0, 1] == pytest.approx(state[0])


def test_an_ellipse_is_the_one_of_its_points_covariance(rng):
    points = rng.normal(0, (30, 8), (3, 6, 2)) + [100, 50]
    points[1, 2:5], points[2, 1] = NAN, NAN
    x, y, width, height, angle = similarity.ellipses(points).T
    for i in (0, 2):
        kept = points[i][~np.isnan(points[i, :, 0])]
        value, vector = np.linalg.eigh(np.cov(kept.T))
        np.testing.assert_allclose([height[i], width[i]], 4 * np.sqrt(value))
        assert abs(np.dot(vector[:, 1], [np.cos(angle[i]), np.sin(angle[i])])) == pytest.approx(1)
        np.testing.assert_allclose([x[i], y[i]], kept.mean(axis=0))
    whole = ~np.isnan(points[1, :, 0])
    assert whole.sum() == 3 and not np.isnan(width[1])
    points[1, 0] = NAN
    assert np.isnan(similarity.ellipses(points)[1, 2:]).all()


def test_similarities_are_those_worked_out_by_hand():
    one = np.array([[[0.0, 0.0], [10.0, 10.0]]])
    two = one + [5.0, 0.0]
    ten, size = np.array([10.0]), np.array([np.hypot(10, 10)])
    box = similarity.by_box(similarity.boxes(one), similarity.boxes(two), ten, ten)
    assert box.item() == pytest.approx(50 / 150)
    flat = one.reshape(1, 4), two.reshape(1, 4)
    assert similarity.by_keypoints(*flat, size, size).item() == pytest.approx(1 - 5 / size[0])
    # Centres 5 of 20 apart, axes at a right angle.
    ellipse = np.array([[0, 0, 20, 10, 0.0]]), np.array([[5, 0, 10, 5, np.pi / 2]])
    assert similarity.by_ellipse(*ellipse, ten, ten).item() == pytest.approx(0.75 * 0.8)
    apart = np.array([[0.0, 0, NAN, NAN]]), np.array([[NAN, NAN, 4.0, 3]])
    assert similarity.by_keypoints(*apart, ten, ten).item() == pytest.approx(0.5)


def test_an_axis_is_turned_by_half_turns_only():
    turned = similarity.turned(np.array([-1.5, 0.2, NAN]), np.array([1.5, 0.1, 0.0]))
    np.testing.assert_allclose(turned, [np.pi - 1.5, 0.2, NAN])


@pytest.fixture(scope="module")
def flies(shared_data):
    """Labels of a male and a female fly in every frame of a video, (1500, 2, bodyparts, 2)."""
    file = shared_data / "flies-clip-sleap/all-frames-labels/all_frames.csv"
    table = pd.read_csv(file, header=[0, 1, 2, 3], index_col=[0, 1, 2])
    individuals, bodyparts = (list(table.columns.unique(level)) for level in (1, 2))
    found = np.full((len(table), len(individuals), len(bodyparts), 2), NAN)
    for column, (_, one, part, axis) in enumerate(table.columns):
        values = table.iloc[:, column]
        found[:, individuals.index(one), bodyparts.index(part), "xy".index(axis)] = values
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_two_real_flies_are_never_taken_for_each_other(kind, flies, rng):
    """The frames in which they run; a third of the animals and 40 % of the points are not seen."""
    truth = flies[1000:]
    seen = herd.Seen(noise=5, points_lost=0.4, animals_lost=0.3, false=0.2)
    _, made = joined(herd.see(rng, truth, seen), 2, kind)
    figures = identity_metrics.figures(truth, made.keypoints)
    assert figures["switches"] == 0 and figures["false"] <= 5
    assert figures["detection_rate"] > 0.65
