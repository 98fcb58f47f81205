"""What a file is that was taken for another is said by its first bytes."""

import gzip
import io

import fakes
import pytest

from beampose.core import file_kinds, h5, json_files, texts
from beampose.preprocess import images, videos

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.mark.parametrize(
    "data,what",
    [
        (POINTER, "`git lfs pull` does"),
        (b"/annex/objects/MD5E-s1--0.png\n", "`git annex get` does"),
        # Its time of writing would be in the name of the test, another in every process.
        (gzip.compress(b"scorer,Ann", mtime=0), "packed by gzip"),
        (b"PK\x03\x04" + bytes(99), "workbook"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"\0\0\0\x18ftypheic" + bytes(99), "a HEIC photograph"),
        (b"\0\0\0\x18ftypheix" + bytes(99), "a HEIC photograph"),
        (b"\0\0\0\x1cftypavif" + bytes(99), "an AVIF"),
        (b"RIFF\x24\0\0\0WEBPVP8 " + bytes(99), "a WebP"),
        (bytes(128) + b"DICM" + bytes(99), "a DICOM file"),
    ],
)
def test_each_reader_says_what_the_file_is(tmp_path, data, what):
    film = tmp_path / "film.mp4"
    film.write_bytes(data)
    for read in (
        texts.decode,
        lambda data: json_files.parse(data, "labels.json"),
        images.decode,
        lambda data: images.photo(io.BytesIO(data)),
        lambda data: h5.opened(data).__enter__(),
        lambda data: videos.index(str(film)),
    ):
        with pytest.raises(ValueError, match=what):
            read(data)


def test_files_that_are_what_they_should_be_have_no_other_kind():
    assert file_kinds.name(fakes.csv_text(["a.png"], fakes.points(1)).encode()) == ""
    assert file_kinds.name(b"") == file_kinds.name(b'{"images": []}') == ""
    assert file_kinds.name(fakes.encode(fakes.pixels(0))) == "a PNG"


def test_json_without_a_letter_is_empty():
    with pytest.raises(ValueError, match="labels.json is not JSON: it is empty"):
        json_files.parse(b" \n", "labels.json")
