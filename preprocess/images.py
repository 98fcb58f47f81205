"""Image bytes to RGB pixels, by one rule.

The rule is what DeepLabCut's own reader sees, so that labels clicked there fit:
gray is repeated to three channels, 16 bit keeps its high byte, alpha is dropped, CMYK becomes RGB,
and the EXIF orientation is NOT applied: coordinates belong to the pixels as stored. The exported
models decode with the same rule.
"""

import hashlib
import io
from collections.abc import Iterable
from typing import IO, NamedTuple

import numpy as np
from PIL import Image

from beampose.core import file_kinds, files
from beampose.preprocess import decoding, exif, inside, tiff_stacks

_BLANK = "is empty, as a file that a cloud drive has not downloaded"
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


def decode(data: bytes) -> np.ndarray:
    """Decodes JPEG, PNG, TIFF or BMP to uint8 (height, width, 3), RGB.

    Raises:
      ValueError: the bytes are not a whole image, or hold too many pixels for this machine.
    """
    return read(data)[0]


def read(data: bytes) -> tuple[np.ndarray, int]:
    """`decode`, and the EXIF orientation: 1 is upright, or not said."""
    if file_kinds.is_blank(data):
        raise ValueError(_BLANK)
    with decoding.refused(data), decoding.opened(io.BytesIO(data)) as image:
        return decoding.loaded(image)


class Photo(NamedTuple):
    """A photograph: upright pixels, the EXIF orientation they were turned by, when it was taken."""

    pixels: np.ndarray
    orientation: int
    taken: str


def photo(stream: IO[bytes]) -> Photo:
    """Decodes an image as programs for people show it; raises as `decode`."""
    data = stream.read(file_kinds.BEGINNING)
    stream.seek(0)
    if file_kinds.is_blank(data):
        raise ValueError(_BLANK)
    with decoding.refused(data), decoding.opened(stream, decoding.PHOTOS) as image:
        pixels, turn = decoding.loaded(image)
        return Photo(exif.upright(pixels, turn), turn, exif.taken(image))


def load(address: str, *, once: bool = False) -> tuple[np.ndarray, int]:
    """`read` of an image wherever it lies: a file, a frame of a video, an image inside an h5 file.

    Args:
      once: see `inside.frame`.

    Raises:
      FileNotFoundError, OSError: the file is not there or cannot be opened.
      ValueError: as `decode`, or the file holds no such image.
    """
    place = inside.parse(address)
    if place is None:
        return read(files.read_bytes(address))
    if not place.dataset and files.suffix(place.file) in tiff_stacks.SUFFIXES:
        return tiff_stacks.page(place.file, place.number), 1
    if not place.dataset:
        return inside.frame(place, once=once), 1
    found, blue_first = inside.stored(place)
    pixels, orientation = read(found) if isinstance(found, bytes) else (found, 1)
    return (np.ascontiguousarray(pixels[..., ::-1]) if blue_first else pixels), orientation


def readers(addresses: Iterable[str], most: int) -> int:
    """Number of threads that may read images at once, in the order given.

    One where they are frames of videos: a decoder has threads of its own, and if a later frame is
    asked for first, it must go back.
    """
    places = [place for address in addresses if (place := inside.parse(address))]
    films = [
        p for p in places if not p.dataset and files.suffix(p.file) not in tiff_stacks.SUFFIXES
    ]
    return 1 if films else most


def encoded(address: str) -> bytes:
    """The bytes of an image file: its own where it has one, else a PNG of its pixels.

    Raises: as `load`.
    """
    return encode_png(load(address)[0]) if inside.parse(address) else files.read_bytes(address)


def digest(pixels: np.ndarray) -> str:
    """sha256 of an image's shape and pixels, in hex: the same for PNG and TIFF of one image."""
    code = hashlib.sha256(repr((pixels.shape, pixels.dtype.str)).encode())
    code.update(np.ascontiguousarray(pixels).data)
    return code.hexdigest()


def encode_jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    """uint8 (height, width, 3) RGB to JPEG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(pixels: np.ndarray) -> bytes:
    """uint8 (height, width, 3) RGB to PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
