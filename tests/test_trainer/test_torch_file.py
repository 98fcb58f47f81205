"""PyTorch's old format: what is read of it, and what is refused."""

import io
import pickle
import struct
import sys
import types

import numpy as np
import pytest

from beampose.trainer import torch_file


class Stored:
    """What a test's pickler writes as a storage."""

    def __init__(self, key, numbers, claimed=None):
        self.key, self.numbers = key, numbers
        self.claimed = len(numbers) if claimed is None else claimed


@pytest.fixture
def torch(monkeypatch):
    """The names PyTorch's files ask for, while one is written."""
    library, inside = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError

    for name in ("FloatStorage", "LongStorage"):
        setattr(library, name, type(name, (), {"__module__": "torch"}))
    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    inside._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", library)
    monkeypatch.setitem(sys.modules, "torch._utils", inside)
    return types.SimpleNamespace(library=library, rebuild=_rebuild_tensor_v2)


class Tensor:
    def __init__(self, torch, *arguments):
        self.torch, self.arguments = torch, arguments

    def __reduce__(self):
        return self.torch.rebuild, (*self.arguments, False, {})


def pickled(value, torch=None, protocol=2):
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, Stored):
                return None
            kind = "FloatStorage" if obj.numbers.dtype == np.float32 else "LongStorage"
            return ("storage", getattr(torch.library, kind), obj.key, "cpu", obj.claimed, None)

    buffer = io.BytesIO()
    Pickler(buffer, protocol).dump(value)
    return buffer.getvalue()


MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}


def head(machine=MACHINE):
    return b"".join(pickle.dumps(v, 2) for v in (torch_file.MAGIC, torch_file.VERSION, machine))


def tail(*stored):
    data = pickle.dumps([one.key for one in stored], 2)
    return data + b"".join(struct.pack("<q", len(s.numbers)) + s.numbers.tobytes() for s in stored)


def written(folder, *parts):
    file = folder / "model.pth"
    file.write_bytes(b"".join(parts))
    return file


def named(torch, **tensors):
    from collections import OrderedDict

    found = OrderedDict(tensors)
    found._metadata = {"": {"version": 1}}  # pyright: ignore[reportAttributeAccessIssue]
    return pickled(found, torch)


NUMBERS = np.arange(24, dtype=np.float32)


def test_tensors_are_views_of_storages(torch, tmp_path):
    floats, longs = Stored("7", NUMBERS), Stored("8", np.array([5], np.int64))
    tensors = named(
        torch,
        a=Tensor(torch, floats, 0, (2, 3, 4), (12, 4, 1)),
        turned=Tensor(torch, floats, 4, (4, 2), (1, 12)),
        scalar=Tensor(torch, longs, 0, (), ()),
        empty=Tensor(torch, longs, 0, (0, 3), (3, 1)),
    )
    found = torch_file.read(written(tmp_path, head(), tensors, tail(floats, longs)))
    np.testing.assert_array_equal(found["a"], NUMBERS.reshape(2, 3, 4))
    np.testing.assert_array_equal(found["turned"], NUMBERS.reshape(2, 3, 4)[:, 1].T)
    assert found["scalar"] == 5 and found["scalar"].dtype == np.int64
    assert found["empty"].shape == (0, 3)


@pytest.mark.parametrize("size", [0, 5, 60, -1, -100])
def test_a_file_that_was_not_copied_whole_is_refused(size, torch, tmp_path):
    floats = Stored("7", NUMBERS)
    tensors = named(torch, a=Tensor(torch, floats, 0, (24,), (1,)))
    data = head() + tensors + tail(floats)
    with pytest.raises(ValueError, match="pickle|ends too early|damaged"):
        torch_file.read(written(tmp_path, data[:size]))


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (25,), (1,)),
        (20, (5,), (1,)),
        (0, (2, 3), (20, 4)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (1 << 40,), (0,)),
        (0, (2, 2), (1,)),
        (0, ("2",), (1,)),
        (0, [2], [1]),
    ],
)
def test_a_tensor_stays_inside_its_storage(offset, shape, strides, torch, tmp_path):
    floats = Stored("7", NUMBERS)
    tensors = named(torch, a=Tensor(torch, floats, offset, shape, strides))
    with pytest.raises(ValueError, match="broken tensor|larger than its storage"):
        torch_file.read(written(tmp_path, head(), tensors, tail(floats)))


def test_a_storage_of_another_length_than_it_claims_is_refused(torch, tmp_path):
    for claimed in (23, 1 << 50, -1, "24"):
        floats = Stored("7", NUMBERS, claimed)
        tensors = named(torch, a=Tensor(torch, floats, 0, (2,), (1,)))
        with pytest.raises(ValueError, match="ends too early|broken storage"):
            torch_file.read(written(tmp_path, head(), tensors, tail(floats)))


def test_storages_that_nobody_names_and_bytes_at_the_end_are_refused(torch, tmp_path):
    floats, other = Stored("7", NUMBERS), Stored("8", NUMBERS)
    tensors = named(torch, a=Tensor(torch, floats, 0, (24,), (1,)))
    with pytest.raises(ValueError, match="do not belong together"):
        torch_file.read(written(tmp_path, head(), tensors, tail(floats, other)))
    with pytest.raises(ValueError, match="follows its last storage"):
        torch_file.read(written(tmp_path, head(), tensors, tail(floats), b"0"))


class Runs:
    def __reduce__(self):
        return print, ("run",)


VIEW = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n"
BAD = {
    "a function": pickle.dumps(Runs(), 2),
    "a newer pickle": pickle.dumps({"a": 1}, 4),
    "plain values": pickle.dumps({"a": 1}, 2),
    "a list": pickle.dumps([1], 2),
    "memory": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "depth": b"\x80\x02}" + b")" + b"\x85" * 500_000 + b"K\x01s.",
    "a string": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "a changed function": VIEW + b"N}X\x01\x00\x00\x00aK\x01s\x86b.",
    "a kept function": VIEW + b"}X\x01\x00\x00\x00aK\x01sb.",
}


@pytest.mark.parametrize("which", BAD)
def test_anything_but_tensors_by_name_is_refused(which, tmp_path, capsys):
    with pytest.raises(ValueError, match="^it "):
        torch_file.read(written(tmp_path, head(), BAD[which], tail()))
    assert "run" not in capsys.readouterr().out


def test_other_files_are_refused(tmp_path):
    for data in (b"PK\x03\x04 of a newer PyTorch", pickle.dumps(3, 2) * 3, b"\x89HDF"):
        with pytest.raises(ValueError, match="format before version 1.6|not read"):
            torch_file.read(written(tmp_path, data))
    with pytest.raises(ValueError, match="another order of bytes"):
        torch_file.read(written(tmp_path, head({"little_endian": False})))
