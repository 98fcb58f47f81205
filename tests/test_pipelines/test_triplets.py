"""Triplets of detections: who is drawn, and who is held out."""

import herd
import numpy as np
import pytest

from beampose.pipelines.tracking import held_out, tracklets, triplets
from beampose.pipelines.tracking.tracklets import Tracklet

NAN = np.nan


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def stay(number, frames, x, slot, bodyparts=2):
    """A tracklet that stays at a place and in a slot."""
    frames = np.asarray(frames)
    keypoints = np.zeros((len(frames), bodyparts, 3))
    keypoints[..., 0] = x + np.arange(bodyparts) * 10
    return Tracklet(number, frames, keypoints, np.full(len(frames), slot))


def seen(found):
    """Owner by (frame, slot)."""
    places = [(one.id, place) for one in found for place in zip(one.frames, one.slots, strict=True)]
    return {(int(frame), int(slot)): number for number, (frame, slot) in places}


def tracked(rng, animals=4, frames=150, **how):
    detections = herd.see(rng, herd.walk(rng, frames, animals), herd.Seen(**how))
    return detections, list(tracklets.track(detections, tracklets.Settings(max_age=1)))


def test_a_triplet_is_an_animal_twice_and_its_nearest_neighbour(rng):
    detections, found = tracked(rng)
    owner = seen(found)
    made = triplets.mine(found, 300, rng)
    assert len(made.anchor) == 300 and not made.reason
    for anchor, positive, negative in zip(*made[:3], strict=True):
        one, two, three = (owner[tuple(e)] for e in (anchor, positive, negative))
        assert one == two != three
        assert anchor[0] == negative[0] != positive[0]
        frame = detections[anchor[0]][..., :2]
        apart = np.linalg.norm(frame - frame[anchor[1]], axis=-1)
        others = [s for (f, s), o in owner.items() if f == anchor[0] and o != one]
        nearest = min(np.nanmean(apart[other]) for other in others)
        assert np.nanmean(apart[negative[1]]) == pytest.approx(nearest, rel=1e-4)


def test_positives_are_farther_in_time_than_chance_would_have_them(rng):
    found = [stay(0, range(100), 0, 0), stay(1, range(100), 100, 1)]
    made = triplets.mine(found, 5000, rng)
    apart = np.abs(made.anchor[:, 0] - made.positive[:, 0])
    # A third of the length by chance.
    assert apart.mean() > 45 and apart.min() < 10


def test_tracklets_are_drawn_by_their_length(rng):
    found = [stay(0, range(300), 0, 0), stay(1, range(300), 100, 1), stay(2, range(30), 200, 2)]
    made = triplets.mine(found, 630, rng)
    assert (made.anchor[:, 1] == 2).sum() == 30
    assert len(np.unique(made.anchor, axis=0)) == 630


def test_more_triplets_than_detections_use_some_twice(rng):
    found = [stay(0, range(3), 0, 0), stay(1, range(3), 100, 1)]
    made = triplets.mine(found, 50, rng)
    assert len(made.anchor) == 50 and len(np.unique(made.anchor, axis=0)) == 6


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([], "no detections"),
        ([stay(0, range(5), 0, 0)], "only one tracklet"),
        ([stay(0, range(5), 0, 0), stay(1, range(5, 9), 0, 0)], "ever in the same frame"),
        ([stay(0, [3], 0, 0), stay(1, [3], 100, 1)], "in one frame only"),
        ([stay(0, range(5), 0, 0), stay(1, range(5), 0.1, 1)], "found twice"),
    ],
)
def test_where_there_can_be_no_triplet_it_is_said_why(found, reason, rng):
    made = triplets.mine(found, 10, rng)
    assert made.anchor.shape == made.positive.shape == made.negative.shape == (0, 2)
    assert reason in made.reason
    places, rows = made.detections()
    assert places.shape == (0, 2) and rows.shape == (0, 3)


