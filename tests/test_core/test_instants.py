"""Images of one instant in several views, and the split that keeps them together."""

import numpy as np
import pytest

from beampose.core import instants
from beampose.core.settings.label_settings import Split
from beampose.preprocess import split
from beampose.preprocess.labels import LabeledFrame

VIEWS = ["left", "left-top", "right"]


def frame(video: str, image: str) -> LabeledFrame:
    name = f"labeled-data/{video}/{image}"
    return LabeledFrame(
        image=name, name=name, video=video, file="csv", row=1, keypoints=np.zeros((1, 1, 2))
    )


def test_a_view_is_a_word_of_its_own_and_the_longer_one_counts():
    assert instants.view_of("run1-left", VIEWS) == "left"
    assert instants.view_of("run1_left-top", VIEWS) == "left-top"
    assert instants.view_of("leftover", VIEWS) is None


def test_images_of_one_instant_stay_on_one_side():
    items = [
        frame(f"run{run}-{view}", f"img{i:03}.png")
        for run in range(3)
        for view in VIEWS
        for i in range(20)
    ]
    sides = split.assign(items, by="image", test=0.3, seed=0, views=VIEWS)
    by_instant = {}
    for item, side in zip(items, sides, strict=True):
        key = item.video[:4], item.name.rpartition("/")[2]
        by_instant.setdefault(key, set()).add(side)
    assert len(by_instant) == 60 and all(len(one) == 1 for one in by_instant.values())
    assert 0.15 < sides.count("test") / len(sides) < 0.45


def test_without_views_the_split_is_what_it_was():
    items = [frame("run1-left", f"img{i:03}.png") for i in range(50)]
    plain = split.assign(items, by="image", test=0.2, seed=0)
    assert plain == split.assign(items, by="image", test=0.2, seed=0, views=())


def test_views_where_they_have_no_effect_are_refused():
    assert Split(views=["a", "b"]).views == ["a", "b"]
    for others in ({"by": "video"}, {"test_from": "other"}):
        with pytest.raises(ValueError, match="views"):
            Split(views=["a", "b"], **others)


def test_views_that_no_video_is_called_after_are_refused():
    items = [frame("run1", f"img{i:03}.png") for i in range(5)]
    with pytest.raises(ValueError, match="no video is called after one of them \\(run1\\)"):
        split.assign(items, by="image", test=0.2, seed=0, views=["top", "bot"])
