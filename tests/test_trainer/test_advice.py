"""What is said about a model: one sentence each, with the remedy."""

import fakes
import numpy as np
import pytest

from beampose.core.infos import Figures
from beampose.core.task_kinds import CROPS, POSE
from beampose.trainer import advice, crop_shares

MOUSE = np.array([[0.0, 0.0], [0.0, 12.0], [0.0, -12.0], [90.0, 0.0]])


def turned(animal, degrees):
    """An animal turned by each of some angles: (angles, 1, bodyparts, 2)."""
    turn = np.deg2rad(degrees)
    rows = np.stack([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.einsum("ijn,pj->npi", rows, animal)[:, None] + 200


def said(
    train,
    test,
    *,
    animal=MOUSE,
    count=30,
    others="other",
    radius=8.0,
    scale=0.0,
    also=(),
    hidden=None,
):
    """What is said of a model with these errors.

    Args:
      also: animals of another film to learn from.
      hidden: a bodypart that no held-out image shows.
    """
    points = turned(animal, np.linspace(0, 300, count))
    shown = points[:9].copy()
    if hidden is not None:
        shown[:, :, hidden] = np.nan
    learned = [fakes.label_record(i, one) for i, one in enumerate(points)]
    learned += [fakes.label_record(i, one, video="webcam") for i, one in enumerate(also)]
    return " ".join(
        advice.sentences(
            advice.Trained(
                POSE,
                ["snout", "left", "right", "tail"],
                Figures(**{"images": count, "points": 99, "share_above_pcutoff": 1.0, **train}),
                Figures(**{"images": 9, "points": 30, "share_above_pcutoff": 1.0, **test}),
                learned,
                [fakes.label_record(i, one, video=others) for i, one in enumerate(shown)],
                radius,
                0.6,
                scale=scale,
            )
        )
    )


@pytest.mark.parametrize(
    ("snout", "points", "told"), [(26.0, 9, True), (26.0, 3, False), (6.0, 9, False)]
)
def test_a_bodypart_that_is_much_worse_than_the_others_has_a_sentence(snout, points, told):
    errors = {"snout": snout, "left": 2.0, "right": 2.6, "tail": 1.8}
    parts = {
        name: {
            "points": points,
            "mean_error_px": one,
            "median_error_px": one,
            "mean_error_px_pcutoff": one,
        }
        for name, one in errors.items()
    }
    text = said({"mean_error_px": 4.0}, {"mean_error_px": 5.0, "per_bodypart": parts})
    assert ("snout is 26.0 px off in the median, the others 2.0 px" in text) is told


def test_animals_that_are_missed_and_those_that_are_not_there_have_a_sentence():
    good = {"mean_error_px": 1.5, "share_found": 0.97}
    text = said(good, {"mean_error_px": 2.0, "share_found": 0.15, "share_negatives_empty": 0.1})
    assert "finds 15% of the points of held-out images, 97% of those it learned from" in text
    assert "In 90% of the held-out images without an animal it sees one" in text
    fine = {"mean_error_px": 2.0, "share_found": 0.9, "share_negatives_empty": 0.9}
    assert said(good, fine) == ""


def test_nothing_is_said_of_a_good_model():
    assert said({"mean_error_px": 1.5}, {"mean_error_px": 2.0}) == ""


@pytest.mark.parametrize(
    "sentence, arguments",
    [
        ("Underfit", ({"mean_error_px": 31.0}, {"mean_error_px": 40.0})),
        ("Overfit", ({"mean_error_px": 1.0}, {"mean_error_px": 9.0})),
        (
            "keeps only 35%",
            ({"mean_error_px": 1.0}, {"mean_error_px": 2.0, "share_above_pcutoff": 0.35}),
        ),
    ],
)
def test_a_doubtful_model_has_a_sentence_with_a_remedy(sentence, arguments):
    text = said(*arguments)
    assert sentence in text
    assert any(word in text for word in ("raise", "lower", "Label"))


def test_labels_that_cannot_teach_have_a_sentence():
    good = {"mean_error_px": 1.0}, {"mean_error_px": 1.2}
    assert "Only 5 labeled images" in said(*good, count=5)
    assert "of the films it learned from" in said(*good, others="film")
    near = MOUSE.copy()
    near[1] = [0.0, 1.0]
    assert "snout and left are 1.0 px apart" in said(*good, animal=near)
    lacking = MOUSE.copy()
    lacking[3] = np.nan
    assert "no image to learn from has a label of tail" in said(*good, animal=lacking).lower()


def test_a_single_bodypart_off_by_less_than_a_cell_is_not_overfit():
    one = MOUSE.copy()
    one[1:] = np.nan
    assert "Overfit" not in said({"mean_error_px": 0.2}, {"mean_error_px": 0.8}, animal=one)
    assert "Overfit" in said({"mean_error_px": 0.2}, {"mean_error_px": 5.0}, animal=one)


def test_one_bodypart_in_large_images_and_films_of_other_sizes_have_a_sentence():
    good = {"mean_error_px": 1.0}, {"mean_error_px": 1.2}
    one = MOUSE.copy()
    one[1:] = np.nan
    assert "smaller than 160 px in them" in said(*good, animal=one, scale=0.25)
    assert "nobody knows" not in said(*good, animal=one, scale=1.0) + said(*good, scale=0.25)
    small = turned(MOUSE / 3, np.zeros(5))
    text = said(*good, also=small)
    assert "Animals of webcam are 31 px long, those of film 98 px" in text
    assert "Animals of" not in said(*good, also=small[:2])


def test_a_bodypart_that_no_held_out_image_shows_has_a_sentence():
    good = {"mean_error_px": 1.0}, {"mean_error_px": 1.2}
    text = said(*good, hidden=3)
    assert "No held-out image has a label of tail: the error of it is not known." in text


def test_bodyparts_at_one_place_are_not_to_be_set_apart_by_a_scale():
    twins = MOUSE.copy()
    twins[1] = twins[0]
    text = said({"mean_error_px": 1.0}, {"mean_error_px": 1.2}, animal=twins)
    assert "snout and left are at the same place" in text and "larger features.scale" not in text


def test_few_labels_of_a_bodypart_and_few_held_out_images_have_a_sentence():
    points = turned(MOUSE, np.linspace(0, 300, 30))
    points[2:, :, 3] = np.nan
    good = Figures(mean_error_px=1.0, points=99, images=30, share_above_pcutoff=1.0)
    learned = [fakes.label_record(i, one) for i, one in enumerate(points)]
    held_out = [fakes.label_record(i, one, video="other") for i, one in enumerate(points[:2])]
    names = ["snout", "left", "right", "tail"]
    made = advice.Trained(POSE, names, good, good, learned, held_out, 8.0, 0.6)
    text = " ".join(advice.sentences(made))
    assert "Few labels to learn from of tail (2): little is known of it." in text
    assert "Only 2 images are held out" in text


def said_of_crops(counts, train, test):
    """What is said of a classifier of birds and nothing that learned from so many of each."""
    learned = [
        fakes.label_record(i, label=label) for label, n in enumerate(counts) for i in range(n)
    ]
    names = ["bird", "none"]
    made = advice.Trained(CROPS, names, train, test, learned, learned[:3], 17.0, 0.6)
    return " ".join(advice.sentences(made))


def test_few_crops_and_a_classifier_that_learned_nothing_have_a_sentence():
    text = said_of_crops((25, 5), Figures(accuracy=0.85), Figures(accuracy=0.8))
    assert "Underfit" in text and "none (5)" in text


def test_a_rare_class_that_is_not_found_has_a_sentence_though_most_crops_are_right():
    good = Figures(accuracy=0.99)
    test = Figures(accuracy=0.96, confusion=[[4, 8], [0, 200]])
    assert (
        "Only 4 of 12 held-out crops of bird are found; it is rare (30 of 330 to"
        in said_of_crops((30, 300), good, test)
    )
    assert "are found" not in said_of_crops((300, 300), good, test)
    test = Figures(accuracy=0.98, confusion=[[9, 3], [0, 200]])
    assert "are found" not in said_of_crops((30, 300), good, test)


@pytest.mark.parametrize(
    "confusion, told",
    [
        ([[0, 1], [0, 47]], ("Few held-out crops: bird (1).", "always saying none gives 97.9%")),
        ([[4, 0], [0, 200]], ("Few held-out crops: bird (4).",)),
        ([[5, 0], [0, 200]], ()),
        ([[20, 5], [30, 50]], ("66.7% of held-out crops are right, and always saying none gives",)),
        ([[0, 0], [1, 50]], ("Few held-out crops: bird (0).",)),
    ],
)
def test_an_accuracy_that_says_nothing_of_a_class_has_a_sentence(confusion, told):
    counts = np.array(confusion)
    right = float(counts.trace() / counts.sum())
    found = list(crop_shares.doubts(["bird", "none"], Figures(accuracy=right, confusion=confusion)))
    assert len(found) == len(told)
    assert all(part in one for part, one in zip(told, found, strict=True))
    good = Figures(accuracy=0.99)
    text = said_of_crops((30, 300), good, Figures(accuracy=right, confusion=confusion))
    assert all(one in text for one in found)
    assert not list(crop_shares.doubts(["bird", "none"], Figures()))


def test_of_many_classes_a_few_are_named():
    counts = [100, *[12] * 40]
    learned = [fakes.label_record(i, label=k) for k, n in enumerate(counts) for i in range(n)]
    confusion = np.zeros((41, 41), int)
    confusion[:, 0] = 4
    names = [f"c{i}" for i in range(41)]
    test = Figures(accuracy=0.9, confusion=confusion.tolist())
    made = advice.Trained(
        CROPS, names, Figures(accuracy=0.9), test, learned, learned[:9], 17.0, 0.6
    )
    found = list(advice.sentences(made))
    assert sum("held-out crops of" in one for one in found) == 5
    assert any("c6, c7, c8, c9, c10 and 30 more" in one for one in found)
    assert any("c1 (12), c2 (12), c3 (12), c4 (12), c5 (12) and 35 more" in one for one in found)


def test_held_out_crops_that_are_nearly_equal_to_some_learned_from_are_told():
    learned = [fakes.label_record(i, label=i % 2) for i in range(60)]
    good = Figures(accuracy=0.99)
    alike = [("b1.jpg", "a1.jpg"), ("b2.jpg", "a1.jpg")]
    made = advice.Trained(
        CROPS, ["bird", "none"], good, good, learned, learned[:9], 17.0, 0.6, alike
    )
    (said,) = advice.sentences(made)
    assert "2 held-out crops of 9 are nearly equal" in said and "b1.jpg to a1.jpg" in said
    held_out = [*learned, *learned]
    assert not list(advice.sentences(made._replace(held_out=held_out)))
