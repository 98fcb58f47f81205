"""The cells of feature maps: how many an image has, and how large they are."""

import math

# Pixels of the scaled image that a cell is wide and high.
STRIDE = 8
# Map sizes are even numbers of cells, as DeepLabCut's are: the stride-16 tap then fits exactly.
PAIR = 2


def grid(height: int, width: int, scale: float) -> tuple[int, int]:
    """Rows and columns of the map of an image: its cells tile the image exactly."""
    return _cells(height * scale), _cells(width * scale)


def _cells(side: float) -> int:
    return max(PAIR * math.ceil(side / (PAIR * STRIDE) - 1e-9), PAIR)
