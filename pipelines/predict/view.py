"""View of a video's frame that the model sees, and the way back to the frame's own pixels."""

from typing import NamedTuple

import cv2
import numpy as np

# Sides that differ less than this from those of the training frames are taken for the same.
ALIKE = 1.25


class View(NamedTuple):
    """A cut, then a change of size.

    Attributes:
      crop: x1, x2, y1, y2 in pixels, as DeepLabCut's config has it; None = the whole frame.
      size: `keep`, `resize` or `pad`, see `beampose.core.settings.experiment.Predict`.
      trained: height and width of the training frames; None where the model does not say.
    """

    crop: tuple[int, int, int, int] | None = None
    size: str = "keep"
    trained: tuple[int, int] | None = None

    def problem(self, height: int, width: int) -> str:
        """Human-readable reason why frames of this size cannot be used; empty if they can."""
        if self.crop is None:
            return ""
        x1, x2, y1, y2 = self.crop
        if x2 <= width and y2 <= height:
            return ""
        return f"predict.crop [{x1}, {x2}, {y1}, {y2}] does not fit frames of {width}x{height}"

    def remark(self, height: int, width: int) -> str:
        """Human-readable remark on frames much larger or smaller than those of the training."""
        if self.trained is None or self.size != "keep":
            return ""
        height, width = self._cut_size(height, width)
        ratio = np.sqrt(height * width / (self.trained[0] * self.trained[1]))
        if 1 / ALIKE <= ratio <= ALIKE:
            return ""
        return (
            f"its frames are {width}x{height}, training's {self.trained[1]}x{self.trained[0]}:"
            " if the animals are larger or smaller by that factor, set predict.size: resize"
        )

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 (height, width, 3) to what the model gets."""
        if self.crop is not None:
            x1, x2, y1, y2 = self.crop
            pixels = pixels[y1:y2, x1:x2]
        height, width = pixels.shape[:2]
        if self.trained is None or self.size == "keep":
            return pixels
        if self.size == "resize":
            rows, columns = self._resized(height, width)
            if (rows, columns) == (height, width):
                return pixels
            how = cv2.INTER_AREA if rows < height else cv2.INTER_LINEAR
            return cv2.resize(pixels, (columns, rows), interpolation=how)
        below, right = (max(t - s, 0) for t, s in zip(self.trained, (height, width), strict=True))
        return np.pad(pixels, [(0, below), (0, right), (0, 0)])

    def undo(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """Points (..., 2), x and y of what the model got, in pixels of the frame.

        Args:
          height, width: of the frame.
        """
        height, width = self._cut_size(height, width)
        if self.trained is not None and self.size == "resize":
            rows, columns = self._resized(height, width)
            points = points * (width / columns, height / rows)
        if self.crop is not None:
            points = points + (self.crop[0], self.crop[2])
        return points

    def _cut_size(self, height: int, width: int) -> tuple[int, int]:
        if self.crop is None:
            return height, width
        x1, x2, y1, y2 = self.crop
        return y2 - y1, x2 - x1

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """The largest size of the same shape that fits into the training frames."""
        assert self.trained is not None
        factor = min(self.trained[0] / height, self.trained[1] / width)
        return max(round(height * factor), 1), max(round(width * factor), 1)
