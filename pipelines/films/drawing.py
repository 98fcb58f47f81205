"""Dots, crosses, skeletons and trails on an image. Arrays in, arrays out."""

from collections.abc import Sequence

import cv2
import numpy as np

from beampose.pipelines.films import letters

# Subpixel drawing: OpenCV takes coordinates in 1/16 of a pixel.
_SHIFT = 4
# Pixels beyond which nothing is seen of a point.
_FAR = 1e6
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)
# Pixels: height of a caption's letters, and from line to line.
_CAPTION, _LINE = 12, 16
# A dot's radius is at most this share of the animal's length, so that dots do not hide it.
_OF_ANIMAL = 1 / 14


# Okabe and Ito, "Color Universal Design" (2008): told apart whatever cones an eye has. Without
# black, which is the rim of dots.
_APART = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (213, 94, 0),
    (240, 228, 66),
    (0, 114, 178),
)


def palette(count: int) -> list[tuple[int, int, int]]:
    """Colours as far apart as they get, RGB; the same for a bodypart everywhere.

    Up to seven are safe for the colour blind; of more, no choice is.
    """
    if count <= len(_APART):
        return list(_APART[:count])
    hues = np.linspace(0, 179, count, endpoint=False).astype(np.uint8)
    hsv = np.stack([hues, np.full(count, 230, np.uint8), np.full(count, 255, np.uint8)], axis=-1)
    rgb = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]
    return [(int(r), int(g), int(b)) for r, g, b in rgb]


def dot_size(height: int, width: int) -> int:
    """A dot's radius that is seen on a frame of this size."""
    return max(round(min(height, width) / 110), 2)


def dot_on(height: int, width: int, points: np.ndarray) -> int:
    """A dot's radius on a frame of this size, no larger than suits the animal.

    Args:
      points: (frames, animals, bodyparts, 2), NaN = missing.
    """
    plain = dot_size(height, width)
    there = np.isfinite(points).all(axis=-1).sum(axis=-1) > 1
    if not there.any():
        return plain
    some = points[there]
    sides = np.nanmax(some, axis=-2) - np.nanmin(some, axis=-2)
    length = float(np.median(np.hypot(*sides.T)))
    return int(min(plain, max(round(length * _OF_ANIMAL), 1)))


def dots(image: np.ndarray, points: np.ndarray, colors: Sequence, radius: int) -> None:
    """Filled dots with a thin dark rim at (points, 2) x, y; NaN is not drawn. Changes the image."""
    for point, color in zip(points, colors, strict=True):
        if np.isfinite(point).all():
            cv2.circle(image, _at(point), (radius + 1) << _SHIFT, _BLACK, -1, cv2.LINE_AA, _SHIFT)
            cv2.circle(image, _at(point), radius << _SHIFT, color, -1, cv2.LINE_AA, _SHIFT)


def rings(image: np.ndarray, points: np.ndarray, colors: Sequence, radius: int) -> None:
    """Rings: predictions the model is not sure of."""
    for point, color in zip(points, colors, strict=True):
        if np.isfinite(point).all():
            cv2.circle(image, _at(point), radius << _SHIFT, color, 1, cv2.LINE_AA, _SHIFT)


def crosses(image: np.ndarray, points: np.ndarray, colors: Sequence, radius: int) -> None:
    """Crosses: labels by a person."""
    for point, color in zip(points, colors, strict=True):
        if not np.isfinite(point).all():
            continue
        for thickness, shade in ((3, _BLACK), (1, color)):
            for dx, dy in ((radius, 0), (0, radius)):
                a, b = _at(point - (dx, dy)), _at(point + (dx, dy))
                cv2.line(image, a, b, shade, thickness, cv2.LINE_AA, _SHIFT)


def skeleton(image: np.ndarray, points: np.ndarray, edges: Sequence[tuple[int, int]]) -> None:
    """Lines between bodyparts given by index, where both ends are there."""
    for a, b in edges:
        if np.isfinite(points[[a, b]]).all():
            ends = _at(points[a]), _at(points[b])
            cv2.line(image, *ends, _WHITE, 1, cv2.LINE_AA, _SHIFT)


def star(image: np.ndarray, points: np.ndarray, color: tuple[int, int, int]) -> None:
    """Thin lines from the middle of (points, 2) to each of them: what belongs together."""
    middle = _at(np.median(points, axis=0))
    for point in points:
        cv2.line(image, middle, _at(point), color, 1, cv2.LINE_AA, _SHIFT)


def name(image: np.ndarray, points: np.ndarray, text: str, color: tuple[int, int, int]) -> None:
    """A word above points (n, 2), whose NaN are left out; nothing where there are no others."""
    there = points[np.isfinite(points).all(axis=1)]
    if not len(there):
        return
    size = max(round(min(image.shape[:2]) / 60), 9)
    width, height = round(letters.width(text, size)) + 2, letters.height(size)
    x = int(np.clip(there[:, 0].mean() - width / 2, 2, max(image.shape[1] - width - 2, 2)))
    top = there[:, 1].min() - 2 * height
    y = int(np.clip(top, 2, max(image.shape[0] - height - 2, 2)))
    letters.write(image, (x, y), text, size, color, rim=1)


def trails(image: np.ndarray, history: np.ndarray, colors: Sequence) -> None:
    """Fading lines through (frames, points, 2), oldest first."""
    if len(history) < 2:
        return
    layer = image.copy()
    for i in range(1, len(history)):
        for before, now, color in zip(history[i - 1], history[i], colors, strict=True):
            if np.isfinite(before).all() and np.isfinite(now).all():
                thickness = 1 + (2 * i) // len(history)
                cv2.line(layer, _at(before), _at(now), color, thickness, cv2.LINE_AA, _SHIFT)
    cv2.addWeighted(layer, 0.6, image, 0.4, 0, dst=image)


def close_up(
    image: np.ndarray, points: np.ndarray, *, side: int, least: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """A square part of an image around (points, 2), enlarged to `side`; its corner and factor.

    Args:
      least: pixels that it shows at least, where the image has them.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    wide = min(max(float((high - low).max()) * 1.6, least), min(image.shape[:2]))
    limit = np.array([image.shape[1], image.shape[0]]) - wide
    corner = np.floor(np.clip((low + high) / 2 - wide / 2, 0, limit)).astype(int)
    x, y = corner
    part = image[y : y + int(wide), x : x + int(wide)]
    factor = side / int(wide)
    return cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC), corner, factor


def caption(image: np.ndarray, text: str) -> np.ndarray:
    """The image with a text below it, in as many lines as it takes."""
    margin = min(6, image.shape[1] // 20)
    found = letters.lines(text, max(image.shape[1] - 2 * margin, 1), _CAPTION)
    bar = np.full((_LINE * len(found) + 6, image.shape[1], 3), 24, np.uint8)
    for i, line in enumerate(found):
        letters.write(bar, (margin, 3 + i * _LINE), line, _CAPTION, _WHITE)
    return np.concatenate([image, bar])


def _at(point: np.ndarray) -> tuple[int, int]:
    # Keypoints count from the corner of the first pixel, OpenCV from its centre; it takes 32 bits.
    x, y = np.round((np.clip(point, -_FAR, _FAR) - 0.5) * (1 << _SHIFT)).astype(int)
    return int(x), int(y)
