import numpy as np
import pytest

from beampose.preprocess import split
from beampose.preprocess.labels import TEST, TRAIN, LabeledCrop, LabeledFrame

NOTHING = np.full((1, 3, 2), np.nan)


def frame(video: str, number: int) -> LabeledFrame:
    name = f"labeled-data/{video}/img{number:03}.png"
    return LabeledFrame(image=name, name=name, video=video, file="f", row=1, keypoints=NOTHING)


def crop(name: str, declared: str | None) -> LabeledCrop:
    return LabeledCrop(image=name, name=name, video="v", file="f", row=1, label=0, split=declared)


FRAMES = [frame(video, i) for video in ("a", "b", "c", "d", "e", "f") for i in range(50)]


def test_the_split_is_the_same_on_every_call():
    first, second = (split.assign(FRAMES, by="image", test=0.2, seed=3) for _ in range(2))
    assert first == second


def test_the_split_is_the_same_on_every_machine():
    found = split.assign([frame("a", i) for i in range(12)], by="image", test=0.3, seed=0)
    assert [i for i, side in enumerate(found) if side == TEST] == [2]


def test_another_seed_is_another_split():
    first, second = (split.assign(FRAMES, by="image", test=0.2, seed=seed) for seed in (0, 1))
    assert first != second


@pytest.mark.parametrize("test", [0.1, 0.5])
def test_about_the_share_asked_for_is_held_out(test):
    found = split.assign(FRAMES, by="image", test=test, seed=0)
    assert found.count(TEST) / len(FRAMES) == pytest.approx(test, abs=0.06)


def test_no_share_holds_out_nothing():
    assert set(split.assign(FRAMES, by="image", test=0, seed=0)) == {TRAIN}


def test_more_frames_move_nobody():
    before = split.assign(FRAMES[::3], by="image", test=0.2, seed=0)
    after = split.assign(FRAMES, by="image", test=0.2, seed=0)
    assert after[::3] == before


def test_the_order_of_frames_does_not_matter():
    found = split.assign(FRAMES, by="image", test=0.2, seed=0)
    turned = split.assign(FRAMES[::-1], by="image", test=0.2, seed=0)
    assert turned[::-1] == found


@pytest.mark.parametrize("seed", range(5))
def test_by_video_keeps_the_frames_of_a_video_together(seed):
    found = split.assign(FRAMES, by="video", test=0.4, seed=seed)
    sides = {
        video: {s for f, s in zip(FRAMES, found, strict=True) if f.video == video}
        for video in "abcdef"
    }
    assert all(len(side) == 1 for side in sides.values())
    assert set(found) == {TRAIN, TEST}


@pytest.mark.parametrize("test", [0.01, 0.99])
@pytest.mark.parametrize("seed", range(10))
def test_a_small_set_has_both_sides(seed, test):
    found = split.assign(FRAMES[:3], by="image", test=test, seed=seed)
    assert set(found) == {TRAIN, TEST}


def test_a_single_video_cannot_be_split_by_video():
    with pytest.raises(ValueError, match=r"only one video \(a\).*Use split.by: image"):
        split.assign(FRAMES[:50], by="video", test=0.2, seed=0)


def test_no_frames_have_no_split():
    assert split.assign([], by="video", test=0.2, seed=0) == []


def test_crops_follow_their_folders():
    items = [crop("a.jpg", TEST), crop("b.jpg", TRAIN), crop("c.jpg", TEST)]
    assert split.assign(items, by="folder", test=0.2, seed=0) == [TEST, TRAIN, TEST]


def test_crops_without_a_declared_split_cannot_follow_folders():
    items = [crop("a.jpg", TRAIN), crop("lost.jpg", None)]
    with pytest.raises(ValueError, match="lost.jpg lies in neither"):
        split.assign(items, by="folder", test=0.2, seed=0)


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("Training/Positive/cam_1_120_3.jpg", "cam_1"),
        ("cam_120_3.jpg", "cam"),
        ("P10057-125r.jpg", "P10057-125r"),
        ("a\\b\\film.2_7_0.png", "film.2"),
    ],
)
def test_the_video_of_a_crop_stands_in_its_name(name, video):
    assert split.video_of_crop(name) == video


def test_names_are_in_natural_order_however_many_digits_they_have():
    names = ["a", "img2", "img010", "img10.5", "img100", "img1" + "0" * 5000, "imgb"]
    assert sorted(reversed(names), key=split.natural) == names


def test_blocks_hold_out_the_last_images_of_each_video_in_natural_order():
    names = [f"labeled-data/v/img{i}.png" for i in (10, 2, 9, 1, 100)]
    frames = [
        LabeledFrame(image=n, name=n, video="v", file="f", row=1, keypoints=NOTHING) for n in names
    ]
    found = split.assign([*frames, *FRAMES], by="block", test=0.4, seed=0)
    assert found[:5] == [TEST, TRAIN, TRAIN, TRAIN, TEST]
    assert [f.name[-7:] for f, s in zip(FRAMES, found[5:], strict=True) if s == TEST][:2] == [
        "030.png",
        "031.png",
    ]
    assert found[5:].count(TEST) == 6 * 20


@pytest.mark.parametrize("by", ["image", "video", "folder", "block"])
def test_one_labeled_frame_advises_to_test_on_none(by):
    with pytest.raises(ValueError, match="Only one image is labeled .*Set split.test: 0"):
        split.assign([frame("a", 0)], by=by, test=0.2, seed=0)
    assert split.assign([frame("a", 0)], by=by, test=0, seed=0) == [TRAIN]


def test_blocks_of_few_images_hold_out_at_least_one():
    frames = [frame("a", 1), frame("b", 10), frame("b", 9)]
    assert split.assign(frames, by="block", test=0.2, seed=0) == [TRAIN, TEST, TRAIN]
    assert split.assign(frames, by="block", test=0.9, seed=0).count(TRAIN) == 1


def test_named_videos_are_the_test_set():
    found = split.named(FRAMES, ["b", "e.mp4"])
    assert {f.video for f, side in zip(FRAMES, found, strict=True) if side == TEST} == {"b", "e"}


def test_a_named_video_without_labels_is_an_error_that_lists_those_there_are():
    with pytest.raises(ValueError, match="labeled of g, x. Labeled videos: a, b, c, d, e, f"):
        split.named(FRAMES, ["x.avi", "g", "a"])


def test_some_video_is_left_to_train_on():
    with pytest.raises(ValueError, match="names all labeled videos .a, b."):
        split.named(FRAMES[:100], ["a", "b"])


@pytest.mark.parametrize(("held_out", "said"), [(4, False), (6, False), (7, True), (1, True)])
def test_a_share_far_from_what_was_asked_is_said(held_out, said):
    why = split.uneven([TEST] * held_out + [TRAIN] * (20 - held_out), 0.2)
    assert bool(why) is said
    assert not said or f"{held_out} of 20 images" in why


def test_videos_that_hold_most_images_are_said_where_they_are_held_out():
    many = [TEST] * 100 + [TRAIN] * 5
    assert "100 of 105 images are held out: whole videos are" in split.uneven(many, 0.2, "video")
    assert "the last of each video" in split.uneven([TEST] + [TRAIN] * 39, 0.2, "block")
