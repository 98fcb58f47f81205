"""Animals told apart by appearance: learned from their tracklets, used to join them."""

from typing import NamedTuple

import coats
import herd
import numpy as np
import pytest

from beampose.core.infos import ReidInfo
from beampose.core.names import COMPLETED
from beampose.core.settings.animal_settings import Reid
from beampose.pipelines.tracking import (
    appearance,
    held_out,
    identity_metrics,
    stitch,
    tracklets,
    triplets,
)
from beampose.pipelines.tracking.tracklets import Tracklet
from beampose.trainer import reid_network, reid_training, scaling

NAN = np.nan
PARTS = ["nose", "left ear", "right ear", "back", "tail"]
SETTINGS = Reid(triplets=600, epochs=8, dims=64, learning_rate=1e-3)


class Film(NamedTuple):
    """Simulated animals, their tracklets and what is under their keypoints."""

    truth: np.ndarray
    tracklets: list
    rows: dict
    vectors: np.ndarray
    present: np.ndarray
    owners: np.ndarray

    def look(self, places):
        rows = [self.rows[tuple(place)] for place in places.tolist()]
        return self.vectors[rows], self.present[rows]

    def examples(self, side, count):
        places, rows = triplets.mine(side, count, np.random.default_rng(0)).detections()
        return reid_training.Examples(*self.look(places), rows)

    def idf1(self, alike):
        made = stitch.stitch(
            self.tracklets, stitch.Settings(tracks=3), frames=len(self.truth), appearance=alike
        )
        return identity_metrics.figures(self.truth, made.keypoints)["idf1"]

    def alike(self, describe, judged_by):
        """Similarities for `stitch`, calibrated by some tracklets."""
        asked = appearance.sample(judged_by)
        known = appearance.calibrate(judged_by, asked, describe(*self.look(asked.places)))
        chosen = appearance.sample(self.tracklets)
        found = appearance.similarity(chosen, describe(*self.look(chosen.places)), known)
        return appearance.by_tracklet(self.tracklets, chosen, found), known


def film(apart, seed=0, visits=20):
    rng = np.random.default_rng(seed)
    truth, detections, owners = herd.meet(rng, visits=visits, bodyparts=len(PARTS))
    found = list(tracklets.track(detections))
    places = [(f, s) for f, who in enumerate(owners) for s in range(len(who))]
    who = np.concatenate(owners)
    looks = coats.draw(rng, 3, bodyparts=len(PARTS), dims=16, apart=apart)
    vectors = coats.vectors(rng, looks, who, rng.normal(0, 1, (len(who), 3)))
    present = np.array([~np.isnan(one[..., 0]) for frame in detections for one in frame])
    vectors[~present] = NAN
    rows = {place: row for row, place in enumerate(places)}
    return Film(truth, found, rows, vectors, present, who)


@pytest.fixture(scope="module")
def other():
    """Animals that look different, though half as much as their postures do."""
    return film(1.0)


@pytest.fixture(scope="module")
def split(other):
    return held_out.split(other.tracklets, 0.2, 0)


@pytest.fixture(scope="module")
def trained(other, split):
    sides = other.examples(split.train, 600), other.examples(split.test, 200)
    return reid_training.train(*sides, SETTINGS)


@pytest.mark.slow
def test_animals_that_differ_are_told_apart_in_tracklets_nobody_learned_from(trained, split):
    assert split.by == "tracklets"
    assert trained.accuracy > 0.75
    best = trained.history[trained.best_epoch - 1]
    assert best["test_accuracy"] == trained.accuracy
    assert trained.accuracy == max(entry["test_accuracy"] for entry in trained.history)


@pytest.mark.slow
def test_of_animals_that_look_the_same_held_out_accuracy_is_chance():
    same = film(0.0, visits=12)
    split = held_out.split(same.tracklets, 0.3, 0)
    settings = Reid(triplets=200, epochs=2, dims=16)
    made = reid_training.train(
        same.examples(split.train, 200), same.examples(split.test, 300), settings
    )
    assert made.accuracy == pytest.approx(0.5, abs=0.1)


def test_animals_that_come_back_elsewhere_are_joined_by_how_they_look(other, split, trained):
    def told(vectors, present):
        return reid_network.embed(trained.network, vectors, present)

    alike, known = other.alike(told, split.test)
    assert known.same >= 10 and known.different >= 10 and known.accuracy > 0.75
    assert other.idf1(None) < 0.6
    assert other.idf1(alike) > 0.95


