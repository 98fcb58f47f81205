import pickle

import fakes
import h5py
import numpy as np
import pytest

from beampose.formats import pandas_h5

NAMES = [f"labeled-data/cam1/img{i}.png" for i in range(3)]
SPLIT = [tuple(name.split("/")) for name in NAMES]
COLUMNS = [(fakes.SCORER, part, axis) for part in fakes.BODYPARTS for axis in "xy"]


def written(path, table, layout: str) -> bytes:
    table.to_hdf(path, key="df_with_missing", mode="w", format=layout)
    return path.read_bytes()


@pytest.mark.parametrize("layout", ["table", "fixed"])
def test_both_layouts_give_columns_index_and_values(tmp_path, layout):
    data = written(tmp_path / "a.h5", fakes.table(NAMES, fakes.points()), layout)
    columns, index, values = pandas_h5.read(data)
    assert columns == COLUMNS
    assert index == SPLIT
    np.testing.assert_array_equal(values, fakes.points().reshape(3, 6))
    assert np.isnan(values).sum() == 2


def test_an_index_of_three_levels_is_read(tmp_path):
    data = written(tmp_path / "a.h5", fakes.table(SPLIT, fakes.points()), "fixed")
    assert pandas_h5.read(data)[1] == SPLIT


@pytest.mark.parametrize("layout", ["table", "fixed"])
def test_windows_separators_are_split(tmp_path, layout):
    names = [name.replace("/", "\\") for name in NAMES]
    data = written(tmp_path / "a.h5", fakes.table(names, fakes.points()), layout)
    assert pandas_h5.read(data)[1] == SPLIT


@pytest.mark.parametrize("layout", ["table", "fixed"])
def test_columns_of_several_types_keep_their_order(tmp_path, layout):
    table = fakes.table(NAMES, fakes.points())
    table[COLUMNS[2]] = np.array([7, 8, 9], np.int64)
    columns, _, values = pandas_h5.read(written(tmp_path / "a.h5", table, layout))
    assert columns == COLUMNS
    np.testing.assert_array_equal(values, table.to_numpy(float))


@pytest.mark.parametrize("layout", ["table", "fixed"])
def test_32_bit_values_become_64_bit(tmp_path, layout):
    table = fakes.table(NAMES, fakes.points()).astype(np.float32)
    values = pandas_h5.read(written(tmp_path / "a.h5", table, layout))[2]
    assert values.dtype == np.float64


@pytest.mark.parametrize("where", ["non_index_axes", "values_block_0_kind"])
def test_a_malicious_attribute_is_refused_and_does_not_run(tmp_path, where):
    path, bomb = tmp_path / "a.h5", fakes.Bomb(tmp_path / "ran")
    written(path, fakes.table(NAMES, fakes.points()), "table")
    with h5py.File(path, "r+") as file:
        group = file["df_with_missing"]
        attributes = (group if where == "non_index_axes" else group["table"]).attrs
        attributes[where] = np.bytes_(pickle.dumps(bomb, 0))
    with pytest.raises(ValueError, match="not plain data"):
        pandas_h5.read(path.read_bytes())
    assert not bomb.path.exists()


def test_values_stored_as_pickled_objects_are_refused(tmp_path):
    path, bomb = tmp_path / "a.h5", fakes.Bomb(tmp_path / "ran")
    written(path, fakes.table(NAMES, fakes.points()), "fixed")
    with h5py.File(path, "r+") as file:
        group = file["df_with_missing"]
        del group["axis1"]
        data = np.frombuffer(pickle.dumps([bomb] * 3), np.uint8)
        objects = group.create_dataset("axis1", (1,), h5py.vlen_dtype(np.uint8))
        objects[0] = data
    with pytest.raises(ValueError, match="pickled objects"):
        pandas_h5.read(path.read_bytes())
    assert not bomb.path.exists()


def test_text_in_place_of_numbers_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    written(path, fakes.table(NAMES, fakes.points()), "fixed")
    with h5py.File(path, "r+") as file:
        del file["df_with_missing/block0_values"]
        file["df_with_missing/block0_values"] = np.full((3, 6), b"x")
    with pytest.raises(ValueError, match="values must be numbers"):
        pandas_h5.read(path.read_bytes())


def test_two_tables_in_a_file_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    table = fakes.table(NAMES, fakes.points())
    table.to_hdf(path, key="a", mode="w")
    table.to_hdf(path, key="b", mode="a")
    with pytest.raises(ValueError, match="must hold one table. Found: 2"):
        pandas_h5.read(path.read_bytes())


@pytest.mark.parametrize("data", [b"", b"not h5", bytes(4096)])
def test_what_is_no_h5_is_a_value_error(data):
    with pytest.raises(ValueError, match="cannot be read as h5"):
        pandas_h5.read(data)


@pytest.mark.parametrize("layout", ["table", "fixed"])
def test_damaged_files_are_value_errors(tmp_path, layout):
    data = written(tmp_path / "a.h5", fakes.table(NAMES, fakes.points()), layout)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), 12):
            broken[at] = rng.integers(256)
        try:
            pandas_h5.read(bytes(broken))
        except ValueError:
            refused += 1
    assert refused > 20
