"""Films and images of strangers: no other file or address is opened, no memory filled."""

import io
import resource
import struct
import zlib
from pathlib import Path

import fakes
import numpy as np
import pytest
from PIL import Image

from beampose.core import machine
from beampose.preprocess import decoding, images, inside, pixel_limit, videos

LISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
    "hls with a mark": "\ufeff#EXTM3U\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
    "hls of an address": "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/{film}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {film}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "realtext": "[Reference]\nRef1=http://127.0.0.1/{film}\n",
}


@pytest.fixture
def film(tmp_path):
    return fakes.video(tmp_path / "film.ts", "libx264", 5)


@pytest.fixture
def limit(monkeypatch):
    """Sets the most pixels of an image."""

    def to(number):
        monkeypatch.setenv(pixel_limit.SETTING, str(number))
        pixel_limit.most_pixels.cache_clear()

    yield to
    monkeypatch.undo()
    pixel_limit.most_pixels.cache_clear()


@pytest.mark.parametrize("suffix", ["m3u8", "mp4", "avi", "txt"])
@pytest.mark.parametrize("kind", LISTS)
def test_a_list_of_other_films_is_no_film_whatever_it_is_called(film, tmp_path, kind, suffix):
    path = tmp_path / f"list.{suffix}"
    path.write_text(LISTS[kind].format(film="film.ts"), encoding="utf-8")
    with pytest.raises(ValueError, match="names other files to be played"):
        videos.index(str(path))


@pytest.mark.parametrize(
    "order", ["concat:film.ts|film.ts", "subfile,,start,0,end,9999,,:film.ts", "data:x", "pipe:0"]
)
def test_what_ffmpeg_takes_for_an_order_is_a_name(film, tmp_path, monkeypatch, order):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="No such file"):
        videos.index(order)
    (tmp_path / order).write_bytes((tmp_path / "film.ts").read_bytes())
    assert videos.index(order).count == 5


@pytest.mark.parametrize("data", [b"P6\n60 40\n255\n" + bytes(7200), fakes.encode(fakes.pixels(1))])
def test_an_image_is_no_film(tmp_path, data):
    (tmp_path / "film.mp4").write_bytes(data)
    with pytest.raises(ValueError, match="none of the formats that are read"):
        videos.index(str(tmp_path / "film.mp4"))


def test_a_web_address_is_not_opened():
    for address in ("http://127.0.0.1:9/film.mp4", "rtsp://127.0.0.1:9/x", "ftp://127.0.0.1/x"):
        with pytest.raises(ValueError, match="is a web address: download it first"):
            videos.index(address)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "mov", "ts", "mpg", "webm"])