def test_without_training_animals_that_differ_much_are_joined_too():
    much = film(1.0)
    sure = scaling.of(much.vectors, much.present)
    alike, _ = much.alike(lambda v, p: appearance.plain(v, p, sure), much.tracklets)
    assert much.idf1(None) < 0.6
    assert much.idf1(alike) > 0.95


def test_animals_that_look_the_same_are_left_undecided():
    same = film(0.0)
    sure = scaling.of(same.vectors, same.present)
    alike, known = same.alike(lambda v, p: appearance.plain(v, p, sure), same.tracklets)
    assert known.accuracy < 0.7
    assert np.abs(alike - 0.5).mean() < 0.15


def test_an_animal_is_the_same_whichever_bodyparts_are_missing(other, trained):
    rng = np.random.default_rng(1)
    whole = np.flatnonzero(other.present.all(axis=1))
    vectors, owners = other.vectors[whole], other.owners[whole]

    def centre(found):
        means = np.array([found[owners == i].mean(axis=0) for i in range(3)])
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    full = centre(reid_network.embed(trained.network, vectors, np.ones((len(whole), 5), bool)))
    for part in range(5):
        present = np.ones((len(whole), 5), bool)
        present[:, part] = False
        # What stands at a missing bodypart must not matter.
        filled = vectors.copy()
        filled[:, part] = NAN if part % 2 else rng.normal(0, 50, filled[:, part].shape)
        found = reid_network.embed(trained.network, filled, present)
        assert (np.argmax(full @ centre(found).T, axis=0) == np.arange(3)).all()
        filled[:, part] = 0
        np.testing.assert_array_equal(found, reid_network.embed(trained.network, filled, present))


def test_what_is_not_a_number_never_reaches_the_network(trained):
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, 1, (6, 5, 16)).astype(np.float32)
    present = np.ones((6, 5), bool)
    vectors[0, 2, 3], vectors[1, 1], vectors[2] = NAN, np.inf, NAN
    present[3] = False
    found = reid_network.embed(trained.network, vectors, present)
    assert np.isnan(found[[2, 3]]).all()
    np.testing.assert_allclose(np.linalg.norm(found[[0, 1, 4, 5]], axis=1), 1, rtol=1e-5)
    # The same as said by the mask.
    present[0, 2] = present[1, 1] = False
    np.testing.assert_array_equal(found, reid_network.embed(trained.network, vectors, present))
    assert all(np.isfinite(list(entry.values())).all() for entry in trained.history)


@pytest.mark.slow
def test_training_is_the_same_twice(other):
    some = other.examples(other.tracklets, 64)
    settings = Reid(triplets=64, epochs=1, dims=8)
    first, again = (reid_training.train(some, None, settings) for _ in range(2))
    assert first.accuracy is None and first.best_epoch == 1
    assert first.history[0]["loss"] == again.history[0]["loss"]


def test_nothing_to_learn_from_is_said(other):
    some = other.examples(other.tracklets, 8)
    with pytest.raises(ValueError, match="no training triplets"):
        reid_training.train(some._replace(triplets=np.zeros((0, 3), int)), None, SETTINGS)
    with pytest.raises(ValueError, match="No training triplet has a vector"):
        reid_training.train(some._replace(present=np.zeros_like(some.present)), None, SETTINGS)


