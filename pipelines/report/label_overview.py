"""One labels.html of all labeled images, before any training: what is odd comes first."""

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np

from beampose.core import files, storage
from beampose.pipelines.films import drawing, insets
from beampose.pipelines.report import pages
from beampose.preprocess import anatomy, images
from beampose.preprocess.labels import LabeledCrop, LabeledFrame, Labels, Problem

FILE = "labels.html"
# Cards a page: pages beyond the first are inert until they are asked for.
PAGE = 60
# Longest side of a thumbnail by the number of images: some hundred open at once, and the file of
# some thousand stays below 40 MB.
SIDES = ((400, 360), (1500, 280), (10**9, 200))
CROP_SIDE = 180
_MOST_PROBLEMS = 500

Progress = Callable[[Iterable], Iterable]


def write(
    target: storage.Address,
    labels: Labels,
    splits: Sequence[str],
    problems: Sequence[Problem],
    progress: Progress = iter,
) -> None:
    """Writes the sheet, whole or not at all.

    Args:
      problems: those `validate.report` found.
      progress: wraps the images as they are drawn.
    """
    odd = _oddities(labels)
    order = sorted(
        range(len(labels.items)),
        key=lambda i: (-one.score if (one := odd.get(i)) else 0.0, _class_of(labels.items[i]), i),
    )
    side = next(side for most, side in SIDES if len(order) <= most)
    if labels.classes:
        side = min(side, CROP_SIDE)
    wrong = {(p.file, p.row, p.image) for p in problems}

    def card(i: int) -> dict[str, Any] | None:
        found = _card(labels, i, side)
        if found is not None:
            item = labels.items[i]
            found["split"] = splits[i]
            found["odd"] = _words(odd[i], labels.bodyparts) if i in odd else ""
            found["wrong"] = (item.file, item.row, item.name) in wrong
        return found

    readers = images.readers((item.image for item in labels.items), 2)
    with ThreadPoolExecutor(readers) as pool:
        # Drawn in the order of the source: frames of a video are not sought one by one.
        drawn = list(progress(pool.map(card, range(len(order)))))
    cards = [one for i in order if (one := drawn[i])]
    page = pages.render(
        "labels.html",
        title=labels.project or files.name(files.parent(str(target))),
        labels=labels,
        images=len(order),
        splits=Counter(splits),
        videos=len({item.video for item in labels.items}),
        figures=_figures(labels),
        classes=_classes(labels, splits),
        colors=_colors(labels.bodyparts),
        problems=sorted(problems, key=lambda p: (p.level, p.file, p.row))[:_MOST_PROBLEMS],
        more=max(len(problems) - _MOST_PROBLEMS, 0),
        odd=len(odd),
        side=side,
        pages=[cards[start : start + PAGE] for start in range(0, len(cards), PAGE)],
    )
    storage.write_text(target, page)


def _card(labels: Labels, i: int, side: int) -> dict[str, Any] | None:
    item = labels.items[i]
    data = _thumbnail(item, labels, side)
    if data is None:
        return None
    return {
        "data": data,
        "name": item.name,
        "where": f"{files.name(item.file)}:{item.row}" if item.row else "",
        "class": labels.classes[item.label] if isinstance(item, LabeledCrop) else "",
    }


def uri(pixels: np.ndarray, quality: int = 78) -> str:
    """An image as the address of itself."""
    data = base64.b64encode(images.encode_jpeg(pixels, quality)).decode()
    return f"data:image/jpeg;base64,{data}"


def _oddities(labels: Labels) -> dict[int, anatomy.Oddity]:
    """The oddest bodypart of each frame that has one, by the frame's position."""
    frames = [item for item in labels.items if isinstance(item, LabeledFrame)]
    if not frames:
        return {}
    # An animal without any label is not there.
    keypoints = np.concatenate([frame.keypoints for frame in frames])
    owner = np.repeat(np.arange(len(frames)), len(labels.individuals))
    found: dict[int, anatomy.Oddity] = {}
    for i, one in zip(owner.tolist(), anatomy.oddities(keypoints), strict=True):
        if one and (i not in found or one.score > found[i].score):
            found[i] = one
    return found


def _words(odd: anatomy.Oddity, names: Sequence[str]) -> str:
    return (
        f"{names[odd.bodypart]} lies {odd.distance:.0f} px from {names[odd.other]}, "
        f"usually {odd.usual:.0f} px"
    )


def _figures(labels: Labels) -> list[anatomy.Bodypart]:
    frames = [item.keypoints for item in labels.items if isinstance(item, LabeledFrame)]
    if not frames:
        return []
    keypoints = np.concatenate(frames)
    return anatomy.figures(
        keypoints[np.isfinite(keypoints).any(axis=(1, 2))], list(labels.bodyparts)
    )


def _classes(labels: Labels, splits: Sequence[str]) -> list[tuple[str, dict[str, int]]]:
    counts = Counter(
        (labels.classes[item.label], split)
        for item, split in zip(labels.items, splits, strict=True)
        if isinstance(item, LabeledCrop)
    )
    return [
        (name, {split: counts[name, split] for split in ("train", "test")})
        for name in labels.classes
    ]


def _colors(names: Sequence[str]) -> list[tuple[str, str]]:
    """Names and CSS colours."""
    colors = drawing.palette(len(names)) if names else []
    return [(name, f"rgb{color}") for name, color in zip(names, colors, strict=True)]


def _class_of(item: LabeledFrame | LabeledCrop) -> int:
    return item.label if isinstance(item, LabeledCrop) else 0


def _thumbnail(item: LabeledFrame | LabeledCrop, labels: Labels, side: int) -> str | None:
    """None if the image cannot be read: that is one of the problems."""
    try:
        pixels = images.load(item.image, once=True)[0]
    except (OSError, ValueError):
        return None
    height, width = pixels.shape[:2]
    factor = min(side / max(height, width), 2.0)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if isinstance(item, LabeledFrame):
        names = list(labels.bodyparts)
        edges = [(names.index(a), names.index(b)) for a, b in labels.edges]
        animals = item.keypoints * np.array([size[0] / width, size[1] / height])
        colors, plain = drawing.palette(len(names)), small.copy()

        def draw(canvas: np.ndarray, moved: Callable[[np.ndarray], np.ndarray], dot: int) -> None:
            for animal in animals:
                drawing.skeleton(canvas, moved(animal), edges)
                drawing.dots(canvas, moved(animal), colors, dot)

        draw(small, lambda found: found, max(side // 110, 2))
        seen = [one for one in animals if np.isfinite(one).any()]
        if seen:
            insets.add(small, plain, seen[0], lambda canvas, moved: draw(canvas, moved, 3))
    return uri(small)
