"""DeepLabCut's files of several animals, against a real one and against what it reads."""

import pickle
import pickletools
import re

import h5py
import numpy as np
import pandas as pd
import pytest

from beampose.formats import pandas_h5
from beampose.formats.deeplabcut import pickle_writer, track_writer
from beampose.formats.deeplabcut.track_writer import Names
from beampose.preprocess import unpickle

NAN = np.nan
NAMES = Names("DLC_resnet50_v.1", ["nose", "tail"], ["corner"])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def keypoints(rng):
    """Three individuals, (4, 3, 2, 3); one is absent in a frame, another lacks a bodypart."""
    found = rng.uniform(0, 100, (4, 3, 2, 3))
    found[1, 0], found[2, 1, 1] = NAN, NAN
    return found


@pytest.fixture
def single(rng):
    found = rng.uniform(0, 100, (4, 1, 3))
    found[3] = NAN
    return found


@pytest.fixture(scope="module")
def real(shared_data):
    """Tracks of three birds and of a unique bodypart, written by DeepLabCut: fixed h5."""
    return (shared_data / "dlc-outputs/montblanc_tracks.h5").read_bytes()


def test_tracks_are_the_table_deeplabcut_writes(real, tmp_path):
    columns, _, values = pandas_h5.read(real)
    birds = list(dict.fromkeys(name for _, name, _, _ in columns))[:-1]
    parts = [part for _, name, part, _ in columns[::3] if name == birds[0]]
    unique = [part for _, name, part, _ in columns[::3] if name == "single"]
    split = 3 * len(birds) * len(parts)
    frame = track_writer.table(
        values[:, :split].reshape(len(values), len(birds), len(parts), 3),
        birds,
        Names(columns[0][0], parts, unique),
        values[:, split:].reshape(len(values), len(unique), 3),
    )
    assert list(frame.columns) == columns
    assert list(frame.columns.names) == ["scorer", "individuals", "bodyparts", "coords"]
    np.testing.assert_array_equal(frame.to_numpy(), values)
    assert set(frame.dtypes) == {np.dtype("float64")}
    track_writer.write(frame, tmp_path / "video.1DLC")
    again = pandas_h5.read((tmp_path / "video.1DLC_el.h5").read_bytes())
    assert again[0] == columns
    np.testing.assert_array_equal(again[2], values)