def test_a_film_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, limit, suffix):
    codec = {"webm": "libvpx", "ts": "mpeg2video", "mpg": "mpeg1video"}.get(suffix, "mpeg4")
    path = fakes.video(tmp_path / f"film.{suffix}", codec, 12)
    video = videos.index(path)
    limit(1000)
    with pytest.raises(ValueError, match=rf"film.{suffix} has \d+x\d+ pixels, above 1,000"):
        videos.index(path)
    assert [frame.pixels for frame in videos.read(video, 0, 12)] == [None] * 12


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes(100))), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(20_000, 20_000), (100_000, 100_000), (2**31 - 1, 2**31 - 1)])
def test_an_image_that_claims_to_be_huge_is_refused_before_it_is_decoded(size):
    with pytest.raises(ValueError, match="pixels, above|cannot be decoded|known format"):
        images.decode(claiming(*size))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_a_small_jpeg_that_claims_to_be_huge_is_refused_before_it_is_decoded(kind):
    stream, options = io.BytesIO(), {"compression": "jpeg"} if kind == "TIFF" else {}
    Image.fromarray(np.zeros((40, 64, 3), np.uint8)).save(stream, kind, **options)
    data = stream.getvalue()
    if kind == "JPEG":
        place = data.index(b"\xff\xc0") + 5
        data = data[:place] + struct.pack(">HH", 12_000, 12_000) + data[place + 4 :]
    else:
        for tag, value in ((256, 64), (257, 40), (278, 40)):
            data = data.replace(
                struct.pack("<HHII", tag, 3, 1, value), struct.pack("<HHII", tag, 3, 1, 12_000)
            ).replace(
                struct.pack("<HHII", tag, 4, 1, value), struct.pack("<HHII", tag, 4, 1, 12_000)
            )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="too few bytes for its 12000x12000 pixels"):
        images.decode(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 100_000


def test_a_packed_bmp_that_skips_most_of_its_pixels_is_refused():
    stream = io.BytesIO()
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(stream, "BMP")
    data = bytearray(stream.getvalue())
    data[18:26], data[30:34] = struct.pack("<II", 12_000, 12_000), struct.pack("<I", 1)
    with pytest.raises(ValueError, match="too few bytes for its 12000x12000 pixels"):
        images.decode(bytes(data[:1078]) + b"\0\2\0\xff" * 100)


@pytest.mark.parametrize("options", [{}, {"progressive": True, "optimize": True, "quality": 1}])
def test_a_jpeg_of_one_colour_is_read(monkeypatch, options):
    monkeypatch.setattr(decoding, "_FEW", 0)
    stream = io.BytesIO()
    Image.fromarray(np.zeros((3000, 2000, 3), np.uint8)).save(stream, "JPEG", **options)
    assert images.decode(stream.getvalue()).shape == (3000, 2000, 3)


def test_the_limit_of_pixels_is_a_setting(limit):
    whole = fakes.encode(fakes.pixels(1))
    limit(2400)
    assert images.decode(whole).shape == (40, 60, 3)
    limit(2399)
    with pytest.raises(ValueError, match="has 60x40 pixels, above 2,399.*BEAMPOSE_MAX_PIXELS"):
        images.decode(whole)
    for wrong in ("x", "0", "-5", "1e9", "999999999999"):
        limit(wrong)
        with pytest.raises(ValueError, match="BEAMPOSE_MAX_PIXELS must be a number"):
            images.decode(whole)


def test_every_kind_of_image_is_held_to_the_limit(limit):
    limit(2399)
    for format in ("PNG", "JPEG", "TIFF", "BMP"):
        stream = io.BytesIO()
        Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(stream, format)
        with pytest.raises(ValueError, match="above 2,399"):
            images.decode(stream.getvalue())


def test_a_film_may_have_as_many_pixels_as_one_of_8k_and_no_more(limit, monkeypatch):
    monkeypatch.setattr(machine, "memory", lambda: 1 << 40)
    limit("")
    pixel_limit.check(8192, 8192, frames=True)
    with pytest.raises(ValueError, match="has 8192x8193 pixels, above 67,108,864, the most"):
        pixel_limit.check(8192, 8193, frames=True)
    pixel_limit.check(12_000, 12_000)
    limit(100_000_000)
    pixel_limit.check(8192, 8193, frames=True)


def test_frames_that_are_larger_than_their_container_says_are_not_decoded(limit, tmp_path):
    path = Path(fakes.video(tmp_path / "film.webm", "libvpx", 5))
    data = path.read_bytes()
    size = b"\x9d\x01\x2a" + struct.pack("<HH", fakes.VIDEO_WIDTH, fakes.VIDEO_HEIGHT)
    assert size in data
    path.write_bytes(data.replace(size, size[:3] + struct.pack("<HH", 9040, 12143)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="holds no frame that can be decoded"):
        videos.index(str(path))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 100_000


def test_a_frame_of_a_playlist_is_not_read(film, tmp_path):
    path = tmp_path / "list.mp4"
    path.write_text(LISTS["hls"].format(film="film.ts"))
    with pytest.raises(ValueError, match="names other files"):
        images.load(inside.frame_of(str(path), 0))
