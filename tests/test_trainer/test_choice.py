"""The recipe that labels choose, the number of steps, and what is said about a model."""

import fakes
import numpy as np
import pytest

from beampose.core.infos import Chosen
from beampose.core.settings import experiment
from beampose.trainer import judging, label_facts, model_records, recipe, steps

OPEN = {
    "task": "pose",
    "source": {"format": "deeplabcut", "path": "project"},
    "output": "out",
}
MOUSE = np.array([[0.0, 0.0], [0.0, 12.0], [0.0, -12.0], [90.0, 0.0]])


def config(**sections):
    return experiment.from_dict(experiment.Config, {**OPEN, **sections})


def turned(animal, degrees):
    """An animal turned by each of some angles: (angles, 1, bodyparts, 2)."""
    turn = np.deg2rad(degrees)
    rows = np.stack([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.einsum("ijn,pj->npi", rows, animal)[:, None] + 200


def facts(keypoints, size=(480, 640)):
    return label_facts.facts(keypoints, ["film"] * len(keypoints), [size[0]], [size[1]])


def test_facts_measure_animals_in_pixels_and_skip_what_is_not_labeled():
    points = turned(MOUSE, np.zeros(5))
    points[0, 0, 1] = np.nan
    found = facts(points)
    assert found.extent == pytest.approx(np.hypot(90, 24))
    assert found.closest == pytest.approx(12)
    assert (found.images, found.bodyparts, found.individuals) == (5, 4, 1)


@pytest.mark.parametrize(
    "degrees, rotation",
    [
        (np.linspace(0, 340, 18), 180.0),
        (np.linspace(-8, 8, 18), 25.0),
        # An animal that is seen from the side faces left or right.
        (np.tile([2.0, 182.0], 9), 25.0),
    ],
)
def test_animals_in_all_directions_are_turned_fully_and_others_are_not(degrees, rotation):
    chosen = recipe.of_features(config(), facts(turned(MOUSE, degrees)))
    assert chosen["features.rotation"].value == rotation


CORNERS = np.array([[5.0, 5], [600, 5], [600, 470], [5, 470]])


def in_a_cage(moved):
    """A mouse that goes about and turns, beside the corners of its cage: (18, 1, 8, 2)."""
    mouse = turned(MOUSE, np.linspace(0, 340, 18))
    mouse += np.random.default_rng(0).uniform(-150, 150, (18, 1, 1, 2))
    corners = np.broadcast_to(CORNERS + moved, (18, 1, 4, 2))
    return np.concatenate([mouse, corners], axis=2)


def test_corners_of_a_cage_say_nothing_of_the_size_and_the_turning_of_an_animal():
    shaken = np.random.default_rng(1).uniform(-8, 8, (18, 1, 1, 2))
    alone, caged = facts(in_a_cage(shaken)[:, :, :4]), facts(in_a_cage(shaken))
    assert (caged.extent, caged.spacing, caged.turning) == (
        alone.extent,
        alone.spacing,
        alone.turning,
    )
    assert (alone.scene, caged.scene) == (0, 4)
    chosen = [recipe.of_features(config(), one)["features.scale"].value for one in (alone, caged)]
    assert chosen[0] == chosen[1]
    # A window around the animal would show copies none of them.
    assert recipe.of_features(config(), caged)["features.window"].value == 0


def test_an_animal_that_is_held_and_one_that_turns_on_the_spot_are_no_scene():
    held = turned(MOUSE, np.zeros(18))
    held[:, :, 3] += np.random.default_rng(0).uniform(-40, 40, (18, 1, 2))
    assert facts(held).scene == 0
    # But a bodypart alone in a cage is what moves there.
    assert facts(in_a_cage(0)[:, :, [0, 4, 5, 6, 7]]).scene == 4
    assert facts(turned(MOUSE, np.linspace(0, 340, 18))).scene == 0


def test_a_camera_that_moves_keeps_the_corners_of_a_cage_and_animals_apart():
    rng = np.random.default_rng(2)
    seen = in_a_cage(rng.uniform(-2, 2, (18, 1, 4, 2))) + rng.uniform(-200, 200, (18, 1, 1, 2))
    # Some corners are out of sight.
    seen[(rng.random((18, 8)) < 0.3)[:, None] & (np.arange(8) > 3)] = np.nan
    alone, caged = facts(seen[:, :, :4]), facts(seen)
    assert (alone.scene, caged.scene, caged.spacing) == (0, 4, alone.spacing)
    # An animal that walks by, and hardly turns, has a stiff trunk and legs that move beside it.
    trunk = np.array([[0.0, 0], [40, 0], [80, 0], [120, -20]])
    legs = np.array([[10.0, 50], [70, 50]])
    horse = np.broadcast_to(np.concatenate([trunk, legs]), (18, 1, 6, 2)).copy()
    horse[:, :, 4:, 0] += rng.uniform(-30, 30, (18, 1, 2))
    assert facts(horse + rng.uniform(0, 400, (18, 1, 1, 2))).scene == 0


def test_unique_bodyparts_say_nothing_of_animals():
    mice = np.full((18, 3, 8, 2), np.nan)
    mice[:, 0, :4] = in_a_cage(0)[:, 0, :4]
    mice[:, 2, 4:] = CORNERS
    alone, found = facts(mice[:, :2, :4]), facts(mice)
    assert (found.spacing, found.closest, found.turning) == (
        alone.spacing,
        alone.closest,
        alone.turning,
    )
    assert found.scene == 4


def test_a_bodypart_that_is_seldom_seen_and_far_away_does_not_tell_the_direction():
    points = turned(np.vstack([MOUSE, [300.0, 0]]), np.linspace(0, 340, 18))
    points[3:, :, 4] = np.nan
    assert facts(points).turning == pytest.approx(facts(points[:, :, :4]).turning)


def test_of_one_bodypart_nobody_knows_the_direction_and_small_animals_may_be_seen():
    one = turned(MOUSE[:1], np.zeros(64))
    chosen = recipe.of_features(config(), facts(one, (2160, 3840)))
    assert "do not tell" in chosen["features.rotation"].why
    assert (chosen["features.scale"].value, chosen["features.copies"].value) == (0.5, 2)
    assert recipe.of_features(config(), facts(one))["features.scale"].value == 1.0


def test_one_labeled_bodypart_is_enough_for_a_recipe():
    points = turned(MOUSE, np.zeros(9))
    points[:, :, 1:] = np.nan
    found = facts(points)
    every = {**recipe.of_features(config(), found), **recipe.of_head(config(), found, 8.0)}
    assert all(np.isfinite(one.value) for one in every.values())


def test_small_animals_get_a_larger_scale_and_large_images_a_smaller_one():
    small, large = facts(turned(MOUSE / 2, np.zeros(9))), facts(turned(MOUSE * 8, np.zeros(9)))
    scale = "features.scale"
    chosen = [recipe.of_features(config(), one)[scale].value for one in (small, large)]
    assert chosen[0] > chosen[1]
    huge = facts(turned(MOUSE * 4, np.zeros(9)), (4000, 6000))
    assert recipe.of_features(config(), huge)[scale].value == recipe.SCALES[0]


@pytest.mark.parametrize(("size", "expected"), [(0.1, 4.0), (0.25, 4.0), (0.5, 2.0)])
def test_bodyparts_of_small_frames_are_set_apart(size, expected):
    found = facts(turned(MOUSE * size, np.zeros(9)), (120, 160))
    assert recipe.of_features(config(), found)["features.scale"].value == expected


def test_animals_that_fill_the_frame_are_seen_smaller():
    near = facts(turned(MOUSE * 4, np.zeros(9)), (800, 800))
    close_up = facts(turned(MOUSE * 8, np.zeros(9)), (800, 800))
    scales = [recipe.of_features(config(), one)["features.scale"].value for one in (near, close_up)]
    assert scales == [1.0, 0.5]
    assert scales[1] * close_up.spacing <= recipe.FARTHEST


def test_bodyparts_at_one_place_have_a_recipe():
    found = facts(turned(np.zeros((2, 2)), np.zeros(9)))
    assert recipe.of_features(config(), found)["features.scale"].value > 0


def test_ends_of_an_animal_alone_do_not_make_it_a_close_up():
    ends = [0, 3]
    for size, expected in ((1, 1.0), (4, 0.7)):
        mouse = facts(turned(MOUSE[ends] * size, np.zeros(9)))
        assert recipe.of_features(config(), mouse)["features.scale"].value == expected


@pytest.mark.parametrize(
    "share, size, expected",
    [(0.2, (1080, 1920), 2.0), (0.5, (1080, 1920), 1.0), (1, (4000, 6000), 0.5)],
)
def test_tiny_animals_are_seen_as_large_as_they_must_be(share, size, expected):
    tiny = facts(turned(MOUSE * share, np.zeros(9)), size)
    assert recipe.of_features(config(), tiny)["features.scale"].value == expected
    assert expected**2 * size[0] * size[1] <= recipe.TINY_PIXELS


def test_what_a_config_sets_is_obeyed():
    given = config(features={"scale": 0.8}, train={"window": 0})
    found = facts(turned(MOUSE, np.zeros(9)))
    every = {**recipe.of_features(given, found), **recipe.of_head(given, found, 8.0)}
    assert "features.scale" not in every and "train.window" not in every
    made = recipe.resolved(given, {**every, "features.scale": Chosen(value=2.0, why="")})
    assert (made.features.scale, made.train.window) == (0.8, 0)


def test_a_few_labels_more_keep_the_scale_that_images_were_embedded_with():
    before = {"features.scale": Chosen(value=1.4, why="then")}
    near = recipe.lasting({"features.scale": Chosen(value=1.0, why="now")}, before)
    far = recipe.lasting({"features.scale": Chosen(value=0.5, why="now")}, before)
    assert near["features.scale"].value == 1.4 and "as before" in near["features.scale"].why
    assert far["features.scale"].value == 0.5


def test_copies_show_windows_where_animals_are_small_and_hold_all_of_one():
    small, large = facts(turned(MOUSE / 2, np.zeros(9))), facts(turned(MOUSE * 3, np.zeros(9)))
    every = recipe.of_features(config(), small)
    side, scale = every["features.window"].value, every["features.scale"].value
    assert side > small.extent * scale
    assert recipe.SHARES[0] <= side**2 / (480 * 640 * scale**2) <= recipe.SHARES[1]
    assert recipe.of_features(config(), large)["features.window"].value == 0
    assert "features.window" not in recipe.of_features(config(features={"window": 0}), small)


def test_the_size_of_training_frames_is_not_that_of_the_windows_copies_show():
    image = fakes.label_record(0)
    window = image._replace(copy=1, height=96, width=96)
    assert model_records.frame_size([image, window, window]) == [480, 640]


def test_a_dataset_from_before_there_were_windows_keeps_copies_of_whole_frames():
    chosen = recipe.of_features(config(), facts(turned(MOUSE / 2, np.zeros(9))))
    assert chosen["features.window"].value > 0
    old = {"features.scale": chosen["features.scale"]}
    assert recipe.lasting(chosen, old)["features.window"].value == 0
    assert recipe.lasting(chosen, {}) == recipe.lasting(chosen, chosen) == chosen


@pytest.mark.parametrize(
    "errors, expected",
    [
        ([20.0, 10.0, 6.0, 4.0], 900),
        ([20.0, 10.0, 6.0, 5.95], 400),
        ([5.0, 5.2, 6.0, 7.0], 100),
        ([20.0, 10.0, np.nan, np.nan], 200),
        ([np.nan] * 4, 900),
    ],
)
def test_crops_are_trained_until_images_that_are_not_learned_improve_no_more(errors, expected):
    rounds = list(zip([100, 200, 400, 800], errors, strict=True))
    found, why = steps.first_best(rounds, 900)
    assert found == expected, why


@pytest.mark.parametrize(
    "errors, judges, expected",
    [
        ([20.0, 10.0, 6.0, 4.0], 100, 900),
        ([20.0, 10.0, 6.0, 6.2], 100, 900),
        ([20.0, 10.0, 6.0, 6.8], 10, 900),
        ([20.0, 10.0, 6.0, 8.0], 100, 400),
        ([5.0, 6.2, 7.0, 9.0], 10, 100),
        ([20.0, 10.0, np.nan, np.nan], 10, 200),
        ([np.nan] * 4, 10, 900),
    ],
)
def test_keypoints_are_trained_for_long_unless_held_out_images_get_worse(errors, judges, expected):
    rounds = list(zip([100, 200, 400, 800], errors, strict=True))
    found, why = steps.last_good(rounds, 900, judges)
    assert found == expected, why


def test_a_head_on_maps_trains_for_some_steps_whatever_the_first_rounds_say():
    assert steps.enough(54, "worse", 600)[0] == steps.ENOUGH
    assert steps.enough(54, "worse", 200)[0] == 200
    assert steps.enough(400, "worse", 600) == (400, "worse")


def test_a_point_far_off_counts_no_more_than_one_that_is_not_found():
    truth = np.array([[[0.0, 0.0], [50.0, 0.0], [np.nan, np.nan]]])
    records = [fakes.label_record(i, truth) for i in range(2)]
    found = np.array([[[3.0, 4.0, 1.0], [950.0, 0.0, 1.0], [7.0, 7.0, 1.0]]] * 2)
    judge = judging.Points(["snout", "tail", "ear"], 0.6)
    assert steps.bounded(judge, records, found, 35.0) == pytest.approx((5 + 35) / 2)
    found[1, 1] = np.nan
    assert steps.bounded(judge, records, found, 35.0) == pytest.approx((5 + 35) / 2)
    nothing = [fakes.label_record(i, np.full_like(truth, np.nan)) for i in range(2)]
    assert np.isnan(steps.bounded(judge, nothing, found, 35.0))


def test_wrong_classes_are_counted():
    records = [fakes.label_record(i, label=i % 2) for i in range(4)]
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    assert steps.bounded(judging.Classes(["a", "b"]), records, scores, 0.0) == 0.25


@pytest.mark.parametrize("by", ["image", "folder"])
@pytest.mark.parametrize("sizes", [[3] * 30, [1, 2, 40], [1] * 3 + [4] * 6])
def test_parts_that_judge_leave_crops_of_every_class_to_learn_from(sizes, by):
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    records = [fakes.label_record(i, video=f"v{i % 7}", label=k) for i, k in enumerate(labels)]
    parts = steps._parts(config(split={"by": by}), records, 3)
    assert parts
    for held in parts:
        assert held and {r.label for r in records if r.name not in held} == set(labels)


def test_crops_that_are_the_only_ones_of_their_class_judge_nothing():
    records = [fakes.label_record(i, label=i) for i in range(20)]
    assert steps._parts(config(), records, 3) == []


def test_parts_are_drawn_without_a_look_at_classes_of_many_crops():
    records = [fakes.label_record(i, label=i % 2) for i in range(80)]
    plain = [r._replace(label=-1) for r in records]
    assert steps._parts(config(), records, 3) == steps._parts(config(), plain, 3)


def test_rounds_double_what_was_trained():
    assert steps.round_ends(800) == [100, 200, 400, 800]
    assert steps.round_ends(1)[-1] > 1
