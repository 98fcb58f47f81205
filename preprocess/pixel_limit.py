"""The largest image: a file of a kilobyte can claim one that no memory holds."""

import functools
import os

from beampose.core import machine

SETTING = "BEAMPOSE_MAX_PIXELS"
# As many pixels as the memory has room for eight times, for threads read at once, while each is
# decoded; but below 178,956,970, where Pillow itself refuses.
_BYTES_PER_PIXEL = 8 * 8
_FEWEST, _MOST = 16_000_000, 170_000_000


class TooLarge(ValueError):
    """An image with more pixels than `most_pixels`."""


@functools.cache
def most_pixels() -> int:
    """The most pixels that an image, or a frame of a video, may have on this machine.

    Raises:
      ValueError: BEAMPOSE_MAX_PIXELS is not a number of pixels.
    """
    told = os.environ.get(SETTING, "")
    if told and not (told.isdecimal() and 0 < int(told) <= _MOST):
        raise ValueError(f"{SETTING} must be a number from 1 to {_MOST}. Received: {told!r}.")
    return int(told or min(max(machine.memory() // _BYTES_PER_PIXEL, _FEWEST), _MOST))


def check(width: int, height: int) -> None:
    """Raises TooLarge if an image of this size has too many pixels."""
    if width * height > most_pixels():
        raise TooLarge(
            f"has {width}x{height} pixels, above {most_pixels():,}, for which this machine has "
            f"memory. {SETTING} sets another limit, up to {_MOST:,}"
        )
