"""Records and shards: what is written comes back, what is damaged says so."""

import hashlib
import json

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from beampose.core import tfrecords
from beampose.pipelines.features import store_writer
from beampose.trainer import feature_store, schema


def test_features_come_back_as_they_were_stored():
    features = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(ml_dtypes.bfloat16)
    key, found = schema.parse_features(schema.feature_example("k", features))
    assert key == "k"
    np.testing.assert_array_equal(found, features)


def test_a_feature_record_with_missing_bytes_is_refused():
    example = tf.train.Example.FromString(schema.feature_example("k", np.zeros((2, 3))))
    example.features.feature["features/raw"].bytes_list.value[0] = b"123"
    with pytest.raises(ValueError, match="do not fit shape"):
        schema.parse_features(example.SerializeToString())


def by_tensorflow(values):
    def feature(value):
        items = value if isinstance(value, list) else [value]
        if isinstance(items[0], (str, bytes)):
            data = [one.encode() if isinstance(one, str) else one for one in items]
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=data))
        if isinstance(items[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=items))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=items))

    features = tf.train.Features(feature={name: feature(v) for name, v in values.items()})
    return tf.train.Example(features=features).SerializeToString(deterministic=True)


def test_examples_are_those_of_tensorflow_to_the_byte():
    values = {
        "raw": bytes(range(256)),
        "key": "f\u00fc\u00dfe",
        "shape": [3, 0, -5],
        "row": 2**40,
        "keypoints": [1.5, float("nan"), -0.25],
    }
    serialized = tfrecords.example(values)
    assert serialized == by_tensorflow(values)
    there = tf.train.Example.FromString(serialized).features.feature
    here = tfrecords.fields(by_tensorflow(values))
    assert set(here) == set(there) == set(values)
    for name in values:
        assert here[name].SerializeToString() == there[name].SerializeToString()


def test_an_empty_list_of_an_example_keeps_its_type():
    fields = tfrecords.fields(tfrecords.example({"keypoints": []}))
    assert fields["keypoints"].WhichOneof("kind") == "int64_list"


def test_files_of_records_are_those_of_tensorflow_to_the_byte(tmp_path):
    payloads = [b"", b"one", bytes(range(256)) * 999]
    file = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(file)) as writer:
        for payload in payloads:
            writer.write(payload)
    assert file.read_bytes() == b"".join(tfrecords.framed(one) for one in payloads)
    assert list(tfrecords.read(file)) == payloads


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[:-1], "cut off"),
        (lambda data: data[:5], "cut off"),
        (lambda data: b"\1" + data[1:], "length .* wrong checksum"),
        (lambda data: data[:12] + b"X" + data[13:], "record .* wrong checksum"),
    ],
)
def test_a_damaged_file_of_records_says_where(tmp_path, damage, what):
    file = tmp_path / "a.tfrecord"
    file.write_bytes(damage(tfrecords.framed(b"payload")))
    with pytest.raises(ValueError, match=what):
        list(tfrecords.read(file))


def record(**changes):
    values = {
        "key": "k",
        "name": "labeled-data/v/img1.png",
        "image_uri": "/x/img1.png",
        "video": "v",
        "file": "CollectedData_me.csv",
        "row": 4,
        "split": "train",
        "height": 48,
        "width": 64,
        "copy": 2,
        "keypoints": np.array([[[1.5, 2.25], [np.nan, np.nan], [3, 4]], [[5, 6], [7, 8], [9, 1]]]),
        "label": -1,
    }
    return schema.LabelRecord(**{**values, **changes})


def test_a_label_record_comes_back_with_its_missing_points():
    original = record()
    found = schema.parse_label(schema.label_example(original))
    np.testing.assert_array_equal(found.keypoints, original.keypoints)
    assert found._replace(keypoints=None) == original._replace(keypoints=None)


def test_crop_records_have_the_names_deepmeerkat_reads():
    data = schema.label_example(record(label=1, keypoints=np.empty((0, 0, 2))), np.arange(4.0))
    spec = {
        "image_uri": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([1], tf.int64),
        "embedding": tf.io.FixedLenFeature([4], tf.float32),
    }
    found = tf.io.parse_single_example(data, spec)
    assert found["image_uri"].numpy() == b"/x/img1.png"
    assert found["label"].numpy().tolist() == [1]
    assert found["embedding"].numpy().tolist() == [0, 1, 2, 3]


def fill(folder, shard, keys):
    rng = np.random.default_rng(shard)
    values = {key: rng.normal(size=(2, 3, 4)).astype(ml_dtypes.bfloat16) for key in keys}
    store_writer.write_shard(str(folder), shard, 2, iter(values.items()), f"name{shard}")
    return values


def test_every_record_is_found_by_its_key(tmp_path):
    values = fill(tmp_path, 0, ["a", "b", "c"]) | fill(tmp_path, 1, ["d", "e"])
    index = feature_store.Index(str(tmp_path))
    assert len(index) == 5
    for key, features in values.items():
        np.testing.assert_array_equal(index.read(key), features)


