"""Texts and rows of any length in h5 files whose heaps or lengths lie."""

import struct

import h5py
import numpy as np
import pytest

from beampose.core import h5

HEAP = b"GCOL\x01\x00\x00\x00"
OPTIONS = {
    "in a row": {},
    "in pieces": {"chunks": (2,)},
    "packed": {"chunks": (2,), "compression": "gzip", "shuffle": True},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.h5"


def written(path, **options):
    """Five images and as many names, and an attribute that is a text."""
    with h5py.File(path, "w") as file:
        rows = file.create_dataset("rows", (5,), h5py.vlen_dtype(np.uint8), **options)
        for i in range(5):
            rows[i] = np.arange(10 * i + 1, dtype=np.uint8)
        file["names"] = [f"name {i}" for i in range(5)]
        file.attrs["head"] = "a text"
    return path.read_bytes()


def everything(path):
    with h5.opened(str(path)) as file:
        rows, names = file.dataset("rows"), file.dataset("names")
        assert rows is not None and names is not None
        found = [rows.row(i).tolist() for i in range(5)]
        assert [len(one) for one in rows.rows(1, 3)] == [11, 21]
        return found, names.values().tolist(), file.attribute("head")


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_honest_rows_of_any_length_are_read(path, options):
    written(path, **options)
    rows, names, head = everything(path)
    assert rows == [list(range(10 * i + 1)) for i in range(5)]
    assert names[4] == b"name 4" and head == "a text"


# Headers of an object that HDF5 follows for ever, or out of the heap: free space of nothing, and
# lengths that no file has.
@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<HHIQ", 0, 0, 0, 0),
        struct.pack("<HHIQ", 1, 1, 0, 2**64 - 9),
        struct.pack("<HHIQ", 1, 1, 0, 2**63),
        struct.pack("<HHIQ", 0, 0, 0, 8),
    ],
)
def test_a_heap_that_leads_nowhere_is_an_error_and_not_an_endless_loop(path, header):
    data = bytearray(written(path))
    at = data.index(HEAP)
    while at >= 0:
        data[at + 16 : at + 32] = header
        at = data.find(HEAP, at + 1)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="cannot be read as h5"):
        everything(path)


def test_a_heap_of_shifted_bytes_is_an_error(path):
    data = written(path)
    at = data.index(HEAP) + 40
    path.write_bytes(data[:at] + b"\x00" + data[at:])
    with pytest.raises(ValueError):
        everything(path)


@pytest.mark.parametrize("options", [OPTIONS["in a row"], OPTIONS["in pieces"]], ids=[0, 1])
def test_a_row_that_claims_gigabytes_is_refused_before_they_are_taken(path, options):
    data = bytearray(written(path, **options))
    heap = struct.pack("<Q", data.index(HEAP))
    place = data.index(struct.pack("<I", 31) + heap)
    data[place : place + 4] = struct.pack("<I", 2**31)
    path.write_bytes(data)
    with h5.opened(str(path)) as file:
        rows = file.dataset("rows")
        assert rows is not None
        assert len(rows.row(1)) == 11
        with pytest.raises(ValueError, match="rows claims a row of 2,147,483,648 bytes"):
            rows.row(3)