def test_a_detection_without_keypoints_is_in_no_triplet(rng):
    one, two, three = (stay(i, range(40), 100 * i, i) for i in range(3))
    two.keypoints[::2] = NAN
    three.keypoints[1:, :, 1] = np.inf
    made = triplets.mine([one, two, three], 200, rng)
    every = np.concatenate(made[:3])
    assert set(every[every[:, 1] == 1, 0] % 2) == {1}
    assert set(every[every[:, 1] == 2, 0]) <= {0}


def test_an_animal_found_twice_is_not_its_own_negative(rng):
    found = [stay(0, range(20), 0, 0), stay(1, range(20), 0.5, 1), stay(2, range(20), 300, 2)]
    made = triplets.mine(found, 60, rng)
    assert set(made.negative[made.anchor[:, 1] < 2, 1]) == {2}


def test_pieces_of_a_tracklet_are_one_animal(rng):
    whole = stay(0, range(40), 0, 0)
    pieces = [whole.part(np.arange(20)), whole.part(np.arange(20, 40))]
    made = triplets.mine([*pieces, stay(1, range(40), 100, 1)], 400, rng)
    own = made.anchor[:, 1] == 0
    assert ((made.anchor[own, 0] < 20) != (made.positive[own, 0] < 20)).any()


def test_each_detection_is_looked_up_once(rng):
    _, found = tracked(rng)
    made = triplets.mine(found, 500, rng)
    places, rows = made.detections()
    assert len(np.unique(places, axis=0)) == len(places) < 1500
    assert (np.diff(places[:, 0]) >= 0).all()
    for column, wanted in enumerate(made[:3]):
        np.testing.assert_array_equal(places[rows[:, column]], wanted)


def test_tracklets_of_a_file_are_refused(rng):
    with pytest.raises(ValueError, match="tracklet 7: it is not known where"):
        triplets.mine([stay(7, range(5), 0, 0)._replace(slots=None)], 5, rng)


@pytest.mark.parametrize("seed", range(3))
def test_no_tracklet_is_on_both_sides_and_both_give_triplets(seed, rng):
    # One animal is never lost, which ties others to it.
    _, found = tracked(rng, animals=5, frames=400, animals_lost=0.05)
    made = held_out.split(found, 0.2, seed)
    assert made.by == "tracklets" and not made.reason
    assert not {one.id for one in made.train} & {one.id for one in made.test}
    assert len(made.train) + len(made.test) == len(found)
    share = sum(len(one.frames) for one in made.test) / sum(len(one.frames) for one in found)
    assert 0.05 < share < 0.4
    for side in made[:2]:
        assert len(triplets.mine(side, 50, rng).anchor) == 50
    again = held_out.split(found, 0.2, seed)
    assert [one.id for one in again.test] == [one.id for one in made.test]


def test_of_animals_never_lost_a_stretch_of_time_is_held_out(rng):
    found = [stay(0, range(100), 0, 0), stay(1, range(100), 100, 1)]
    made = held_out.split(found, 0.2, 0)
    assert made.by == "time" and "frames" in made.reason
    train, test = ({int(f) for one in side for f in one.frames} for side in made[:2])
    assert 18 <= len(test) <= 22 and min(abs(a - b) for a in train for b in test) > 2
    assert len(triplets.mine(made.test, 20, rng).anchor) == 20


@pytest.mark.parametrize(
    "found", [[], [stay(0, range(9), 0, 0)], [stay(0, [1], 0, 0), stay(1, [1], 100, 1)]]
)
def test_where_nothing_can_be_held_out_it_is_said(found):
    made = held_out.split(found, 0.2, 0)
    assert made.by == "nothing" and made.reason and len(made.train) == len(found)


def test_a_share_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"from 0 to 0\.5"):
        held_out.split([], 0.9, 0)
    assert held_out.split([], 0.0, 0).by == "nothing"
