"""An open image to RGB pixels by the rule that `images` tells, within the limits of the machine."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import IO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from beampose.core import file_kinds
from beampose.core.answering import Unanswered
from beampose.preprocess import exif, pixel_limit

# Pillow also knows formats that run programs (EPS starts Ghostscript): images come from strangers.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP")
# Photographs may be GIFs as well, which nobody labels.
PHOTOS = (*_FORMATS, "GIF")
# Pixels that a byte of a JPEG holds at most: 341, of one colour, progressive; of a packed BMP 128.
# Small ones are not counted.
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_OF_A_BYTE, _FEW = 1024, 1 << 22
# Pillow warns of oddities in tags and of sizes below its limit; both are judged here instead. Once
# for the process: a filter around each call would not be safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


@contextlib.contextmanager
def refused(data: bytes = b"") -> Iterator[None]:
    """What Pillow raises as a ValueError.

    Args:
      data: of the file, whose first bytes may say what else it is.
    """
    try:
        yield
    except UnidentifiedImageError:
        kind = file_kinds.name(data)
        what = f", but {kind}" if kind else ""
        if data.startswith(_TIFFS):
            what = ", but a TIFF with other channels or numbers than are read: save it as 8 bit RGB"
        raise ValueError(f"is not an image of a known format{what}") from None
    except (FileNotFoundError, ValueError, Unanswered):
        raise
    except Exception as error:  # Damaged bytes raise many types, such as struct.error.
        raise ValueError(f"cannot be decoded: {error}") from None


def opened(stream: IO[bytes], formats: tuple[str, ...] = _FORMATS) -> Image.Image:
    """The image of a file, before it is decoded."""
    return Image.open(stream, formats=formats)


def loaded(image: Image.Image) -> tuple[np.ndarray, int]:
    """uint8 (height, width, 3) as stored of an open image, and its EXIF orientation.

    Raises what `refused` takes.
    """
    pixel_limit.check(image.width, image.height)
    _check_bytes(image)
    # Pillow turns a TIFF by its orientation, and forgets that.
    turn = exif.orientation(image) if image.format == "TIFF" else 1
    image.load()
    if turn != 1:
        return exif.upright(_rgb(image), exif.inverse(turn)), turn
    # Where a PNG holds its EXIF is known only after decoding.
    return _rgb(image), exif.orientation(image)


def _check_bytes(image: Image.Image) -> None:
    """Refuses an image that holds too little for its pixels, where decoders fill in what lacks."""
    kind = image.info.get("compression") if image.format == "TIFF" else image.format
    if kind not in ("JPEG", "MPO", "BMP", "jpeg", "tiff_jpeg"):
        return
    if isinstance(image, ImageFile.ImageFile) and image.fp:
        place = image.fp.tell()
        held = image.fp.seek(0, io.SEEK_END) * _MOST_OF_A_BYTE
        image.fp.seek(place)
        if image.width * image.height > max(held, _FEW):
            size = f"{image.width}x{image.height}"
            raise ValueError(f"is cut short: it has too few bytes for its {size} pixels")


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(_high_byte(np.asarray(image))[..., None], 3, axis=-1)
    if image.mode in ("RGBA", "LA", "La", "RGBa", "PA"):
        # Drop alpha instead of blending: what lies below a transparent pixel stays as it is.
        image = image.convert("RGBA")
        return np.ascontiguousarray(np.asarray(image)[..., :3])
    return np.ascontiguousarray(np.asarray(image.convert("RGB")))


def _high_byte(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        if not (values.min(initial=0) >= 0 and values.max(initial=0) <= 255):
            raise ValueError("holds floating point values outside 0..255, or NaN: save it as 8 bit")
        if 0 < values.max(initial=0) <= 1:
            raise ValueError("holds floating point values from 0 to 1: save it as 8 bit")
        return values.astype(np.uint8)
    if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise ValueError("holds integers outside 0..65535: save it as 8 or 16 bit")
    return (values >> 8).astype(np.uint8)
