"""What h5 files of strangers may hold, and what they may not make us read, load or unpack."""

import zlib

import h5py
import numpy as np
import pytest

from beampose.core import h5

SECRET = "the key of the safe is 4711"


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["box"] = np.frombuffer(SECRET.encode(), np.uint8)
    (tmp_path / "secret.txt").write_text(SECRET)
    return tmp_path / "a.h5"


def external(file, folder):
    file.create_dataset("box", (27,), "u1", external=[(str(folder / "secret.txt"), 0, 27)])


def external_among_own(file, folder):
    own = [(str(folder / "a.raw"), 0, 3), (str(folder / "secret.txt"), 0, 24)]
    file.create_dataset("box", (27,), "u1", external=own)


def virtual(file, folder):
    layout = h5py.VirtualLayout((27,), "u1")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "box", (27,))
    file.create_virtual_dataset("box", layout)


def virtual_of_itself(file, folder):
    file["own"] = np.zeros(27, "u1")
    layout = h5py.VirtualLayout((27,), "u1")
    layout[:] = h5py.VirtualSource(".", "own", (27,))
    file.create_virtual_dataset("box", layout)


def outside(file, folder):
    file["box"] = h5py.ExternalLink(str(folder / "secret.h5"), "/box")


def soft(file, folder):
    file["own"] = np.zeros(27, "u1")
    file["box"] = h5py.SoftLink("/own")


def reference(file, folder):
    file["own"] = np.zeros(27, "u1")
    file["box"] = np.array([file["own"].ref], h5py.ref_dtype)


def inner_objects(file, folder):
    kind = np.dtype([("name", h5py.string_dtype()), ("x", "f8")])
    file["box"] = np.array([("a", 1.0)], kind)


def nested(file, folder):
    file.create_dataset("box", (2,), h5py.vlen_dtype(np.dtype("f8")))


def filtered(file, folder):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((27,))
    # Blosc's number: HDF5 would look for a library of it.
    made.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)
    space, kind = h5py.h5s.create_simple((27,)), h5py.h5t.STD_U8LE
    h5py.h5d.create(file.id, b"box", kind, space, made)


def claimed(file, folder):
    file.create_dataset("box", (20_000_000, 400), "f8", chunks=(100, 40), compression="gzip")


def claimed_by_a_chunk(file, folder):
    file.create_dataset("box", (1,), "u1", chunks=(1 << 30,), maxshape=(None,), compression="gzip")


def packed(file, folder):
    """A chunk that says 70 kB and unpacks to 70 MB."""
    box = file.create_dataset("box", (70_000,), "u1", chunks=(70_000,), compression="gzip")
    box.id.write_direct_chunk((0,), zlib.compress(bytes(70_000_000), 1))


def repeated(file, folder):
    """A thousand times the same text of 64 kB."""
    box = file.create_dataset("box", (1000,), h5py.string_dtype(), chunks=(1000,))
    box[0] = "x" * 65_000
    # Each text is a length and a place in the heap: the first one is copied to all others.
    _, one = box.id.read_direct_chunk((0,))
    box.id.write_direct_chunk((0,), one[:16] * 1000)


REFUSED = {
    external: "lies in another file",
    external_among_own: "lies in another file",
    virtual: "lies in another file",
    virtual_of_itself: "lies in another file",
    outside: "is a link",
    soft: "is a link",
    reference: "neither numbers nor words",
    inner_objects: "neither numbers nor words",
    nested: "neither numbers nor words",
    filtered: "packed by filter 32001",
    claimed: "claims 64,000,000,000 bytes",
    claimed_by_a_chunk: "in pieces of 1,073,741,824 bytes",
    packed: "holds more than it says",
    repeated: "bytes of text",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("whole", [False, True], ids=["path", "bytes"])
def test_what_lies_elsewhere_or_claims_too_much_is_refused_in_a_sentence(path, make, whole):
    with h5py.File(path, "w") as file:
        make(file, path.parent)
    with (
        pytest.raises(ValueError, match=REFUSED[make]) as error,
        h5.opened(path.read_bytes() if whole else str(path)) as root,
    ):
        print(root.values("box"))
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("make", [outside, soft])
def test_a_list_of_names_follows_no_link(path, make):
    with h5py.File(path, "w") as file:
        make(file, path.parent)
    with pytest.raises(ValueError, match="is a link"), h5.opened(str(path)) as root:
        root.names()


def test_numbers_words_and_rows_of_any_length_are_read(path):
    with h5py.File(path, "w") as file:
        file["deep/er/numbers"] = np.arange(6).reshape(2, 3)
        file.create_dataset("packed", data=np.arange(1000.0), compression="gzip", shuffle=True)
        file["words"] = np.array([b"a", b"bc"])
        file["texts"] = ["a", "Öhrchen"]
        rows = file.create_dataset("rows", (2,), h5py.vlen_dtype(np.int8))
        rows[1] = np.arange(5, dtype=np.int8)
        file["rows"].attrs["format"] = "png"
    with h5.opened(str(path)) as root:
        assert sorted(root.names()) == ["deep", "packed", "rows", "texts", "words"]
        np.testing.assert_array_equal(root.values("deep/er/numbers"), [[0, 1, 2], [3, 4, 5]])
        np.testing.assert_array_equal(root.values("/packed"), np.arange(1000.0))
        assert root.values("words").tolist() == [b"a", b"bc"]
        assert [text.decode() for text in root.values("texts")] == ["a", "Öhrchen"]
        rows = root.dataset("rows")
        assert rows.row(1).tolist() == [0, 1, 2, 3, 4]
        assert rows.attribute("format") == "png"
        assert (root.dataset("nowhere"), root.group("packed"), root.group("..")) == (None,) * 3


def test_a_large_honest_chunk_is_read(path):
    values = np.random.default_rng(0).random(200_000)
    with h5py.File(path, "w") as file:
        file.create_dataset("box", data=values, chunks=(200_000,), compression="gzip")
    with h5.opened(str(path)) as root:
        np.testing.assert_array_equal(root.values("box"), values)


def test_an_attribute_that_refers_or_is_very_long_is_refused(path):
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["ref"] = file.ref
        file.attrs["long"] = np.zeros(3_000_000)
    with h5.opened(str(path)) as root:
        for name, what in (("ref", "neither numbers nor words"), ("long", "is longer than")):
            with pytest.raises(ValueError, match=what):
                root.attribute(name)


@pytest.mark.parametrize("make", [external, virtual, outside, soft, filtered, claimed])
def test_a_file_is_checked_down_to_its_last_group_for_other_readers(path, make):
    with h5py.File(path, "w") as file:
        file["good"] = np.arange(3)
        make(file.create_group("deep/down"), path.parent)
    with pytest.raises(ValueError, match=REFUSED[make]), h5.opened(str(path)) as root:
        root.check()


@pytest.mark.slow
def test_a_group_that_holds_itself_does_not_keep_a_check_busy(path):
    with h5py.File(path, "w") as file:
        file["again"] = file["/"]
    with pytest.raises(ValueError, match="more than 100,000 objects"), h5.opened(str(path)) as root:
        root.check()
