"""A small animal enlarged in a corner of its picture, where dots would hide it."""

from collections.abc import Callable

import cv2
import numpy as np

from beampose.pipelines.films import drawing

# An animal is small if it takes less than this share of the picture's shorter side; the inset takes
# that much of it, and shows at least so many pixels.
_SMALL, _SHARE, _LEAST = 0.2, 0.36, 24
_RIM = (255, 255, 255)
Draw = Callable[[np.ndarray, Callable[[np.ndarray], np.ndarray]], None]


def add(image: np.ndarray, plain: np.ndarray, points: np.ndarray, draw: Draw) -> None:
    """Puts the animal, enlarged, into the corner farthest from it. Changes the image.

    Args:
      image: with what is drawn on it.
      plain: the same without.
      points: (n, 2) x, y of the animal, NaN = missing.
      draw: draws on the inset; its second argument turns points of the image into those there.
    """
    there = points[np.isfinite(points).all(axis=1)]
    short = min(image.shape[:2])
    side = round(short * _SHARE)
    if len(there) < 2 or side < 2 * _LEAST:
        return
    low, high = there.min(axis=0), there.max(axis=0)
    if (high - low).max() > _SMALL * short:
        return
    window, corner, factor = drawing.close_up(plain, there, side=side, least=_LEAST)
    draw(window, lambda found: (found - corner) * factor)
    cv2.rectangle(window, (0, 0), (side - 1, side - 1), _RIM, 1)
    x, y = _corner(image.shape[:2], side, (low + high) / 2)
    # The animal is never hidden by its own inset.
    if x < high[0] and low[0] < x + side and y < high[1] and low[1] < y + side:
        return
    image[y : y + side, x : x + side] = window
    start = tuple(int(v) for v in corner)
    wide = round(side / factor)
    cv2.rectangle(image, start, (start[0] + wide, start[1] + wide), _RIM, 1)


def _corner(size: tuple[int, int], side: int, middle: np.ndarray) -> tuple[int, int]:
    """x and y of the inset in the corner of an image (height, width) that is farthest."""
    height, width = size
    places = [(x, y) for y in (0, height - side) for x in (0, width - side)]
    return max(places, key=lambda at: float(np.hypot(*(np.array(at) + side / 2 - middle))))
