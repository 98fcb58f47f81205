"""Films of many kinds, sound and broken, and what is to become of each."""

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av
import fakes
import numpy as np

COUNT = 40
UNREAD = "cannot be read"


class Film(NamedTuple):
    """A kind of film.

    Attributes:
      suffix: of its file.
      make: writes it.
      count: frames a reader has to account for; None where it holds none, and why stands in `why`.
      lost: the most of these that may be without pixels.
      why: a part of the reason given for a film that cannot be used.
    """

    suffix: str
    make: Callable[[Path], object]
    count: int | None = COUNT
    lost: int = 0
    why: str = ""


def encoded(codec: str, count: int = COUNT, **options) -> Callable[[Path], object]:
    return lambda path: fakes.video(path, codec, count, **options)


def changed(change: Callable[[bytearray], bytes], codec: str = "libx264", count: int = COUNT):
    def make(path: Path):
        fakes.video(path, codec, count)
        path.write_bytes(change(bytearray(path.read_bytes())))

    return make


def noise(data: bytearray) -> bytes:
    """Damage in the middle of the pictures."""
    at = len(data) * 2 // 3
    data[at : at + 200] = np.random.default_rng(0).integers(0, 256, 200, np.uint8).tobytes()
    return data


def turned(data: bytearray) -> bytes:
    """A quarter turn, as a phone held upright writes it."""
    at = data.index(b"tkhd") + 4 + 40
    matrix = (0, 1 << 16, 0, -(1 << 16), 0, 0, fakes.VIDEO_HEIGHT << 16, 0, 1 << 30)
    data[at : at + 36] = struct.pack(">9i", *matrix)
    return data


def timeless(data: bytearray) -> bytes:
    """All headers say that the film lasts no time."""
    for box, offset in ((b"mvhd", 16), (b"mdhd", 16), (b"tkhd", 20)):
        at = data.index(box) + 4 + offset
        data[at : at + 4] = bytes(4)
    return data


def miscounted(data: bytearray) -> bytes:
    """The header of an avi says it holds 7 frames more."""
    at = data.index(b"strh") + 8 + 32
    data[at : at + 4] = struct.pack("<I", COUNT + 7)
    return data


def shortened(data: bytearray) -> bytes:
    return data[: len(data) * 17 // 20]


def sound(path: Path) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        some = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        some.sample_rate = 8000
        out.mux(stream.encode(some))
        out.mux(stream.encode(None))


def growing(path: Path) -> None:
    """The size of the picture changes on the way."""
    small, large = path.with_name("small.mts"), path.with_name("large.mts")
    fakes.video(small, "mpeg2video", 20)
    fakes.video(large, "mpeg2video", 20, size=(96, 160))
    path.write_bytes(small.read_bytes() + large.read_bytes())
    small.unlink()
    large.unlink()


FILMS = {
    "H.264 with B-frames": Film(".mp4", encoded("libx264", b_frames=3)),
    "H.264 with B-frames in avi": Film(".avi", encoded("libx264", b_frames=3)),
    "H.264 of a variable rate": Film(
        ".mp4", encoded("libx264", b_frames=3, times=[7 * i * i + 13 * i for i in range(COUNT)])
    ),
    "HEVC": Film(".mp4", encoded("libx265", options={"x265-params": "log-level=none"})),
    "HEVC of 10 bits": Film(
        ".mkv",
        encoded("libx265", pix_fmt="yuv420p10le", options={"x265-params": "log-level=none"}),
    ),
    "AV1": Film(".mp4", encoded("libsvtav1", options={"svtav1-params": "fast-decode=1"})),
    "VP9": Film(".webm", encoded("libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})),
    "MPEG-4 in avi": Film(".avi", encoded("mpeg4")),
    "MPEG-2 in a program stream": Film(".mpg", encoded("mpeg2video", b_frames=2)),
    "motion JPEG": Film(".mov", encoded("mjpeg")),
    "lossless of 10 bits": Film(".mkv", encoded("ffv1", pix_fmt="yuv420p10le")),
    "gray": Film(".mkv", encoded("ffv1", pix_fmt="gray")),
    "a single frame": Film(".mp4", encoded("libx264", 1), count=1),
    "one pixel": Film(".mkv", encoded("ffv1", pix_fmt="bgr0", size=(1, 1))),
    "turned by its header": Film(".mp4", changed(turned)),
    "of no duration": Film(".mp4", changed(timeless)),
    "a header that counts wrong": Film(".avi", changed(miscounted, "mpeg4")),
    "damaged in the middle": Film(".mp4", changed(noise), lost=30),
    "cut short, index in front": Film(".mp4", changed(shortened, count=120), count=85, lost=3),
    "cut short, a transport stream": Film(
        ".mts", changed(shortened, "mpeg2video"), count=34, lost=1
    ),
    "a picture that grows": Film(".mts", growing, lost=21),
    "cut short before its index": Film(
        ".avi", changed(lambda data: data[:300], "mpeg4"), count=None, why=UNREAD
    ),
    "of 0 bytes": Film(".mp4", lambda path: path.write_bytes(b""), count=None, why=UNREAD),
    "text": Film(".mp4", lambda path: path.write_text("no film"), count=None, why=UNREAD),
    "sound alone": Film(".mkv", sound, count=None, why="holds no video stream"),
}


def generate(folder: Path, count: int, seed: int = 0) -> dict[str, Film]:
    """Writes `count` films of mixed kinds, each kind at least once if they suffice; by path."""
    rng = random.Random(seed)
    names = list(FILMS)
    chosen = (names * (count // len(names) + 1))[:count]
    rng.shuffle(chosen)
    made = {}
    for number, name in enumerate(chosen):
        film = FILMS[name]
        path = folder / f"film{number:03d}{film.suffix}"
        film.make(path)
        made[str(path)] = film
    return made


def rewritten(path: str, prefix: str, data: bytes) -> str:
    """A file of other bytes beside a film."""
    folder, _, name = path.rpartition("/")
    changed = f"{folder}/{prefix}{name}"
    with open(changed, "wb") as file:
        file.write(data)
    return changed
