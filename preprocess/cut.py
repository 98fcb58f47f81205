"""The one rule by which a crop is cut around a box, in training and in prediction alike."""

from typing import Any, NamedTuple

import numpy as np

from beampose.core import files, json_files

# Beside the crops that were cut by it.
RULE_FILE = "crops.json"
MAX_PAD = 2.0


class Rule(NamedTuple):
    """Rule for cutting a crop.

    Attributes:
      pad: added on every side, as a share of the box's width (left, right) and height.
      square: whether the shorter side is then lengthened to the longer one.
    """

    pad: float = 0.1
    square: bool = False

    def window(
        self, box: tuple[float, float, float, float], height: int, width: int
    ) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2 of the crop in whole pixels, inside the frame, at least one pixel.

        A square that would leave the frame is moved into it; one larger than the frame is cut off.

        Args:
          box: x, y, width, height in pixels.
          height, width: of the frame.
        """
        x, y, w, h = box
        sides = [(x - self.pad * w, w * (1 + 2 * self.pad), width)]
        sides += [(y - self.pad * h, h * (1 + 2 * self.pad), height)]
        if self.square:
            longest = max(length for _, length, _ in sides)
            sides = [
                (min(max(low - (longest - length) / 2, 0), max(limit - longest, 0)), longest, limit)
                for low, length, limit in sides
            ]
        (x1, x2), (y1, y2) = (_whole(*side) for side in sides)
        return x1, y1, x2, y2

    def cut(self, pixels: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
        """The crop (height, width, 3) of a frame: a view."""
        x1, y1, x2, y2 = self.window(box, *pixels.shape[:2])
        return pixels[y1:y2, x1:x2]


def _whole(low: float, length: float, limit: int) -> tuple[int, int]:
    first = min(max(round(low), 0), limit - 1)
    return first, max(min(round(low + length), limit), first + 1)


def from_values(values: Any, where: str) -> Rule:
    """A rule from plain values.

    Args:
      where: the file they are in, human-readable.

    Raises:
      ValueError: they are none.
    """
    try:
        pad, square = values["pad"], values["square"]
        sound = isinstance(square, bool) and 0 <= float(pad) <= MAX_PAD
    except (TypeError, KeyError, ValueError):
        sound = False
    if not sound:
        raise ValueError(
            f"{where} must give pad (0 to {MAX_PAD:g}) and square (true or false) of its crops. "
            f"Received: {values!r}."
        )
    return Rule(float(pad), square)


def rule_of(folder: str) -> Rule | None:
    """The rule written beside crops or above them, in `RULE_FILE`; None if nothing says it.

    Raises:
      ValueError: the file is there and cannot be read.
    """
    for place in (folder, files.parent(folder)):
        path = files.join(place, RULE_FILE)
        if files.exists(path):
            return from_values(json_files.parse(files.read_bytes(path), path), path)
    return None
