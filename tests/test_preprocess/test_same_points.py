"""Labels that are copies of others are told, whatever format they came from."""

import fakes
import numpy as np

from beampose.preprocess import same_points
from beampose.preprocess.labels import LabeledFrame


def frames(*keypoints, video="v"):
    return [
        LabeledFrame(
            image=f"{i}.png",
            name=f"{i}.png",
            video=video,
            file="l.csv",
            row=i,
            keypoints=np.array(one),
        )
        for i, one in enumerate(keypoints)
    ]


def test_frames_of_a_video_with_the_same_points_are_one_line():
    first, second = fakes.points(3)[[0, 2]][:, None]
    (problem,) = same_points.problems(frames(first, second, first, first), [True] * 4)
    assert problem[:4] == ("warning", "l.csv", 2, "2.png")
    assert "all points are those of 0.png to the last digit, in 2 images" in problem.what


def test_frames_of_two_videos_and_frames_of_two_points_may_have_the_same():
    one, other = frames(fakes.points(1))[0], frames(fakes.points(1), video="w")[0]
    few = frames(fakes.points(2)[1:2], fakes.points(2)[1:2])
    few = [one for one in few if np.isnan(one.keypoints).any()]
    assert same_points.problems([one, other, *few], [True] * 4) == []


def test_an_image_that_is_not_used_is_not_compared():
    assert same_points.problems(frames(fakes.points(1), fakes.points(1)), [True, False]) == []


def test_two_animals_with_the_same_points_are_one_line():
    ann, bob = fakes.points(3)[[0, 2]]
    nobody = np.full_like(ann, np.nan)
    both = frames([ann, bob, nobody], [bob, bob, nobody], [nobody, nobody, ann + 1])
    (problem,) = same_points.problems(both, [True] * 3)
    assert problem.row == 1
    assert "two animals have the very same points in 1 image" in problem.what
