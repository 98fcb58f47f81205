import pickle
import time

import fakes
import numpy as np
import pandas as pd
import pytest

from beampose.preprocess import unpickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
ARRAYS = {
    "integers": np.array([4, 0, -1]),
    "floats in columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big-endian": np.array([1, 2, 300], ">i2"),
    "empty": np.zeros((0, 2)),
    "one number": np.array(3.5),
    "text": np.array(["img1.png", "b"]),
    "bytes": np.array([b"abc", b""]),
    "objects": np.array([1, "two", None], object),
    "booleans": np.array([True, False]),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_of_every_protocol_are_read(kind, protocol):
    found = unpickle.loads(pickle.dumps(ARRAYS[kind], protocol))
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, ARRAYS[kind])
    assert found.dtype.kind == ARRAYS[kind].dtype.kind


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_data_of_every_protocol_is_read(protocol):
    value = [{"image": ("labeled-data", "v", "a.png"), "n": 2**70}, None, b"\xff", -1.5, True]
    assert unpickle.loads(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_numpy_scalar_is_read(protocol):
    found = unpickle.loads(pickle.dumps(np.float32(0.95), protocol))
    assert found == np.float32(0.95)


def test_arrays_written_by_numpy_1_are_read():
    data = pickle.dumps(np.array([3, 1, 2]), 2).replace(b"numpy._core", b"numpy.core")
    assert b"numpy.core.multiarray" in data
    assert unpickle.loads(data).tolist() == [3, 1, 2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_code_is_refused_and_does_not_run(tmp_path, protocol):
    bomb = fakes.Bomb(tmp_path / "ran")
    with pytest.raises(ValueError, match="not plain data"):
        unpickle.loads(pickle.dumps([1, bomb], protocol))
    assert not bomb.path.exists()


@pytest.mark.parametrize(
    "name",
    ["builtins\neval", "numpy\nload", "numpy\nndarray.tofile", "os\nsystem", "_codecs\ndecode"],
)
def test_a_function_by_name_is_refused(name):
    with pytest.raises(ValueError, match="not plain data"):
        unpickle.loads(b"c" + name.encode() + b"\n.")


def test_no_array_is_made_over_foreign_memory():
    # ndarray((1,), 'O', b'12345678') would follow the bytes as a pointer.
    data = b"cnumpy\nndarray\n(I1\ntVO\nC\x0812345678\x87R."
    with pytest.raises(ValueError, match="pickle"):
        unpickle.loads(data)


def test_an_array_longer_than_its_bytes_is_refused():
    data = pickle.dumps(np.arange(3, dtype=np.int8), 2).replace(b"K\x03\x85", b"K\x7f\x85")
    with pytest.raises(ValueError, match="another length"):
        unpickle.loads(data)


@pytest.mark.parametrize("data", [b"", b"\x80", b"not a pickle", b"\x80\x04."])
def test_what_is_no_pickle_is_a_value_error(data):
    with pytest.raises(ValueError, match="not a readable pickle"):
        unpickle.loads(data)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_damaged_pickles_are_value_errors_and_never_crash(protocol):
    whole = pickle.dumps([[{"size": np.array([3, 40, 60])}], np.arange(3), np.float64(2)], protocol)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(1000):
        broken = bytearray(whole)
        for at in rng.integers(0, len(whole), 2):
            broken[at] = rng.integers(256)
        try:
            unpickle.loads(bytes(broken))
        except ValueError:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_header_of_pandas_is_read_as_names(protocol):
    header = pd.MultiIndex.from_product([["s"], ["nose", "tail"], ["x", "y"]], names=list("abc"))
    found = unpickle.loads(pickle.dumps({"header": header, "one": pd.Index(["a", "b"])}, protocol))
    assert found == {"header": list(header), "one": ["a", "b"]}


def test_a_broken_header_of_pandas_is_refused():
    header = pd.MultiIndex.from_product([["s"], ["nose"]])
    data = pickle.dumps(header, 4)
    for broken in (data.replace(b"codes", b"c0des"), data.replace(b"MultiIndex", b"RangeIndex")):
        assert broken != data
        with pytest.raises(ValueError, match="pickle"):
            unpickle.loads(broken)


def doubled(times):
    """A tuple of itself, again and again: a byte or two double what it stands for."""
    return b"\x80\x04K\x01" + b"2\x86" * times + b"."


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (doubled(40), "far more than it holds"),
        (b"\x80\x04K\x01" + b"\x85" * 5000 + b".", "more than 50 deep"),
        # Lists that hold themselves.
        (pickle.dumps((lambda own: own.append(own) or own)([]), 4), "far more than it holds|deep"),
        # A name with the largest number: as much room as a machine has.
        (b"\x80\x02]r\xff\xff\xff\x7fz", "not a readable pickle"),
        (b"\x80\x05\x96" + (1 << 36).to_bytes(8, "little") + b"ab.", "more bytes than it has"),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", "not a readable pickle: invalid start byte"),
        (b"I4\xff\n.", "not a readable pickle"),
    ],
)
def test_a_pickle_that_stands_for_more_than_it_holds_is_refused_at_once(data, what):
    before = time.process_time()
    with pytest.raises(ValueError, match=what):
        unpickle.loads(data)
    assert time.process_time() - before < 1


def test_the_same_bytes_are_not_copied_into_array_after_array():
    one = pickle.dumps(np.zeros(100_000, np.uint8), 2)
    assert unpickle.loads(one).shape == (100_000,)
    state = b"(K\x01K\x05\x85cnumpy\ndtype\nX\x02\x00\x00\x00u1K\x00K\x01\x87R\x89h\x01t"
    array = b"cnumpy.core.multiarray\n_reconstruct\n)R" + state.replace(
        b"K\x05\x85", b"J" + (1 << 20).to_bytes(4, "little") + b"\x85"
    )
    data = b"\x80\x03B" + (1 << 20).to_bytes(4, "little") + bytes(1 << 20) + b"q\x01]"
    with pytest.raises(ValueError, match="builds far more than it holds"):
        unpickle.loads(data + (array + b"ba") * 300 + b".")
