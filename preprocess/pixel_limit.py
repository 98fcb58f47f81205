"""The largest image and frame: a file of a kilobyte can claim one that no memory holds."""

import functools
import os

from beampose.core import machine

SETTING = "BEAMPOSE_MAX_PIXELS"
# As many pixels as the memory has room for eight times, for threads read at once, while each is
# decoded; but below 178,956,970, where Pillow itself refuses.
_BYTES_PER_PIXEL = 8 * 8
_FEWEST, MOST = 16_000_000, 170_000_000
# Decoders of films take 15 bytes a pixel, and memory for as many frames as a file claims to refer
# to, before any of it is read: 8K is 35 million pixels.
_MOST_OF_FRAMES = 8192 * 8192


class TooLarge(ValueError):
    """An image with more pixels than `most_pixels`."""


@functools.cache
def most_pixels(frames: bool = False) -> int:
    """The most pixels that an image, or a frame of a video, may have on this machine.

    Args:
      frames: True for those of videos.

    Raises:
      ValueError: BEAMPOSE_MAX_PIXELS is not a number of pixels.
    """
    told = os.environ.get(SETTING, "")
    if told and not (told.isdecimal() and 0 < int(told) <= MOST):
        raise ValueError(f"{SETTING} must be a number from 1 to {MOST}. Received: {told!r}.")
    most = _MOST_OF_FRAMES if frames else MOST
    return int(told or min(max(machine.memory() // _BYTES_PER_PIXEL, _FEWEST), most))


def check(width: int, height: int, frames: bool = False) -> None:
    """Raises TooLarge if an image, or a frame of a video, of this size has too many pixels."""
    most = most_pixels(frames)
    if width * height > most:
        raise TooLarge(
            f"has {width}x{height} pixels, above {most:,}, the most that is decoded on this "
            f"machine. {SETTING} sets another limit, up to {MOST:,}"
        )