def test_tensorflow_reads_the_shards_too(tmp_path):
    fill(tmp_path, 0, ["a", "b", "c"])
    (shard,) = (tmp_path / feature_store.SHARDS).glob("*.tfrecord")
    found = [
        schema.parse_features(r)[0] for r in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()
    ]
    assert found == ["a", "b", "c"]


def test_a_shard_without_its_index_is_not_part_of_the_store(tmp_path):
    fill(tmp_path, 0, ["a"])
    fill(tmp_path, 1, ["b"])
    next((tmp_path / feature_store.SHARDS).glob("00001*.json")).unlink()
    assert "a" in feature_store.Index(str(tmp_path))
    assert "b" not in feature_store.Index(str(tmp_path))


def test_a_writer_that_dies_leaves_nothing(tmp_path):
    def records():
        yield "a", np.zeros((2, 3))
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        store_writer.write_shard(str(tmp_path), 0, 1, records(), "name")
    assert list((tmp_path / feature_store.SHARDS).iterdir()) == []


def test_a_damaged_shard_is_named(tmp_path):
    fill(tmp_path, 0, ["a", "b"])
    (shard,) = (tmp_path / feature_store.SHARDS).glob("*.tfrecord")
    data = bytearray(shard.read_bytes())
    data[40:60] = bytes(20)
    shard.write_bytes(data)
    with pytest.raises(ValueError, match=shard.name):
        feature_store.Index(str(tmp_path)).read("a")


def test_a_flipped_bit_of_a_value_is_noticed(tmp_path):
    fill(tmp_path, 0, ["a", "b"])
    (shard,) = (tmp_path / feature_store.SHARDS).glob("*.tfrecord")
    data = bytearray(shard.read_bytes())
    data[60] ^= 1
    shard.write_bytes(data)
    index = feature_store.Index(str(tmp_path))
    with pytest.raises(ValueError, match="wrong checksum. Run `beampose features` again"):
        index.read("a")
    assert index.read("b").shape == (2, 3, 4)
    assert shard.with_suffix(feature_store.DAMAGED).is_file()


@pytest.mark.parametrize("left", [0, 5, 40])
def test_a_shard_cut_short_is_named(tmp_path, left):
    fill(tmp_path, 0, ["a", "b"])
    (shard,) = (tmp_path / feature_store.SHARDS).glob("*.tfrecord")
    shard.write_bytes(shard.read_bytes()[:left])
    with pytest.raises(ValueError, match=f"{shard.name} is damaged at byte 0: .* is cut off"):
        feature_store.Index(str(tmp_path)).read("a")


@pytest.mark.parametrize(
    "index",
    [
        *(None, "", "[1]", '{"records": [[1, 2]]}', "{"),
        *(f'{{"records": [["a", {at}, 9]]}}' for at in (10**20, -1, "Infinity")),
    ],
)
def test_records_of_a_missing_shard_or_of_a_broken_list_do_not_count(tmp_path, index):
    fill(tmp_path, 0, ["a"])
    fill(tmp_path, 1, ["b"])
    shard = next((tmp_path / feature_store.SHARDS).glob("00001*.tfrecord"))
    if index is None:
        shard.unlink()
    else:
        shard.with_suffix(".json").write_text(index)
    found = feature_store.Index(str(tmp_path))
    assert list(found.keys()) == ["a"]
    assert found.missing == [str(shard)]


def test_the_index_says_what_the_shard_weighs(tmp_path):
    fill(tmp_path, 0, ["a", "b"])
    (shard,) = (tmp_path / feature_store.SHARDS).glob("*.tfrecord")
    entry = json.loads(shard.with_suffix(".json").read_text())
    assert entry["bytes"] == shard.stat().st_size


@pytest.mark.parametrize("shards", [1, 4, 16])
def test_a_part_of_an_index_finds_its_keys_in_shards_of_any_number(tmp_path, shards):
    keys = [hashlib.sha256(bytes([i])).hexdigest() for i in range(200)]
    by_shard = {}
    for key in keys:
        by_shard.setdefault(store_writer.shard_of(key, shards), []).append(key)
    for shard, some in by_shard.items():
        values = ((key, np.ones((2, 3), ml_dtypes.bfloat16)) for key in some)
        store_writer.write_shard(str(tmp_path), shard, shards, values, f"name{shard}")
    assert sorted(feature_store.Index(str(tmp_path)).keys()) == sorted(keys)
    for number in range(4):
        index = feature_store.Index(str(tmp_path), feature_store.Part(number, 4))
        ours = [key for key in keys if store_writer.shard_of(key, 4) == number]
        assert all(key in index for key in ours)
        assert len(index) == len(ours) if shards >= 4 else len(index) == len(keys)
