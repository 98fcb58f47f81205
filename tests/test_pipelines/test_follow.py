"""Looking at windows: they say what the frame says, and where they may not, it is asked."""

import numpy as np
import pytest

from beampose.pipelines.predict import follow, pose_looker
from beampose.pipelines.predict.follow import Follower, Following, Window

SIZE = (480, 640)
FOLLOWING = Following(share=0.5, cutoff=0.6, margin=0, scale=1.0)


def batch(*frames):
    """(frames, 2, 3) of x, y, likelihood of two bodyparts each."""
    return np.array(frames, float)


def still(x=200.0, y=200.0, frames=8, sure=0.9):
    return batch(*[[[x, y, sure], [x + 40, y + 24, sure]]] * frames)


def follower(found):
    made = Follower(FOLLOWING, SIZE)
    assert made.window() is None
    for one in found:
        made.saw(one)
    made.follow(found, None)
    return made


def test_a_window_holds_all_points_and_what_is_around_them():
    window = follower(still()).window()
    assert window is not None
    assert window.left * 8 <= 200 - 8 * (follow.CONTEXT - 1)
    assert window.top * 8 <= 200 - 8 * (follow.CONTEXT - 1)
    assert (window.left + window.columns) * 8 >= 240 + 8 * (follow.CONTEXT - 1)
    assert (window.top + window.rows) * 8 >= 224 + 8 * (follow.CONTEXT - 1)
    assert not any(side % 2 for side in window)


@pytest.mark.parametrize("place", [(3.0, 2.0), (590.0, 450.0)])
def test_a_window_at_an_edge_lies_in_the_frame(place):
    made = follower(still(*place))
    window = made.window()
    assert window is not None
    assert window.top >= 0 and window.left >= 0
    assert window.top + window.rows <= 60 and window.left + window.columns <= 80
    # There is nothing beyond the frame's own edge.
    assert not made.unsure(still(*place)[0], window)


def test_a_window_grows_by_how_far_the_animal_moves():
    slow = follower(still()).window()
    fast = follower(batch(*[[[x, 200, 0.9], [x + 40, 224, 0.9]] for x in range(120, 201, 10)]))
    wide = fast.window()
    assert slow is not None and wide is not None
    # What it moved, and as far again.
    assert wide.columns - slow.columns >= 2 * 80 // 8 - follow.STEP


def test_a_window_that_would_be_most_of_the_frame_is_none():
    spread = batch(*[[[20, 20, 0.9], [600, 440, 0.9]]] * 8)
    assert follower(spread).window() is None


def test_nobody_in_the_last_frame_gives_no_window():
    gone = still()
    gone[-1, :, 2] = 0.1
    assert follower(gone).window() is None


def test_a_point_near_the_edge_of_a_window_is_asked_of_the_frame():
    made = follower(still())
    window = made.window()
    assert window is not None
    assert not made.unsure(still()[0], window)
    edge = (window.left + window.columns) * 8
    assert made.unsure(np.array([[200, 200, 0.9], [edge - 8, 224, 0.9]]), window)


def test_a_bodypart_that_goes_missing_is_asked_once_of_the_frame():
    made = follower(still())
    window = made.window()
    assert window is not None
    hidden = np.array([[200, 200, 0.9], [10, 10, 0.1]])
    assert made.unsure(hidden, window)
    # The frame says the same: from then on it is known to be hidden.
    made.saw(hidden)
    assert not made.unsure(hidden, window)


def test_a_bodypart_that_appears_is_asked_of_the_frame():
    made = follower(still())
    made.saw(np.array([[200, 200, 0.9], [10, 10, 0.1]]))
    made.follow(still(), None)
    window = made.window()
    assert window is not None
    # It may be another thing, and the bodypart itself beyond the window.
    assert made.unsure(still()[0], window)


def test_a_bodypart_that_leaps_is_asked_of_the_frame():
    made = follower(still())
    window = made.window()
    assert window is not None
    assert not made.unsure(np.array([[200, 200, 0.9], [240 + 20, 224, 0.9]]), window)
    assert made.unsure(np.array([[200, 200, 0.9], [240 + 30, 224, 0.9]]), window)