def test_the_h5_has_the_key_and_the_index_deeplabcut_asks_for(keypoints, single, tmp_path):
    frame = track_writer.table(keypoints, ["a", "b", "c"], NAMES, single)
    track_writer.write(frame, tmp_path / "v", method="skeleton")
    with h5py.File(tmp_path / "v_sk.h5") as file:
        assert list(file) == ["tracks"] and "table" in file["tracks"]
    found = pd.read_hdf(tmp_path / "v_sk.h5")
    assert found.index.tolist() == [0, 1, 2, 3] and found.index.dtype == np.int64
    pd.testing.assert_frame_equal(found, frame, check_names=False)
    text = (tmp_path / "v_sk.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in text[:4]] == list(frame.columns.names)
    assert text[4].startswith("0,") and text[5].startswith("1,,,")
    read = track_writer.read(tmp_path / "v_sk.h5")
    pd.testing.assert_frame_equal(read, frame)


def test_a_table_of_other_shapes_is_refused(keypoints, single):
    with pytest.raises(ValueError, match="keypoints must be"):
        track_writer.table(keypoints, ["a", "b"], NAMES, single)
    with pytest.raises(ValueError, match="single must be"):
        track_writer.table(keypoints, ["a", "b", "c"], NAMES, single[:2])


def test_tracklets_are_read_back_without_pandas_being_run(keypoints, single, tmp_path):
    pieces = [
        (4, np.array([0, 2]), keypoints[[0, 2], 0]),
        (7, np.array([1]), keypoints[[1], 1]),
        (4, np.array([3]), keypoints[[3], 0]),
    ]
    with pytest.raises(ValueError, match="single must be"):
        track_writer.write_tracklets(tmp_path / "w", pieces, NAMES, 5, single)
    padded = np.concatenate([single, np.full((1996, 1, 3), NAN)])
    track_writer.write_tracklets(tmp_path / "v", pieces, NAMES, 2000, padded)
    held = unpickle.loads((tmp_path / "v_el.pickle").read_bytes())
    assert sorted(held, key=str) == [4, 7, "header", "single"]
    assert list(held[4]) == ["frame0000", "frame0002", "frame0003"]
    assert held[4]["frame0002"].shape == (2, 4) and (held[4]["frame0002"][:, 3] == -1).all()
    assert list(held["single"]) == ["frame0000", "frame0001", "frame0002"]
    assert held["single"]["frame0001"].shape == (1, 3)
    assert held["header"][3] == (NAMES.scorer, "tail", "x") and len(held["header"]) == 9
    moved = [held[4][frame][:, :3] for frame in held[4]]
    np.testing.assert_array_equal(moved, keypoints[[0, 2, 3], 0])
    np.testing.assert_array_equal(held["single"]["frame0001"], single[1])


def test_the_header_is_the_index_pandas_and_deeplabcut_expect(keypoints, tmp_path):
    pieces = [(0, np.arange(4), keypoints[:, 1])]
    track_writer.write_tracklets(tmp_path / "v", pieces, Names("s", ["nose", "tail"]), 4)
    header = pickle.loads((tmp_path / "v_el.pickle").read_bytes())["header"]
    assert isinstance(header, pd.MultiIndex)
    assert list(header.names) == ["scorer", "bodyparts", "coords"]
    assert header.get_level_values("bodyparts").unique().to_list() == ["nose", "tail"]


def test_assemblies_are_lists_of_those_who_are_there(keypoints, single, tmp_path):
    frames = [*zip(range(4), keypoints, single, strict=True)]
    track_writer.write_assemblies(tmp_path / "v", [*frames, (4, np.full((3, 2, 3), NAN), None)])
    held = unpickle.loads((tmp_path / "v_assemblies.pickle").read_bytes())
    assert list(held) == [0, 1, 2, 3, "single"]
    assert [len(held[i]) for i in range(4)] == [3, 2, 3, 3]
    assert held[1][0].shape == (2, 4) and (held[1][0][:, 3] == -1).all()
    np.testing.assert_array_equal(held[2][1][:, :3], keypoints[2, 1])
    assert list(held["single"]) == [0, 1, 2] and held["single"][0].shape == (1, 3)


def test_a_pickle_written_entry_by_entry_is_the_one_of_the_whole_dict(rng, tmp_path):
    shared = ["x"]
    whole = {i: {"a": rng.normal(size=3), "b": [shared, shared, (i, "x")]} for i in range(300)}
    pickle_writer.write(tmp_path / "whole.pickle", whole.items())
    found = pickle.loads((tmp_path / "whole.pickle").read_bytes())
    assert list(found) == list(whole)
    for key, one in whole.items():
        np.testing.assert_array_equal(found[key]["a"], one["a"])
        assert found[key]["b"] == one["b"] and found[key]["b"][0] is found[key]["b"][1]
    pickle_writer.write(tmp_path / "empty.pickle", [])
    assert pickle.loads((tmp_path / "empty.pickle").read_bytes()) == {}


def test_detections_hold_peaks_links_and_what_the_network_is(rng, tmp_path):
    edges = np.array([[0, 1], [0, 2]])
    outputs = {
        "peaks": rng.uniform(0, 100, (3, 4, 2)),
        "likelihood": np.array([[0.9, 0.5, 0.3, 0.0], [0.8, 0.05, 0, 0], [0, 0, 0, 0]]),
        "edge_costs": rng.uniform(-1, 1, (2, 4, 4)),
        "identity": rng.normal(0, 50, (3, 4, 2)),
    }
    head = track_writer.Detections(edges, stride=8.0, min_likelihood=0.1, apart=16.0)
    track_writer.write_detections(tmp_path / "v", [(0, outputs), (1, outputs)], NAMES, 12, head)
    data = (tmp_path / "v_full.pickle").read_bytes()
    asked = {arg for op, arg, _ in pickletools.genops(data) if "GLOBAL" in op.name}
    assert {re.split("[. ]", name)[0] for name in asked} <= {"numpy", "_codecs"}
    held = unpickle.loads(data)
    assert list(held) == ["metadata", "frame00", "frame01"]
    told = held["metadata"]
    assert told["PAFgraph"] == [[0, 1], [0, 2]] and told["PAFinds"] == [0, 1]
    assert told["all_joints"] == [[0], [1], [2]] and told["nframes"] == 12
    assert told["all_joints_names"] == ["nose", "tail", "corner"] and told["nms radius"] == 2
    one = held["frame01"]
    assert isinstance(one["coordinates"], tuple) and len(one["coordinates"]) == 1
    assert [part.shape for part in one["coordinates"][0]] == [(3, 2), (1, 2), (0, 2)]
    assert [part.shape for part in one["confidence"]] == [(3, 1), (1, 1), (0, 1)]
    assert [part.shape for part in one["identity"]] == [(3, 2), (1, 2), (0, 2)]
    assert set(one["costs"]) == {0, 1} and one["costs"][1]["m1"].shape == (3, 0)
    link = one["costs"][0]
    assert link["m1"].dtype == link["distance"].dtype == np.float32
    expected = np.maximum(outputs["edge_costs"][0, :3, :1], 0)
    np.testing.assert_allclose(link["m1"], expected, atol=6e-4)
    apart = np.linalg.norm(outputs["peaks"][0, :3] - outputs["peaks"][1, 0], axis=-1) / 8
    np.testing.assert_allclose(link["distance"][:, 0], apart, atol=6e-4)
