"""Archives of arrays that were damaged."""

import io
import zipfile

import numpy as np
import pytest

from beampose.core import npz_files


def saved(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def damaged():
    data = saved(a=np.arange(30), b=np.zeros((2, 3)))
    yield b"PK and no more"
    yield b""
    yield data[:-30]
    yield data[:200]
    # Of another method of packing, and of another version.
    at = data.index(b"PK\x01\x02")
    yield data[: at + 6] + b"\xff\x00\x00\x00\x63\x00" + data[at + 12 :]
    # Another number: its checksum does not fit.
    yield data.replace(np.int64(7).tobytes() + np.int64(8).tobytes(), bytes(16))
    stream = io.BytesIO()
    np.save(stream, np.arange(3))
    yield stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '|O', }")
    yield stream.getvalue()


@pytest.mark.parametrize("data", [*damaged()])
def test_a_damaged_archive_raises_our_own_errors_alone(data):
    with (
        pytest.raises((ValueError, EOFError)) as raised,
        npz_files.opened(io.BytesIO(data)) as found,
    ):
        for name in ("a", "b"):
            found[name].sum()
    assert raised.type is ValueError


def test_a_missing_array_is_a_damaged_archive():
    with (
        pytest.raises(ValueError, match="damaged.*other"),
        npz_files.opened(io.BytesIO(saved(a=np.arange(3)))) as found,
    ):
        found["other"].sum()
