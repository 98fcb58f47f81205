"""EXIF of photographs: the turn that makes them upright, and when they were taken."""

import re

import numpy as np
from PIL import Image

_ORIENTATION, _DATE, _MORE, _ORIGINAL = 0x0112, 0x0132, 0x8769, 0x9003
_TAKEN = re.compile(r"(\d{4})[:/-](\d{2})[:/-](\d{2})[ T](\d{2}):(\d{2}):(\d{2})")


def orientation(image: Image.Image) -> int:
    """From 1 to 8; 1 is upright, or not said."""
    try:
        found = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Damaged bytes raise many types. An unreadable remark is no remark.
        return 1
    return found if 1 <= found <= 8 else 1


def taken(image: Image.Image) -> str:
    """When a photograph was taken, as 2026-05-01T06:30:00; empty if it does not say."""
    try:
        exif = image.getexif()
        return clock(exif.get_ifd(_MORE).get(_ORIGINAL, "")) or clock(exif.get(_DATE, ""))
    except Exception:  # As in `orientation`.
        return ""


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as stored, (height, width, 3), turned by an EXIF orientation from 1 to 8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def inverse(orientation: int) -> int:
    """The orientation that undoes one."""
    return {6: 8, 8: 6}.get(orientation, orientation)


def clock(text: object) -> str:
    """A time of EXIF in ISO's form; empty if it is none, such as that of a camera never set."""
    found = _TAKEN.match(str(text).strip())
    if found is None or found[1] == "0000":
        return ""
    year, month, day, hour, minute, second = found.groups()
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}"
