"""Boxes with class and score, drawn over the frames they were found in."""

from collections.abc import Iterator

import cv2
import numpy as np

from beampose.formats.detection_table import NEGATIVE, Detections
from beampose.pipelines.films import drawing
from beampose.preprocess import videos

_GRAY = (150, 150, 150)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def labeled_frames(
    video: videos.Video, found: Detections, threshold: float, numbers: np.ndarray
) -> Iterator[np.ndarray]:
    """Frames with their boxes; those that are not hits are thin and gray, dismissed ones left out.

    Args:
      threshold: confidence of a hit.
      numbers: (frames,), the analysed frames, in order.
    """
    chosen, hits = set(numbers.tolist()), found.hits(threshold)
    kept = found.only(~found.dismissed)
    hits = hits[~found.dismissed]
    colors = _colors(found.classes)
    for frame in videos.read_ahead(video, int(numbers[0]), int(numbers[-1]) + 1, 16, chosen):
        if frame.pixels is None:
            yield np.zeros((video.height, video.width, 3), np.uint8)
            continue
        image = frame.pixels.copy()
        first, last = np.searchsorted(kept.frames, [frame.index, frame.index + 1])
        for row in range(first, last):
            name = kept.classes[kept.labels[row]]
            text = f"{name} {kept.scores[row].max():.2f}"
            color = colors[kept.labels[row]] if hits[row] else _GRAY
            box(image, kept.places[row], text, color, bold=bool(hits[row]))
        yield image


def box(
    image: np.ndarray, place: np.ndarray, text: str, color: tuple[int, int, int], *, bold: bool
) -> None:
    """A rectangle with a tag above it, or inside at its top. Changes the image."""
    x, y, width, height = (int(v) for v in place)
    cv2.rectangle(image, (x, y), (x + width - 1, y + height - 1), color, 2 if bold else 1)
    size = max(min(image.shape[:2]) / 1000, 0.38)
    (wide, high), below = cv2.getTextSize(text, _FONT, size, 1)
    left = max(min(x, image.shape[1] - wide - 4), 0)
    top = y - high - below - 4 if y - high - below - 4 >= 0 else y
    cv2.rectangle(image, (left, top), (left + wide + 4, top + high + below + 4), color, -1)
    black = (0, 0, 0)
    cv2.putText(image, text, (left + 2, top + high + 2), _FONT, size, black, 1, cv2.LINE_AA)


def _colors(classes: tuple[str, ...]) -> list[tuple[int, int, int]]:
    palette = iter(
        drawing.palette(max(len(classes), 3))[1:] + drawing.palette(max(len(classes), 3))[:1]
    )
    return [_GRAY if name == NEGATIVE else next(palette) for name in classes]