def test_a_hidden_bodypart_stays_in_the_window_and_moves_with_the_others():
    made = follower(still())
    for i in range(1, 9):
        made.saw(np.array([[200 + 10 * i, 200, 0.9], [0, 0, 0.1]]))
    made.follow(batch(*[[[200 + 10 * i, 200, 0.9], [0, 0, 0.1]] for i in range(1, 9)]), None)
    window = made.window()
    assert window is not None
    assert (window.left + window.columns) * 8 >= 240 + 80 + 8 * (follow.CONTEXT - 1)


def test_as_long_as_a_bodypart_was_never_seen_whole_frames_are_looked_at():
    found = still()
    found[:, 1, 2] = 0.1
    assert follower(found).window() is None


def test_an_animal_nowhere_in_its_window_is_asked_of_the_frame():
    made = follower(still())
    window = made.window()
    assert window is not None
    made.saw(np.array([[200, 200, 0.1], [240, 224, 0.1]]))
    assert made.unsure(np.array([[200, 200, 0.1], [240, 224, 0.1]]), window)


def test_whole_frames_come_again_from_time_to_time():
    made = follower(still())
    looks = []
    for _ in range(2 * follow.PERIOD + 2):
        window = made.window()
        looks.append(window is None)
        made.follow(still(), window)
    assert sum(looks) == 2


def test_windows_that_hold_nothing_are_tried_less_and_less():
    made = follower(still())
    tried = 0
    for _ in range(200):
        window = made.window()
        tried += window is not None
        made.follow(still(), window, 8)
    assert tried <= 12


class Scene:
    """A model of a frame whose brightest pixel is the animal; it sees windows and frames."""

    def __init__(self):
        self.asked = []

    def knows(self, signature):
        return signature == "window"

    def at_once(self, batch_size, height, width, signature=""):
        return batch_size

    def predict(self, frames, signature="", corner=(0, 0), cells=(60, 80)):
        self.asked.append((signature, len(frames)))
        top, left = (8 * int(one) for one in corner)
        rows, columns = (8 * int(one) for one in cells)
        places, sure = [], []
        for frame in frames:
            seen = frame[top : top + rows, left : left + columns, 0]
            y, x = np.unravel_index(seen.argmax(), seen.shape)
            places.append([[left + x, top + y]])
            sure.append([0.9 if seen[y, x] > 100 else 0.0])
        return {
            "keypoints": np.array([places], float)[0][:, None],
            "likelihood": np.array(sure)[:, None],
        }


def frame(x, y):
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[y, x] = 255
    return pixels


def test_an_animal_that_jumps_is_found_as_in_whole_frames():
    path = [(100 + i, 100) for i in range(12)] + [(500, 400)] * 6 + [(100, 300)] * 6
    model = Scene()
    looker = pose_looker.PoseLooker(FOLLOWING, 8, model)  # pyright: ignore[reportArgumentType]
    found, looks = [], []
    for start in range(0, len(path), 8):
        one, by_window = looker.found([frame(*place) for place in path[start : start + 8]])
        found.append(one)
        looks.append(by_window)
    np.testing.assert_array_equal(np.concatenate(found)[:, 0, :2], path)
    by_window = np.concatenate(looks)
    assert by_window[8:12].all() and not by_window[:8].any()
    assert not by_window[12]
    assert ("window", 4) in model.asked


def test_a_model_of_a_version_before_sees_whole_frames():
    model = Scene()
    model.knows = lambda signature: False
    looker = pose_looker.PoseLooker(FOLLOWING, 8, model)  # pyright: ignore[reportArgumentType]
    for _ in range(3):
        looker.found([frame(100, 100)] * 8)
    assert model.asked == [("", 8)] * 3


def test_photographs_of_sizes_of_their_own_are_looked_at_once():
    model = Scene()
    alone = FOLLOWING._replace(share=0.0)
    looker = pose_looker.PoseLooker(alone, 8, model)  # pyright: ignore[reportArgumentType]
    for count in (1, 2, 3, 5, 8):
        found, _ = looker.found([frame(100, 100)] * count)
        assert len(found) == count
    assert model.asked == [("", 1), ("", 2), ("", 4), ("", 8), ("", 8)]


def test_a_window_is_what_the_signature_takes():
    inputs = Window(2, 4, 8, 12).inputs()
    np.testing.assert_array_equal(inputs["corner"], [2, 4])
    np.testing.assert_array_equal(inputs["cells"], [8, 12])
    assert inputs["cells"].dtype == np.int32
