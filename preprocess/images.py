"""Image bytes to RGB pixels, by one rule.

The rule is what DeepLabCut's own reader sees, so that labels clicked there fit:
gray is repeated to three channels, 16 bit keeps its high byte, alpha is dropped, CMYK becomes RGB,
and the EXIF orientation is NOT applied: coordinates belong to the pixels as stored. The exported
models decode with the same rule.
"""

import contextlib
import hashlib
import io
import warnings
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from beampose.core import files
from beampose.preprocess import exif, inside, pixel_limit

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
# Of files that may hold several images, page after page.
STACKS = (".tif", ".tiff")
# Pillow also knows formats that run programs (EPS starts Ghostscript): images come from strangers.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP")
# Pixels that a byte of a JPEG holds at most: 341, of one colour, progressive; of a packed BMP 128.
# Small ones are not counted.
_MOST_OF_A_BYTE, _FEW = 1024, 1 << 22
# Pillow warns of oddities in tags and of sizes below its limit; both are judged here instead. Once
# for the process: a filter around each call would not be safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes) -> np.ndarray:
    """Decodes JPEG, PNG, TIFF or BMP to uint8 (height, width, 3), RGB.

    Raises:
      ValueError: the bytes are not a whole image, or hold too many pixels for this machine.
    """
    return read(data)[0]


def read(data: bytes) -> tuple[np.ndarray, int]:
    """`decode`, and the EXIF orientation: 1 is upright, or not said.

    One call for both, because where a PNG holds its EXIF is known only after decoding.
    """
    with _refused(), _open(io.BytesIO(data)) as image:
        return _loaded(image), exif.orientation(image)


class Photo(NamedTuple):
    """A photograph: upright pixels, the EXIF orientation they were turned by, when it was taken."""

    pixels: np.ndarray
    orientation: int
    taken: str


def photo(stream: IO[bytes], page: int = 0) -> Photo:
    """Decodes an image as programs for people show it; raises as `decode`.

    Args:
      page: of a TIFF with several, from 0.
    """
    with _refused(), _open(stream) as image:
        if page:
            image.seek(page)
        pixels, turn = _loaded(image), exif.orientation(image)
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
    if not place.dataset and files.suffix(place.file) in STACKS:
        return _page(place), 1
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
    films = [p for p in places if not p.dataset and files.suffix(p.file) not in STACKS]
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


def pages(path: str) -> int:
    """Number of pages of a TIFF file; 1 of other images and of what is none."""
    if files.suffix(path) not in STACKS:
        return 1
    try:
        with files.open_file(path) as stream, _open(stream) as image:
            return getattr(image, "n_frames", 1)
    except Exception:  # As in `_refused`: whoever reads it is told why it cannot be read.
        return 1


def _page(place: inside.Place) -> np.ndarray:
    """A page of a stack, which is a video to SLEAP and ImageJ; pages count from 0."""
    with _refused(), files.open_file(place.file) as stream, _open(stream) as image:
        count = getattr(image, "n_frames", 1)
        if place.number >= count:
            name = f"page {place.number} of {files.name(place.file)}"
            raise ValueError(f"cannot be read: {name}: it has {count} pages")
        image.seek(place.number)
        return _loaded(image)


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """What Pillow raises as a ValueError."""
    try:
        yield
    except UnidentifiedImageError:
        raise ValueError("is not an image of a known format") from None
    except (FileNotFoundError, ValueError):
        raise
    except Exception as error:  # Damaged bytes raise many types, such as struct.error.
        raise ValueError(f"cannot be decoded: {error}") from None


def _loaded(image: Image.Image) -> np.ndarray:
    pixel_limit.check(image.width, image.height)
    _check_bytes(image)
    image.load()
    return _rgb(image)


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


def _open(stream: IO[bytes]) -> Image.Image:
    return Image.open(stream, formats=_FORMATS)


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
            raise ValueError("holds floating point values outside 0..255, or NaN")
        return values.astype(np.uint8)
    if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise ValueError("holds integers outside 0..65535")
    return (values >> 8).astype(np.uint8)
