"""What the model in the loop makes of predictions: order, doubts, animals, a promise."""

import fakes
import numpy as np
import pytest

from beampose.core import files
from beampose.formats.deeplabcut.row_frames import Names
from beampose.pipelines.label import (
    learning_process,
    live_judging,
    live_suggestions,
    suggestions,
)
from beampose.pipelines.label.learning import Learning, Pace
from beampose.pipelines.label.live_frames import LEAST, LiveFrames, Material

NAMES = Names("me", ("individual1",), ("spot",), (), False, ("spot",))


def test_frames_that_are_unsure_and_unlike_others_come_first():
    vectors = np.array([[0.0, 0], [0.1, 0], [5, 5], [5.1, 5], [0, 5]])
    unsure = np.array([0.1, 0.1, 0.1, 0.1, 0.9])
    found = suggestions.order(unsure, vectors, np.array([[0.0, 0.05]]), 3)
    assert found[0] == 4
    assert found[1] in (2, 3)
    # Its near twin teaches little once it is chosen.
    assert found[2] in (0, 1) or set(found[1:]) != {2, 3}


def test_animals_take_the_rows_of_the_labels_they_fit_or_of_a_frame_before():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 100, (3, 4, 2))
    predicted = np.concatenate([truth, np.ones((3, 4, 1))], axis=-1)[[1, 0, 2]]
    labeled = np.full((3, 4, 2), np.nan)
    labeled[0, :2] = truth[0, :2] + 1
    found = suggestions.by_slots(predicted, labeled, None, 2)
    np.testing.assert_array_equal(found[..., :2], truth)
    nothing = np.full((3, 4, 2), np.nan)
    found = suggestions.by_slots(predicted, nothing, truth + 2, 2)
    np.testing.assert_array_equal(found[..., :2], truth)
    assert np.isfinite(suggestions.by_slots(predicted, nothing, None, 2)).all()


def test_a_label_far_from_a_sure_prediction_is_doubted_and_a_swap_is_recognised():
    labeled = np.array([[[[10.0, 10], [50, 50], [90, 90]]]] * 3)
    predicted = np.concatenate([labeled, np.full((3, 1, 3, 1), 0.9)], axis=-1)
    labeled[1, 0, [0, 1]] = labeled[1, 0, [1, 0]]
    predicted[2, 0, 2, :2] += 30
    predicted[0, 0, 0] = [80, 80, 0.1]
    found = suggestions.doubts(["a", "b", "c"], labeled, predicted, np.full(3, 2.0))
    told = {(one.frame, one.point): one.other for one in found}
    assert told == {("b", (0, 0)): (0, 1), ("b", (0, 1)): (0, 0), ("c", (0, 2)): None}


def test_a_wrong_label_among_few_does_not_hide_itself():
    rng = np.random.default_rng(0)
    labeled = rng.uniform(20, 80, (10, 1, 1, 2))
    predicted = np.concatenate([labeled + 1, np.full((10, 1, 1, 1), 0.9)], axis=-1)
    labeled[3] += 40
    found = suggestions.judged([f"f{i}" for i in range(10)], labeled, predicted)
    assert [one["frame"] for one in found["doubts"]] == ["f3"]


@pytest.mark.parametrize(
    ("curve", "what"),
    [
        ([(6, 10.0)], ""),
        ([(10, 10.0), (11, 9.0), (12, 8.0)], ""),
        ([(10, 10.0), (20, 7.0), (40, 5.0)], "about 0.5 px"),
        ([(10, 5.0), (20, 5.0), (40, 5.0)], "little"),
        ([(10, 5.0), (20, 6.0), (40, 7.0)], "little"),
    ],
)
def test_a_promise_is_made_only_where_the_curve_tells(curve, what):
    said = suggestions.promise(curve)
    assert (what in said) if what else said == ""


def spots(count, seed=1):
    """Frames with one spot, and where it is."""
    rng = np.random.default_rng(seed)
    places = rng.uniform([20, 20], [140, 100], (count, 2)).round()
    rows, columns = np.mgrid[:120, :160]
    frames = rng.integers(90, 110, (count, 120, 160, 3)).astype(np.uint8)
    for frame, (x, y) in zip(frames, places, strict=True):
        frame[(rows - y) ** 2 + (columns - x) ** 2 < 36] = (230, 40, 40)
    return frames, places


