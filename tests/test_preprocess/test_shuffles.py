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
    assert shuffles.read(frames, path).sides == [TRAIN, TRAIN, TEST]


def test_padding_in_a_shuffle_is_no_row(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [0, -1, -1], [1, 2, -1])
    assert shuffles.read(FRAMES[:3], path).sides == [TRAIN, TEST, TEST]


def test_a_shuffle_of_more_frames_is_refused(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [0, 1, 3], [2])
    with pytest.raises(ValueError, match="row 3 of 3"):
        shuffles.read(FRAMES[:3], path)


def test_rows_of_more_frames_than_are_split_mean_nothing_without_names(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [0], [2])
    with pytest.raises(ValueError, match="other frames than these.*CollectedData.*copy it there"):
        shuffles.read(FRAMES[:3], path)


def merged(folder, frames):
    names = [frame.name.replace("/", ",") for frame in frames]
    text = fakes.csv_text(names, np.zeros((len(names), 3, 2)))
    (folder / "CollectedData_Ann.csv").write_text(text)


def images(*frames):
    """What a shuffle says of training images, as DeepLabCut names them from version 2.2 on."""
    return [{"image": tuple(frame.name.split("/")), "size": [3, 4, 6]} for frame in frames]


def test_frames_that_were_labeled_after_a_shuffle_are_trained_on_and_said(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [2, 0], [1])
    merged(tmp_path, [FRAMES[0], FRAMES[2], FRAMES[4]])
    found = shuffles.read(FRAMES, path)
    assert found.sides == [TRAIN, TRAIN, TEST, TRAIN, TRAIN, TRAIN]
    (note,) = found.notes
    assert note.file == path and note.level == "warning"
    assert "3 frames, such as labeled-data/a/img001.png, are not in this shuffle" in note.what
    assert "they go to training" in note.what


def test_frames_that_lost_their_labels_are_said(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [2, 0], [1])
    merged(tmp_path, FRAMES[:3])
    found = shuffles.read(FRAMES[1:3], path)
    assert found.sides == [TEST, TRAIN]
    assert "1 frame of this shuffle, such as a/img000.png, has no labels" in found.notes[0].what


def rewritten(folder, now, then, train, test):
    """A shuffle of the frames `then`, beside merged labels that were written again since."""
    listed = images(*[FRAMES[then[row]] for row in train])
    path = folder / "d.pickle"
    shuffle(path, [], [], rest=[listed, np.array(train), np.array(test), 0.7])
    if now is not None:
        merged(folder, [FRAMES[i] for i in now])
    return str(path)


@pytest.mark.parametrize("beside", [True, False])
def test_rows_are_found_again_by_the_training_images(beside, tmp_path):
    # Frames 1, 3 and 4 were there then, and 3 was the test; now there are 0 and 5, too.
    now = [0, 1, 3, 4, 5]
    path = rewritten(tmp_path, now if beside else None, [1, 3, 4], [2, 0], [1])
    found = shuffles.read([FRAMES[i] for i in now], path)
    assert found.sides == [TRAIN, TRAIN, TEST, TRAIN, TRAIN]
    assert "2 frames, such as labeled-data/a/img000.png" in found.notes[0].what


def test_a_test_frame_that_cannot_be_told_from_new_ones_is_an_error(tmp_path):
    path = rewritten(tmp_path, range(6), [1, 3, 4], [2, 0], [1])
    with pytest.raises(ValueError, match=r"1 test frames among these 2.*a/img002.png, b/img000"):
        shuffles.read(FRAMES, path)


def test_rows_of_other_frames_are_an_error_and_not_a_wrong_split(tmp_path):
    path = rewritten(tmp_path, [0, 1, 2], [3, 4, 5], [0, 1], [2])
    with pytest.raises(ValueError, match="rows for other frames.*choose a newer shuffle"):
        shuffles.read(FRAMES[:3], path)


def test_frames_that_a_shuffle_leaves_out_are_trained_on_and_said(tmp_path):
    path = rewritten(tmp_path, range(6), range(6), [0, 1, 5], [3])
    found = shuffles.read(FRAMES, path)
    assert found.sides == [TRAIN, TRAIN, TRAIN, TEST, TRAIN, TRAIN]
    assert "2 frames, such as labeled-data/a/img002.png" in found.notes[0].what


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
    found = shuffles.read(FRAMES[:3], str(training_set), 1).sides
    assert found == [TEST, TRAIN, TRAIN]


def test_frames_without_merged_labels_are_sorted_by_folder_and_then_by_image(tmp_path):
    path = shuffle(tmp_path / "d.pickle", [0], [1])
    # As text, "a-b/" would come before "a/".
    found = shuffles.read([frame("a-b", 0), frame("a", 0)], path).sides
    assert found == [TEST, TRAIN]


@pytest.mark.parametrize("above", ["", "metadata.yaml", "../../.."])
def test_a_shuffle_is_found_by_its_number(training_set, above):
    (training_set / "metadata.yaml").write_text(METADATA)
    place = str((training_set / above).resolve())
    assert shuffles.read(FRAMES[:3], place, 2).sides == [TEST, TRAIN, TRAIN]


def test_a_shuffle_without_its_file_is_that_of_the_same_split(training_set):
    (training_set / "metadata.yaml").write_text(METADATA)
    assert shuffles.read(FRAMES[:3], str(training_set), 5).sides == [TEST, TRAIN, TRAIN]


def test_one_of_several_shuffles_must_be_named(training_set):
    with pytest.raises(ValueError, match=r"several shuffles.*split.shuffle to one of 1, 2"):
        shuffles.read(FRAMES[:3], str(training_set))
    with pytest.raises(FileNotFoundError, match=r"no shuffle 9. Found: 1, 2"):
        shuffles.read(FRAMES[:3], str(training_set), 9)


@pytest.mark.parametrize(
    "text",
    [
        *("- 1", "shuffles: 3", "shuffles: {a: {split: 1}}", "a: ["),
        "shuffles: {a: {index: .inf, split: 1}}",
    ],
)
def test_metadata_of_something_else_is_refused(training_set, text):
    (training_set / "metadata.yaml").write_text(text)
    with pytest.raises(ValueError, match="not DeepLabCut's metadata"):
        shuffles.read(FRAMES[:3], str(training_set), 1)


def test_a_shuffle_that_does_not_exist_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        shuffles.read(FRAMES, str(tmp_path / "gone.pickle"))
