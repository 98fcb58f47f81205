"""Texts and rows of any length in h5 files whose heaps or lengths lie."""

import io
import resource
import struct

import h5py
import numpy as np
import pytest

from beampose.core import h5, h5_heaps

HEAP = b"GCOL\x01\x00\x00\x00"
OPTIONS = {
    "in a row": {},
    "in the header": {"dcpl": "compact"},
    "in pieces": {"chunks": (2,)},
    "packed": {"chunks": (2,), "compression": "gzip", "shuffle": True},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.h5"


def written(path, libver="earliest", **options):
    """Five images and as many names, and an attribute that is a text."""
    if "dcpl" in options:
        options["dcpl"] = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        options["dcpl"].set_layout(h5py.h5d.COMPACT)
    with h5py.File(path, "w", libver=libver) as file:
        rows = file.create_dataset("rows", (5,), h5py.vlen_dtype(np.uint8), **options)
        for i in range(5):
            rows[i] = np.arange(10 * i + 1, dtype=np.uint8)
        file["names"] = [f"name {i}" for i in range(5)]
        file.attrs["some"] = 5
        file.attrs["head"] = "a text"
        file.attrs["heads"] = ["one", "of them"]
    return path.read_bytes()


def everything(path):
    with h5.opened(str(path)) as file:
        rows, names = file.dataset("rows"), file.dataset("names")
        assert rows is not None and names is not None
        found = [rows.row(i).tolist() for i in range(5)]
        assert [len(one) for one in rows.rows(1, 3)] == [11, 21]
        assert list(file.attribute("heads")) == ["one", "of them"]
        return found, names.values().tolist(), file.attribute("head")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_honest_rows_of_any_length_are_read(path, options, libver):
    written(path, libver, **options)
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
@pytest.mark.parametrize("unused", [bytes(3), b"\0\xac\0"])
def test_a_heap_that_leads_nowhere_is_an_error_and_not_an_endless_loop(path, header, unused):
    data = bytearray(written(path))
    at = data.index(HEAP)
    while at >= 0:
        data[at + 16 : at + 32] = header
        data[at + 5 : at + 8] = unused
        at = data.find(HEAP, at + 1)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="cannot be read as h5"):
        everything(path)


def test_bytes_that_only_begin_like_a_heap_are_read_as_they_are(path):
    pixels = np.frombuffer(b"GCOL\x01\x02\x03\x04" + bytes(range(1, 249)), np.uint8)
    with h5py.File(path, "w") as file:
        file["pixels"] = np.tile(pixels, 40)
    with h5.opened(str(path)) as file:
        np.testing.assert_array_equal(file.values("pixels"), np.tile(pixels, 40))


def test_a_heap_of_shifted_bytes_is_an_error(path):
    data = written(path)
    at = data.index(HEAP) + 40
    path.write_bytes(data[:at] + b"\x00" + data[at:])
    with pytest.raises(ValueError):
        everything(path)


NOT_PACKED = [name for name in OPTIONS if name != "packed"]


def claiming(data, length, claimed):
    """The file, in which texts of a length claim another one."""
    heap = struct.pack("<Q", data.index(HEAP))
    assert struct.pack("<I", length) + heap in data
    return data.replace(struct.pack("<I", length) + heap, struct.pack("<I", claimed) + heap)


@pytest.mark.parametrize("options", [OPTIONS[name] for name in NOT_PACKED], ids=NOT_PACKED)
def test_a_row_that_claims_gigabytes_is_refused_before_they_are_taken(path, options):
    path.write_bytes(claiming(written(path, **options), 31, 2**31))
    with h5.opened(str(path)) as file:
        rows = file.dataset("rows")
        assert rows is not None
        assert len(rows.row(1)) == 11
        with pytest.raises(ValueError, match="rows claims a row of 2,147,483,648 bytes"):
            rows.row(3)
        with pytest.raises(ValueError, match="rows claims rows of 2,147,483,6"):
            rows.rows(1, 4)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_the_lengths_of_texts_of_an_attribute_are_those_of_its_header(path, libver):
    written(path, libver)
    stream = h5_heaps.Guarded(io.BytesIO(path.read_bytes()))
    with h5py.File(stream, "r") as file:
        found = h5_heaps.lengths_of_attribute(file, stream, "heads", 2)
        assert found.tolist() == [3, 7]
        rows = file["rows"]
        assert isinstance(rows, h5py.Dataset)
        assert h5_heaps.lengths(rows, stream, slice(1, 4)).tolist() == [11, 21, 31]


def test_an_attribute_that_claims_gigabytes_is_refused_before_they_are_taken(path):
    data = claiming(written(path), len("a text"), 2**31)
    path.write_bytes(claiming(data, len("of them"), 2**31))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with h5.opened(str(path)) as file:
        assert file.attribute("some") == 5
        for name in ("head", "heads"):
            with pytest.raises(ValueError, match=f"{name} is longer than 16,777,216 bytes"):
                file.attribute(name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 200_000


def test_a_text_that_is_not_beside_its_object_is_not_read(path):
    with h5py.File(path, "w", libver="latest") as file:
        for i in range(20):
            file.attrs[f"a{i}"] = "text"
    with (
        h5.opened(str(path)) as file,
        pytest.raises(ValueError, match="a3 does not lie with its object"),
    ):
        file.attribute("a3")


def test_an_h5_behind_other_bytes_is_read(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        file.attrs["head"] = "a text"
        file["names"] = ["a", "bc"]
    with h5.opened(str(path)) as file:
        assert file.attribute("head") == "a text"
        assert file.values("names").tolist() == [b"a", b"bc"]
