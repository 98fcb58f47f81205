import pickle

import fakes
import numpy as np
import pytest

from preprocess import shuffles
from preprocess.labels import TEST, TRAIN, LabeledFrame

NOTHING = np.full((1, 3, 2), np.nan)


def frame(video: str, number: int) -> LabeledFrame:
    name = f"labeled-data/{video}/img{number:03}.png"
    return LabeledFrame(image=name, name=name, video=video, file="f", row=1, keypoints=NOTHING)


FRAMES = [frame(video, i) for video in ("a", "b") for i in range(3)]


def shuffle(path, train, test, protocol=pickle.HIGHEST_PROTOCOL, rest=None) -> str:
    data = [[{"image": "a", "size": np.array([3, 40, 60])}], np.array(train), np.array(test), 0.67]
    path.write_bytes(pickle.dumps(data if rest is None else rest, protocol))
    return str(path)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_shuffle_is_read_in_the_order_of_names(tmp_path, protocol):
    path = shuffle(tmp_path / "d.pickle", [2, 1], [0], protocol)
    frames = [frame("b", 0), frame("a", 7), frame("a", 1)]
    # Sorted by name: a/001, a/007, b/000.
    assert shuffles.read(frames, path) == [TRAIN, TRAIN, TEST]


def test_padding_in_a_shuffle_is_no_row(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [0, -1, -1], [1, 2, -1])
    assert shuffles.read(FRAMES[:3], path) == [TRAIN, TEST, TEST]


def test_a_shuffle_of_more_frames_is_refused(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [0, 1, 3], [2])
    with pytest.raises(ValueError, match="row 3 of 3"):
        shuffles.read(FRAMES[:3], path)


def test_a_shuffle_that_leaves_a_frame_out_is_refused(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [0], [2])
    with pytest.raises(ValueError, match="1 frames, such as labeled-data/a/img001.png"):
        shuffles.read(FRAMES[:3], path)


def test_another_pickle_is_refused(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [], [], rest={"a": 1})
    with pytest.raises(ValueError, match="not a DeepLabCut Documentation_data"):
        shuffles.read(FRAMES[:3], path)


def test_a_malicious_shuffle_is_refused_and_does_not_run(tmp_path):
    bomb = fakes.Bomb(tmp_path / "ran")
    path = shuffle(tmp_path / "d.pickle", [], [], rest=[[], [0], [1], bomb])
    with pytest.raises(ValueError, match="not plain data"):
        shuffles.read(FRAMES[:2], path)
    assert not bomb.path.exists()
