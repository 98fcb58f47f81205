"""Photographs of a burst: what moved between them, as candidate boxes.

A burst is what one camera took within some seconds: images that follow each other in one folder, of
one size, each at most so many seconds after the one before, by EXIF. From three images on the
median is the background; of two each is that of the other, and both places of an animal are found.
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from beampose.core import files
from beampose.preprocess import motion
from beampose.preprocess.motion import Motion
from beampose.preprocess.stills import Facts, Picture, Stills

# Images of a burst that are compared, and looked at beside a range: a burst may begin before
# it or end after it.
MOST = 20
# Gray levels of 255 that a pixel differs by at least, and in times of the noise.
_LEAST, _NOISES = 14.0, 6.0
_BLUR = (5, 5)


def found(
    pictures: Iterable[Picture], stills: Stills, seconds: float, settings: Motion
) -> Iterator[Picture]:
    """The pictures in order, those of a burst with boxes where something moved.

    Args:
      stills: the set that they are of, with the names of their images.
      seconds: from one image of a burst to the next, at most.
    """
    burst: list[Picture] = []
    for one in pictures:
        if burst and (len(burst) == MOST or not _follows(burst[-1], one, stills, seconds)):
            yield from _with_boxes(burst, settings)
            burst = []
        burst.append(one)
    yield from _with_boxes(burst, settings)


def follows(names: tuple[str, str], facts: tuple[Facts, Facts], seconds: float) -> bool:
    """Whether the second of two images side by side in a set belongs to the burst of the first.

    Args:
      names: below the root of the set.
      seconds: from one to the other, at most.
    """
    first, second = facts
    if not (first.taken and second.taken) or first[:2] != second[:2]:
        return False
    if files.parent(names[0]) != files.parent(names[1]):
        return False
    times = [datetime.datetime.fromisoformat(one.taken) for one in facts]
    return 0 <= (times[1] - times[0]).total_seconds() <= seconds


def _follows(before: Picture, one: Picture, stills: Stills, seconds: float) -> bool:
    first, second = (stills.still(picture.frame.index).name for picture in (before, one))
    return follows((first, second), (before.facts, one.facts), seconds)


def _with_boxes(burst: Sequence[Picture], settings: Motion) -> Iterator[Picture]:
    there = [one for one in burst if one.frame.pixels is not None]
    if len(there) < 2:
        yield from burst
        return
    pixels = [one.frame.pixels for one in there if one.frame.pixels is not None]
    boxes = iter(moved(pixels, settings))
    for one in burst:
        known = one.frame.pixels is not None
        yield one._replace(frame=one.frame._replace(boxes=next(boxes))) if known else one


def moved(pixels: Sequence[np.ndarray], settings: Motion) -> list[np.ndarray]:
    """Boxes int32 (n, 4) x, y, width, height of each of some images (height, width, 3) of one size.

    Settings of the background over time do not apply.
    """
    plain = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in pixels]
    grays = np.stack([cv2.GaussianBlur(one, _BLUR, 0) for one in plain])
    median = np.median(grays, axis=0) if len(grays) > 2 else None
    every = []
    for i, gray in enumerate(grays):
        background = grays[1 - i] if median is None else median
        difference = gray.astype(np.float32) - background
        # Light that changes as a whole is no motion.
        difference = np.abs(difference - np.median(difference))
        noise = 1.4826 * float(np.median(difference))
        mask = (difference > max(_LEAST, _NOISES * noise)).astype(np.uint8) * 255
        every.append(motion.boxes_of(mask, settings))
    return every
