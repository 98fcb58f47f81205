"""Several animals by windows: which ones, when the frame is asked, and what they say together."""

import numpy as np
import pytest

from beampose.pipelines.predict import follow, regions
from beampose.pipelines.predict.follow import Following, Window
from beampose.pipelines.predict.regions import Regions

SIZE = (480, 640)
FOLLOWING = Following(share=0.5, cutoff=0.6, margin=0, scale=1.0)
FLOOR = np.full((*SIZE, 3), 90, np.uint8)


def animals(*places):
    """(animals, 3, 3): x, y, likelihood of three points around each place."""
    around = np.array([[-8, 0], [8, 0], [0, 8]])
    points = np.array(places, float).reshape(-1, 1, 2) + around
    return np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], axis=-1)


def noisy(seed, spread=3.0):
    noise = np.random.default_rng(seed).normal(0, spread, FLOOR.shape)
    return np.clip(FLOOR + noise, 0, 255).astype(np.uint8)


def known(*places, frames=4, moves=0.0):
    """What is known after whole frames, in which animals move by so many pixels a frame."""
    found = Regions(FOLLOWING, SIZE)
    assert found.windows() is None and found.lost
    batch = []
    for i in range(frames):
        boxes = found.boxes(animals(*places) + [moves * i, 0, 0])
        found.saw(boxes, found.levels(noisy(i)), None)
        batch.append(boxes)
    found.follow(batch, by_windows=False)
    return found


def windows_of(found):
    windows = found.windows()
    assert windows
    return windows


def test_each_animal_has_a_window_that_holds_it_and_what_is_around_it():
    windows = windows_of(known((120, 120), (500, 360)))
    assert len(windows) == 2
    for window, (x, y) in zip(windows, [(120, 120), (500, 360)], strict=True):
        assert window.left <= (x - 8) / 8 - follow.CONTEXT + 1
        assert window.left + window.columns >= (x + 8) / 8 + follow.CONTEXT - 1
        assert window.top <= y / 8 - follow.CONTEXT + 1
        assert not any(side % 2 for side in window)


def test_animals_that_are_near_each_other_share_a_window():
    (window,) = windows_of(known((300, 200), (360, 230)))
    assert window.left * 8 < 300 and (window.left + window.columns) * 8 > 360


def test_windows_never_touch_and_lie_in_the_frame():
    rng = np.random.default_rng(0)
    for _ in range(100):
        found = known(*rng.uniform([0, 0], [640, 480], (4, 2)), frames=1)
        windows = found.windows() or []
        shown = np.zeros((60, 80), int)
        for one in windows:
            assert one.top >= 0 and one.top + one.rows <= 60
            assert one.left >= 0 and one.left + one.columns <= 80
            shown[one.top : one.top + one.rows, one.left : one.left + one.columns] += 1
        assert shown.max() <= 1 and shown.mean() <= FOLLOWING.share


def test_windows_grow_by_how_far_an_animal_moved():
    slow, fast = (windows_of(known((200, 200), moves=moves))[0] for moves in (0, 16))
    assert fast.columns - slow.columns >= 2 * 48 / 8 - follow.STEP


@pytest.mark.parametrize(
    "places", [[], [(x, y) for x in (60, 230, 400, 570) for y in (60, 240, 420)]]
)
def test_nobody_or_animals_all_over_the_frame_have_no_windows(places):
    assert known(*places).windows() is None


def test_what_stays_as_it_was_is_sure():
    found = known((120, 120), (500, 360))
    windows = windows_of(found)
    boxes = found.boxes(animals((122, 121), (498, 362)))
    assert not found.unsure(boxes, found.levels(noisy(9)), windows)
    # A lamp that flickers brings nobody.
    assert not found.unsure(boxes, found.levels(noisy(9)) + 12, windows)


def test_the_frame_is_asked_where_somebody_comes_goes_or_leaves_a_window():
    found = known((120, 120), (500, 360))
    windows = windows_of(found)
    still = found.levels(noisy(9))
    assert found.unsure(found.boxes(animals((120, 120))), still, windows)
    assert found.unsure(found.boxes(animals((120, 120), (500, 360), (130, 140))), still, windows)
    edge = (windows[0].left + windows[0].columns) * 8 - 16
    assert found.unsure(found.boxes(animals((edge, 120), (500, 360))), still, windows)
    came = noisy(9)
    came[400:416, 80:96] = 20
    boxes = found.boxes(animals((120, 120), (500, 360)))
    assert found.unsure(boxes, found.levels(came), windows)


def test_somebody_who_comes_slowly_is_noticed_by_what_was_last_looked_at():
    found = known((120, 120), (500, 360))
    windows, boxes = windows_of(found), found.boxes(animals((120, 120), (500, 360)))
    for i in range(40):
        frame = noisy(i)
        frame[400:416, 80:96] = 90 - i
        levels = found.levels(frame)
        if found.unsure(boxes, levels, windows):
            break
        found.saw(boxes, levels, windows)
    assert 3 < i < 20


def test_a_window_keeps_what_an_animal_left_behind_from_asking_again():
    found = known((120, 120), (500, 360))
    windows, boxes = windows_of(found), found.boxes(animals((120, 120), (500, 360)))
    trace = noisy(9)
    trace[112:128, 112:128] = 20
    found.saw(boxes, found.levels(trace), windows)
    elsewhere = [windows[1]]
    assert not found.unsure(boxes[1:] * 2, found.levels(trace), elsewhere)


def test_peaks_of_windows_become_those_of_a_frame_and_link_within_a_window_only():
    rng = np.random.default_rng(0)
    parts = [
        {
            "peaks": rng.uniform(0, 99, (2, 3, 2)),
            "likelihood": np.sort(rng.uniform(0, 1, (2, 3)))[:, ::-1],
            "edge_costs": rng.uniform(0.1, 1, (1, 3, 3)),
            "descriptors": rng.normal(size=(2, 3, 5)),
        }
        for _ in range(3)
    ]
    found = regions.joined(parts, np.array([[0, 1]]))
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in parts[0].items()
    }
    every = np.sort(np.concatenate([one["likelihood"] for one in parts], axis=1))[:, ::-1]
    np.testing.assert_array_equal(found["likelihood"], every[:, :3])
    for a in range(3):
        for b in range(3):
            first = _origin(parts, 0, found["likelihood"][0, a])
            second = _origin(parts, 1, found["likelihood"][1, b])
            same = first[0] == second[0]
            cost = parts[first[0]]["edge_costs"][0, first[1], second[1]] if same else 0.0
            assert found["edge_costs"][0, a, b] == cost
            place = parts[first[0]]["descriptors"][0, first[1]]
            np.testing.assert_array_equal(found["descriptors"][0, a], place)


def _origin(parts, bodypart, likelihood):
    for i, one in enumerate(parts):
        for peak, value in enumerate(one["likelihood"][bodypart]):
            if value == likelihood:
                return i, peak
    raise AssertionError


def test_one_window_of_all_a_model_sees_is_the_frame():
    window = Window(0, 0, 60, 80)
    found = known((120, 120))
    assert not found.unsure(found.boxes(animals((3, 3))), found.levels(noisy(1)), [window])