class TestFiles:
    INFO = ReidInfo(bodyparts=PARTS, descriptors="abc")

    def load(self, folder, **other):
        wanted = {"bodyparts": PARTS, "dims": 16, "descriptors": "abc", **other}
        return reid_network.load(folder, **wanted)

    @pytest.fixture
    def folder(self, trained, tmp_path):
        reid_network.save(tmp_path / "reid", trained.network, self.INFO.replace(accuracy=0.9))
        return tmp_path / "reid"

    def test_what_was_saved_says_the_same(self, trained, folder, other):
        model, info = self.load(folder)
        assert info.accuracy == 0.9 and info.bodyparts == PARTS
        some = other.vectors[:50], other.present[:50]
        np.testing.assert_array_equal(
            reid_network.embed(model, *some), reid_network.embed(trained.network, *some)
        )

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"bodyparts": [*PARTS[:4], "tip"]}, "here are .*'tip'.* Train it again"),
            ({"dims": 8}, "features of another model"),
            ({"descriptors": "xyz"}, "abc.*here are 16, xyz"),
        ],
    )
    def test_vectors_of_something_else_are_refused(self, folder, wrong, told):
        with pytest.raises(ValueError, match=told):
            self.load(folder, **wrong)

    def test_one_that_was_not_finished_is_refused(self, folder):
        (folder / COMPLETED).unlink()
        with pytest.raises(FileNotFoundError, match="not finished"):
            self.load(folder)

    def test_damaged_weights_are_refused(self, folder):
        weights = folder / reid_network.WEIGHTS
        with np.load(weights) as saved:
            arrays = dict(saved)
        for broken in (
            {**arrays, "w3": np.full_like(arrays["w3"], NAN)},
            {**arrays, "w3": np.zeros((3000, 3000), np.float32)},
            {**arrays, "w3": np.array([{}])},
            {k: v for k, v in arrays.items() if k != "w3"},
        ):
            np.savez(weights, **broken)
            with pytest.raises(ValueError, match="damaged"):
                self.load(folder)
        weights.write_bytes(b"PK no zip")
        with pytest.raises(ValueError, match="damaged"):
            self.load(folder)


def stay(number, first, count, slot):
    keypoints = np.ones((count, 2, 3))
    return Tracklet(number, np.arange(first, first + count), keypoints, np.full(count, slot))


def test_a_tracklet_is_looked_at_all_over_and_where_it_is_surest():
    one = stay(4, 0, 100, 3)
    one.keypoints[:, :, 2] = 0.5
    one.keypoints[7::10, :, 2] = 0.9
    one.keypoints[3::10, :, 0] = NAN
    chosen = appearance.sample([one, stay(2, 0, 2, 0)], 10)
    assert chosen.ids.tolist() == [2, 4]
    assert chosen.places[chosen.owner == 1].tolist() == [[f, 3] for f in range(7, 100, 10)]
    assert chosen.half[chosen.owner == 1].tolist() == [0] * 5 + [1] * 5
    assert chosen.places[chosen.owner == 0].tolist() == [[0, 0], [1, 0]]


def test_likeness_is_the_mean_of_all_pairs_of_detections():
    rng = np.random.default_rng(0)
    described = rng.normal(0, 1, (12, 3, 4))
    described /= np.linalg.norm(described, axis=-1, keepdims=True)
    described[2, 1] = described[9, 2] = NAN
    found = [stay(0, 0, 5, 0), stay(1, 10, 5, 0), stay(2, 20, 2, 0)]
    chosen = appearance.sample(found, 5)
    known = appearance.Calibration(3.0, -0.2)
    told = appearance.similarity(chosen, described, known)
    parts = [
        np.nanmean([described[i, p] @ described[j, p] for i in range(5) for j in range(5, 10)])
        for p in range(3)
    ]
    assert told[0, 1] == pytest.approx(1 / (1 + np.exp(0.2 - 3 * np.mean(parts))), abs=1e-3)
    # Two detections say nothing.
    assert (told[2] == 0.5).all() and (told[:, 2] == 0.5).all()


def test_pieces_of_a_tracklet_look_alike_and_share_a_row():
    whole = stay(0, 0, 20, 0)
    found = [whole.part(np.arange(10)), stay(1, 0, 20, 1), whole.part(np.arange(10, 20))]
    chosen = appearance.sample(found)
    assert chosen.ids.tolist() == [0, 1]
    assert np.bincount(chosen.half[chosen.owner == 0]).tolist() == [10, 10]
    alike = appearance.by_tracklet(found, chosen, np.array([[0.9, 0.1], [0.1, 0.9]]))
    np.testing.assert_array_equal(alike[0], [0.9, 0.1, 0.9])


def test_with_too_few_pairs_everything_is_undecided_and_it_is_said():
    found = [stay(0, 0, 20, 0), stay(1, 0, 20, 1)]
    chosen = appearance.sample(found)
    described = np.ones((len(chosen.owner), 1)) * np.where(chosen.owner, 1.0, -1.0)[:, None]
    known = appearance.calibrate(found, chosen, described)
    assert "there are 2 and 1." in known.reason
    assert (appearance.similarity(chosen, described, known) == 0.5).all()
