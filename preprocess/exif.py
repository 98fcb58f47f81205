"""EXIF of photographs: the turn that makes them upright, and when they were taken."""

import contextlib
import datetime
import re

import numpy as np
from PIL import Image

_ORIENTATION, _DATE, _MORE, _ORIGINAL = 0x0112, 0x0132, 0x8769, 0x9003
# Orientations that make columns of rows; those that change left and right, top and bottom, then.
SIDEWAYS, _LEFT_RIGHT, _UPSIDE_DOWN = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)
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
    if orientation in SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in _LEFT_RIGHT:
        pixels = pixels[:, ::-1]
    if orientation in _UPSIDE_DOWN:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def stored_points(points: np.ndarray, orientation: int, height: int, width: int) -> np.ndarray:
    """Points (..., 2), x and y in the upright image, in the pixels as stored.

    Args:
      height, width: of the image as stored.
    """
    x, y = points[..., 0], points[..., 1]
    sides = (height, width) if orientation in SIDEWAYS else (width, height)
    if orientation in _UPSIDE_DOWN:
        y = sides[1] - y
    if orientation in _LEFT_RIGHT:
        x = sides[0] - x
    return np.stack([y, x] if orientation in SIDEWAYS else [x, y], axis=-1)


def inverse(orientation: int) -> int:
    """The orientation that undoes one."""
    return {6: 8, 8: 6}.get(orientation, orientation)


def clock(text: object) -> str:
    """A time of EXIF in ISO's form; empty if it is none, such as that of a camera never set."""
    found = _TAKEN.match(str(text).strip())
    if found is None:
        return ""
    year, month, day, hour, minute, second = map(int, found.groups())
    # Some clocks call midnight the end of a day.
    ended = (hour, minute, second) == (24, 0, 0)
    with contextlib.suppress(ValueError, OverflowError):  # Cameras write months and days of 0.
        time = datetime.datetime(year, month, day, 0 if ended else hour, minute, second)
        return (time + datetime.timedelta(days=ended)).isoformat()
    return ""