@pytest.mark.slow
def test_a_head_learns_from_six_frames_and_goes_on_learning():
    frames, places = spots(16)
    keys = [f"film/img{i:02d}.png" for i in range(16)]
    pace = Pace(first=60, new=16, more=(60, 120), folds=(80, 40))
    learning = Learning(NAMES, (), pace)
    labels = {key: places[i][None, None] for i, key in enumerate(keys)}

    def tell(count):
        known = {key: labels[key] for key in keys[:count]}
        pixels = lambda key: frames[keys.index(key)]  # noqa: E731
        learning.know(Material(keys, known, frozenset(known), (), pixels))
        while learning.step():
            pass

    tell(LEAST - 1)
    assert not learning.news["suggestions"] and learning.status()["state"] == "waiting"
    tell(LEAST)
    said = learning.news["suggestions"]
    assert set(said) >= set(keys[LEAST:])
    off = [np.linalg.norm(np.array(said[k][0][0][:2]) - labels[k][0, 0]) for k in keys[LEAST:]]
    assert np.median(off) < 8
    assert set(learning.news["next"]) == set(keys[LEAST:])
    assert learning.news["error_px"] < 30
    wrong = labels[keys[7]].copy()
    labels[keys[7]] = wrong + 60
    tell(12)
    assert learning.news["doubts"][0]["frame"] == keys[7]
    assert [count for count, _ in learning.news["curve"]] == [LEAST, 12]


class Head:
    """Stands where a head learns: remembers the frames it saw."""

    def __init__(self, network=None, seed=0):
        self.seen, self.done = set(), 0

    def learn(self, records, steps):
        assert records
        self.seen |= {record.name for record in records}

    def finish(self, records):
        pass

    def move(self, network):
        pass


def test_labels_that_are_taken_away_again_leave_nothing_to_learn():
    learning = Learning(NAMES, ())
    learning._head, learning._rounds = Head(), [160]
    learning.know(Material([], {}, frozenset(), (), lambda key: np.empty(0)))
    assert not learning.step()


def test_nothing_is_suggested_of_a_bodypart_that_nobody_labeled():
    names = NAMES._replace(bodyparts=("spot", "never", "tail"))
    frames = LiveFrames(names, ())
    labeled = np.full((1, 3, 2), np.nan)
    labeled[0, 0], labeled[0, 2] = (5, 5), (9, 9)
    frames.know(Material(["a", "b"], {"a": labeled}, frozenset(), (), lambda key: np.empty(0)))
    frames._sizes = {"b": (20, 20)}
    sayings = live_suggestions.LiveSuggestions(names, frames)

    class Sure(Head):
        def predict(self, records):
            return np.array([[[1.0, 1.0, 0.9], [2.0, 2.0, 0.1], [3.0, 3.0, 0.7]]])[None]

    assert sayings.of(Sure(), ["b"]) == {"b": [[[1.0, 1.0, 0.9], None, [3.0, 3.0, 0.7]]]}
    # How unsure it is of a frame is no matter of what it never learned.
    assert sayings._unsure["b"] == pytest.approx(0.2)
    # Labels that were taken away meanwhile leave nothing to say.
    frames.know(Material(["a", "b"], {}, frozenset(), (), lambda key: np.empty(0)))
    assert sayings.of(Sure(), ["b"]) == {"b": [[None] * 3]}


def test_no_head_judges_a_frame_that_it_learned_from_before_it_had_a_fold(monkeypatch):
    monkeypatch.setattr(live_judging, "LiveHead", Head)
    folds = live_judging.LiveFolds((8, 8))
    monkeypatch.setattr(folds, "_hold_out", lambda number, records: None)
    folds.move(None)
    frames = LiveFrames(NAMES, ())
    frames._sizes = {f"f/{i}.png": (9, 9) for i in range(8)}
    records = [frames.record(key, key, 0, np.zeros((1, 1, 2))) for key in frames._sizes]
    first = dict.fromkeys([one.name for one in records[:6]], b"")
    # Two more are labeled while the second and third head learn.
    assert not folds.learn(first, records[:6])
    assert not folds.learn(first, records) and folds.learn(first, records)
    assert all(head.seen <= set(first) for head in folds._heads)


def test_frames_of_films_that_are_looked_at_are_none_of_the_list(tmp_path):
    from beampose.pipelines.label.shown_frames import FolderFilm
    from beampose.preprocess import videos

    video = videos.index(fakes.video(tmp_path / "film.mp4", "libx264", 40))
    films = {"film": FolderFilm(video, (0, 80, 0, 48)), "gone": FolderFilm(None)}
    told = learning_process.Told({"film/img00.png": "x", "film/img39.png": "y"}, {}, films, "")
    found = learning_process.looked_at(told)
    assert len(found) == 38 and found[0] == "film#1"
    reader = learning_process.Reader()
    reader.know(told)
    assert fakes.number(reader.pixels("film#7")) == 7
    stamped = films["film"]._replace(stamp=files.stamp(video.path))
    reader.know(told._replace(films={"film": stamped}))
    fakes.video(tmp_path / "film.mp4", "libx264", 41)
    with pytest.raises(ValueError, match="was replaced"):
        reader.pixels("film#7")
    with pytest.raises(ValueError, match="no frame"):
        reader.pixels("gone#1")
