"""Rotten shards: what is lost is named and taken out, what is sound stays."""

import ml_dtypes
import numpy as np
import pytest

from beampose.core import storage
from beampose.pipelines.features import shard_repair, store_writer
from beampose.trainer import feature_store, schema

KEYS = ["a", "b", "c"]
CHECK = shard_repair.check(schema.parse_features, dims=4)


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    for shard, keys in enumerate((KEYS, ["d", "e"])):
        maps = ((key, rng.normal(size=(2, 3, 4)).astype(ml_dtypes.bfloat16)) for key in keys)
        store_writer.write_shard(str(tmp_path), shard, 2, maps, f"name{shard}")
    return tmp_path


def indices(store):
    return storage.whole(store / feature_store.SHARDS, "*.json")


def mended(store, keys=("a",)):
    return list(shard_repair.mend(indices(store), CHECK, set(keys)))


def damage(store, key: str) -> None:
    """Changes a bit in the record of a key."""
    for index in indices(store):
        for own, offset, size in storage.read_json(index)["records"]:
            if own == key:
                file = index.with_suffix(feature_store.SUFFIX)
                data = bytearray(file.read_bytes())
                data[offset + 12 + size // 2] ^= 4
                file.write_bytes(bytes(data))


def test_sound_shards_stay_as_they_are(store):
    before = sorted((store / feature_store.SHARDS).iterdir())
    assert mended(store, ["a", "d"]) == []
    assert sorted((store / feature_store.SHARDS).iterdir()) == before


def test_only_the_rotten_record_is_lost(store):
    before = {key: feature_store.Index(str(store)).read(key) for key in "acde"}
    damage(store, "b")
    (found,) = mended(store)
    assert (found.lost, found.kept) == (["b"], ["a", "c"])
    assert "wrong checksum" in str(found) and "1 of 3 are lost" in str(found)
    index = feature_store.Index(str(store))
    assert sorted(index.keys()) == ["a", "c", "d", "e"]
    for key, features in before.items():
        np.testing.assert_array_equal(index.read(key), features)
    assert mended(store) == []


def test_a_shard_that_is_missing_or_whose_list_is_broken_is_taken_out(store):
    first, second = indices(store)
    first.with_suffix(feature_store.SUFFIX).unlink()
    second.write_text("{")
    missing, broken = mended(store, [])
    assert missing.lost == KEYS and "is missing: 3 of 3 are lost" in str(missing)
    assert "its index is damaged" in str(broken)
    assert list((store / feature_store.SHARDS).iterdir()) == []


@pytest.mark.parametrize("shape", [(2, 3, 5), (4,), (3, 4)])
def test_features_of_another_shape_are_lost(store, shape):
    values = iter([("f", np.zeros(shape, ml_dtypes.bfloat16))])
    store_writer.write_shard(str(store), 1, 2, values, "other")
    (found,) = mended(store, ["f"])
    assert found.lost == ["f"] and f"have the shape {shape}" in found.why


def test_what_stands_behind_the_records_is_cut_off(store):
    file = indices(store)[0].with_suffix(feature_store.SUFFIX)
    file.write_bytes(file.read_bytes() + b"garbage")
    (found,) = mended(store)
    assert (found.lost, found.kept) == ([], KEYS)
    assert sorted(feature_store.Index(str(store)).keys()) == [*KEYS, "d", "e"]
    assert mended(store) == []


def test_shards_nobody_here_needs_are_read_only_if_a_reader_found_damage(store):
    damage(store, "d")
    assert mended(store, ["a"]) == []
    with pytest.raises(ValueError, match="beampose features"):
        feature_store.Index(str(store)).read("d")
    assert [found.lost for found in mended(store, ["a"])] == [["d"]]
    assert not list((store / feature_store.SHARDS).glob(f"*{feature_store.DAMAGED}"))
