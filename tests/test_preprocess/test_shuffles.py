import pickle

import fakes
import numpy as np
import pytest

from beampose.formats.deeplabcut import shuffles
from beampose.preprocess.labels import TEST, TRAIN, LabeledFrame

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


@pytest.fixture
def training_set(tmp_path):
    """Shuffles 1 and 2 of three frames, of which the second stands first in the merged labels."""
    folder = tmp_path / "training-datasets/iteration-0/UnaugmentedDataSet_reachJan7"
    folder.mkdir(parents=True)
    shuffle(folder / "Documentation_data-reach_67shuffle1.pickle", [0, 1], [2])
    shuffle(folder / "Documentation_data-reach_67shuffle2.pickle", [1, 2], [0])
    return folder


METADATA = """# comment
---
shuffles:
  reachJan7-trainset67shuffle1: {train_fraction: 0.67, index: 1, split: 1, engine: pytorch}
  reachJan7-trainset67shuffle2: {train_fraction: 0.67, index: 2, split: 2, engine: pytorch}
  reachJan7-trainset67shuffle5: {train_fraction: 0.67, index: 5, split: 2, engine: pytorch}
"""


@pytest.mark.parametrize("suffix", [".csv", ".h5"])
@pytest.mark.parametrize("cut", [",", "/"])
def test_rows_are_those_of_the_merged_labels_where_they_are(training_set, suffix, cut):
    names = [FRAMES[i].name for i in (1, 2, 0)]
    if suffix == ".csv":
        text = fakes.csv_text([n.replace("/", cut) for n in names], fakes.points())
        (training_set / "CollectedData_Ann.csv").write_text(text)
    else:
        rows = [tuple(n.split("/")) for n in names] if cut == "," else names
        fakes.table(rows, fakes.points()).to_hdf(training_set / "CollectedData_Ann.h5", key="a")
    found = shuffles.read(FRAMES[:3], str(training_set), 1)
    assert found == [TEST, TRAIN, TRAIN]


def test_frames_without_merged_labels_are_sorted_by_folder_and_then_by_image(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [0], [1])
    # As text, "a-b/" would come before "a/".
    found = shuffles.read([frame("a-b", 0), frame("a", 0)], path)
    assert found == [TEST, TRAIN]


@pytest.mark.parametrize("above", ["", "metadata.yaml", "../../.."])
def test_a_shuffle_is_found_by_its_number(training_set, above):
    (training_set / "metadata.yaml").write_text(METADATA)
    place = str((training_set / above).resolve())
    assert shuffles.read(FRAMES[:3], place, 2) == [TEST, TRAIN, TRAIN]


def test_a_shuffle_without_its_file_is_that_of_the_same_split(training_set):
    (training_set / "metadata.yaml").write_text(METADATA)
    assert shuffles.read(FRAMES[:3], str(training_set), 5) == [TEST, TRAIN, TRAIN]


def test_one_of_several_shuffles_must_be_named(training_set):
    with pytest.raises(ValueError, match=r"several shuffles.*split.shuffle to one of 1, 2"):
        shuffles.read(FRAMES[:3], str(training_set))
    with pytest.raises(FileNotFoundError, match=r"no shuffle 9. Found: 1, 2"):
        shuffles.read(FRAMES[:3], str(training_set), 9)


@pytest.mark.parametrize("text", ["- 1", "shuffles: 3", "shuffles: {a: {split: 1}}", "a: ["])
def test_metadata_of_something_else_is_refused(training_set, text):
    (training_set / "metadata.yaml").write_text(text)
    with pytest.raises(ValueError, match="not DeepLabCut's metadata"):
        shuffles.read(FRAMES[:3], str(training_set), 1)


def test_a_shuffle_that_does_not_exist_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        shuffles.read(FRAMES, str(tmp_path / "gone.pickle"))
