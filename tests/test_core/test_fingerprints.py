"""A fingerprint tells contents apart, whatever their length and place."""

import fakes
import numpy as np
import pytest

from beampose.core import fingerprints, storage


def test_a_fingerprint_tells_contents_apart_of_whatever_length_and_place(tmp_path, buckets):
    data = bytes(range(256)) * ((fingerprints.WHOLE + 5_000) // 256)
    changed = [data, b"\1" + data[1:], data[:-1] + b"\0", data[:-256], b"", b"\0", data[:1000]]
    codes = []
    for i, content in enumerate(changed):
        (tmp_path / f"{i}.mp4").write_bytes(content)
        codes.append(fingerprints.of_file(str(tmp_path / f"{i}.mp4")))
    assert len(set(codes)) == len(changed)
    storage.write_bytes("gs://lab/film.mp4", data)
    assert fingerprints.of_file("gs://lab/film.mp4") == codes[0]


@pytest.mark.parametrize("extra", [0, 1, 63, 4096, 3 * fingerprints.WHOLE])
def test_pieces_of_a_file_lie_from_its_first_byte_to_its_last(extra):
    size = fingerprints.WHOLE + extra
    spans = fingerprints._spans(size)
    assert spans[0][0] == 0 and spans[-1][1] == size
    assert all(start < end for start, end in spans)
    assert all(one[1] <= two[0] for one, two in zip(spans, spans[1:], strict=False))
    assert sum(end - start for start, end in spans) <= fingerprints.WHOLE


def dark(column: int, height: int = 400) -> np.ndarray:
    """An image that is black but for a spot at its top."""
    image = np.zeros((height, 320, 3), np.uint8)
    image[20:40, column : column + 20] = 200
    return image


@pytest.mark.parametrize("suffix", ["bmp", "tif", "ppm", "png", "jpg"])
def test_images_of_a_set_that_differ_in_one_place_alone_are_told_apart(tmp_path, suffix):
    kinds = {"tif": "TIFF", "jpg": "JPEG"}
    codes = []
    for column in (0, 100, 200):
        data = fakes.encode(dark(column), kinds.get(suffix, suffix.upper()))
        (tmp_path / f"a.{suffix}").write_bytes(data)
        codes.append(fingerprints.of_set(str(tmp_path), [(f"a.{suffix}", len(data))]))
    assert len({*codes}) == 3


def test_a_set_has_one_fingerprint_on_a_disk_and_in_a_bucket(tmp_path, buckets):
    every = []
    for i, suffix in enumerate(("bmp", "png", "jpg")):
        noise = np.random.default_rng(i).integers(0, 256, (300, 300, 3)).astype(np.uint8)
        data = fakes.encode(noise, {"jpg": "JPEG"}.get(suffix, suffix.upper()))
        (tmp_path / f"{i}.{suffix}").write_bytes(data)
        storage.write_bytes(f"gs://lab/set/{i}.{suffix}", data)
        every.append((f"{i}.{suffix}", len(data)))
    here = fingerprints.of_set_and_each(str(tmp_path), every)
    assert fingerprints.of_set_and_each("gs://lab/set", every) == here
