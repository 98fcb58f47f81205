"""Images inside other files: a frame of a video, an image in an h5 file. They have addresses too.

`film.mp4#frame=12` is frame 12, counted from 0; `labels.pkg.slp#image=video0/video/3` is row 3 of a
dataset. Frames are read in any order: the decoder of a video stays open and goes forward, and what
it gave is kept on disk, so that no frame is decoded twice and no video from its start each time.
"""

import atexit
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cachetools
import cv2
import numpy as np
from cachetools import FIFOCache, LRUCache

from beampose.core import files, h5
from beampose.core.wording import counted
from beampose.preprocess import videos
from beampose.preprocess.recent import Recent

_ADDRESS = re.compile(r"(.+)#(?:frame=(\d{1,12})|image=([^#]+)/(\d{1,12}))")
# A frame this far ahead is reached by decoding on, a farther one by seeking.
_FORWARD = 60
# Frames a decoder passed that stay at hand: threads ask for neighbours in any order.
_PASSED = 8
_OPEN = 4
# PNG files of frames, on the disk of the machine.
_KEPT_BYTES = 1 << 30
# Since this version SLEAP says the order of channels; before, OpenCV wrote blue first.
_SAYS_ORDER = 1.4


class Place(NamedTuple):
    """Location of an image: a frame of a video, or row `number` of `dataset`."""

    file: str
    number: int
    dataset: str = ""


def frame_of(video: str, number: int) -> str:
    """The address of a frame of a video."""
    return f"{video}#frame={number}"


def image_of(file: str, dataset: str, row: int) -> str:
    """The address of an image in an h5 file."""
    return f"{file}#image={dataset}/{row}"


def parse(address: str) -> Place | None:
    """The place an address names; None if it names a whole file."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return None
    file, frame, dataset, row = found.groups()
    return Place(file, int(frame)) if dataset is None else Place(file, int(row), dataset)


def frame(place: Place, *, once: bool = False) -> np.ndarray:
    """uint8 (height, width, 3) of a frame, RGB.

    Args:
      once: frames are asked for in order and not again: none is kept, which takes several times
        as long as to decode it.

    Raises:
      FileNotFoundError: no such video.
      ValueError: not a video, or it has no such frame.
    """
    system, inner = files.system(place.file)
    info = system.info(inner)
    stamp = f"{info.get('size')}-{info.get('mtime') or info.get('generation')}"
    return _film(place.file, stamp).frame(place.number, once)


def stored(place: Place) -> tuple[bytes | np.ndarray, bool]:
    """Reads an image of an h5 file: bytes or pixels, and True if blue comes first.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not h5, or it holds no such image.
    """
    with h5.opened(place.file) as file:
        dataset = file.dataset(place.dataset)
        if dataset is None or not dataset.shape or place.number >= dataset.shape[0]:
            name = files.name(place.file)
            raise ValueError(f"{name} holds no image {place.number} in {place.dataset!r}")
        row = np.asarray(dataset.row(place.number))
        if not is_of_files(dataset):
            return _channels_last(row), False
        if row.dtype not in (np.int8, np.uint8):
            raise ValueError(f"{place.dataset} holds {row.dtype} in place of an image's bytes")
        # Rows of one length are filled up with zeros, with which no image file ends.
        data = row.tobytes()
        return data.rstrip(b"\0") if len(dataset.shape) > 1 else data, _blue_first(file, dataset)


def is_of_files(dataset: h5.Dataset) -> bool:
    """Returns True if a dataset holds the bytes of image files, and False if it holds pixels."""
    return text(dataset.attribute("format", "hdf5")) != "hdf5"


def text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _blue_first(file: h5.Group, dataset: h5.Dataset) -> bool:
    order = dataset.attribute("channel_order")
    if order is not None:
        return text(order).upper() == "BGR"
    metadata = file.group("metadata")
    version = 0 if metadata is None else metadata.attribute("format_id", 0)
    return float(version) < _SAYS_ORDER


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise ValueError(f"holds {pixels.dtype} of the shape {pixels.shape}, not an 8 bit image")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[-1] not in (1, 3) and pixels.shape[0] in (1, 3):
        # Channels, width, height: how old exports of h5 videos put it.
        pixels = pixels.transpose(2, 1, 0)
    if pixels.shape[-1] not in (1, 3):
        raise ValueError(f"holds an image of {pixels.shape[-1]} channels")
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


class _Film:
    """An open video, and its decoder where it stands."""

    def __init__(self, path: str, stamp: str):
        self._video = videos.index(path)
        self._stamp = stamp
        self._lock = threading.Lock()
        self._frames: Iterator[videos.Frame] = iter(())
        self._next: int | None = None
        self._passed: FIFOCache[int, videos.Frame] = FIFOCache(_PASSED)

    def frame(self, number: int, once: bool) -> np.ndarray:
        name = f"frame {number} of {files.name(self._video.path)}"
        if number >= self._video.count:
            raise ValueError(
                f"cannot be read: {name}: it has {counted(self._video.count, 'frame')}"
            )
        key = f"{self._video.path}\n{self._stamp}\n{number}"
        kept = _KEPT.get(key)
        if kept is not None:
            return kept
        with self._lock:
            found = self._passed.get(number) or self._decoded(number)
        if found.pixels is None:
            raise ValueError(f"cannot be read: {name}: {found.failure}")
        if not once:
            _KEPT.put(key, found.pixels)
        return found.pixels

    def _decoded(self, number: int) -> videos.Frame:
        passed = self._next is None or number < self._next
        far = self._next is not None and number - self._next > _FORWARD
        # Without timestamps a seek means decoding from the start: then it only goes forward.
        if passed or (far and self._video.sought):
            self._frames = videos.read(self._video, number, self._video.count)
        for frame in self._frames:
            self._next = frame.index + 1
            self._passed[frame.index] = frame
            if frame.index == number:
                return frame
        self._next = None
        return videos.Frame(number, None, "the video ends or breaks before this frame")


# The videos used last stay open.
@cachetools.cached(LRUCache(_OPEN), condition=threading.Condition())
def _film(path: str, stamp: str) -> _Film:
    return _Film(path, stamp)


class _Kept:
    """Decoded frames as PNG files, up to a number of bytes."""

    def __init__(self, limit: int):
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._files = Recent[_Png](limit, lambda png: png.size, _Png.remove)

    def get(self, key: str) -> np.ndarray | None:
        png = self._files.get(key)
        try:
            data = png.file.read_bytes() if png else b""
        except OSError:
            # Somebody tidied the temporary folder: it is decoded again.
            return None
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), 1) if data else None
        return None if pixels is None else _rgb(pixels)

    def put(self, key: str, pixels: np.ndarray) -> None:
        # The fastest for frames; one channel of gray ones halves the time (1024x1024: 25 ms).
        options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
        options += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
        channels = cv2.split(pixels)
        gray = all(np.array_equal(channels[0], other) for other in channels[1:])
        data = cv2.imencode(".png", channels[0] if gray else _rgb(pixels), options)[1].tobytes()
        try:
            handle, name = tempfile.mkstemp(".png", dir=self._place())
            with open(handle, "wb") as file:
                file.write(data)
        except OSError:
            # A full disk costs time, not the frame.
            return
        self._files.put(key, _Png(Path(name), len(data)))

    def _place(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="beampose-frames-"))
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder


class _Png(NamedTuple):
    file: Path
    size: int

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)


def _rgb(pixels: np.ndarray) -> np.ndarray:
    """Red for blue, both ways."""
    return np.ascontiguousarray(pixels[..., ::-1])


_KEPT = _Kept(_KEPT_BYTES)
