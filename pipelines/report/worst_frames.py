"""Worst frames: the labeled images with the largest errors, and pictures of them."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from beampose.core.settings.experiment import Config
from beampose.pipelines.films import drawing, insets
from beampose.preprocess import images
from beampose.trainer import metrics
from beampose.trainer.outcomes import Evaluation, errors
from beampose.trainer.schema import LabelRecord

# Pixels: side of the picture of the worst point, and of the smallest window it shows.
SIDE, WINDOW = 240, 60
# Pixels a crop is wide, so that its caption fits.
CROP_SIDE = 260
# Radius of a dot on the enlarged animal.
_INSET_DOT = 2


def worst(result: Evaluation) -> list[int]:
    """Indices of images, held-out ones first, each split from the largest error down."""
    if result.kind.points:
        found = errors(result)
        size = _badness(result, found.reshape(len(found), -1))
    else:
        labels = np.array([r.label for r in result.records])
        size = 1.0 - result.predicted[np.arange(len(labels)), labels]
    held_out = [r.split == "test" for r in result.records]
    return sorted(range(len(size)), key=lambda i: (not held_out[i], -size[i]))


def _badness(result: Evaluation, distance: np.ndarray) -> np.ndarray:
    """Badness of each image: its largest error; for several animals the mean, misses first."""
    known = np.isfinite(distance).any(axis=1)
    size = np.full(len(distance), -1.0)
    if not result.individuals:
        size[known] = np.nanmax(distance[known], axis=1)
        return size
    size[known] = np.nanmean(distance[known], axis=1)
    labeled = np.stack([np.isfinite(r.keypoints[..., 0]).ravel() for r in result.records])
    return size + 1e4 * (labeled & ~np.isfinite(distance)).sum(axis=1)


def facts(result: Evaluation, i: int) -> dict[str, Any]:
    """Caption of an image: its errors and its worst point, or its class and score."""
    if result.kind.pooled:
        label, scores = result.records[i].label, result.predicted[i]
        predicted = int(scores.argmax())
        return {
            "label": result.names[label],
            "predicted": result.names[predicted],
            "probability": float(scores[predicted]),
            "right": predicted == label,
        }
    distance = errors(result)[i]
    labeled = np.isfinite(_labels(result, i)[..., 0])
    said: dict[str, Any] = {
        "labeled": int(labeled.sum()),
        "missed": int((labeled & np.isnan(distance)).sum()),
        "mean_error_px": float(np.nanmean(distance)) if np.isfinite(distance).any() else None,
    }
    place = _worst_point(distance)
    if place is not None:
        said["worst"] = {
            "individual": result.individuals[place[0]] if result.individuals else "",
            "bodypart": result.names[place[-1]],
            "error_px": float(distance[place]),
            "likelihood": float(result.predicted[i][place][2]),
        }
    return said


def pictures(result: Evaluation, i: int, config: Config) -> dict[str, np.ndarray]:
    """The image with what is true and what was said, `whole`; of pose also the worst point, `near`.

    Empty if the image is gone since it was embedded: the figures stand, the picture is missing.
    """
    record = result.records[i]
    try:
        image = images.load(record.image_uri)[0].copy()
    except (OSError, ValueError):
        return {}
    if result.kind.pooled:
        return {"whole": _crop(image, record, result.predicted[i], result.names)}
    near = _near(image, result, i)
    found = {"whole": _frame(image, result, i, config)}
    return found if near is None else {**found, "near": near}


def _labels(result: Evaluation, i: int) -> np.ndarray:
    keypoints = result.records[i].keypoints
    return keypoints if result.individuals else keypoints[0]


def _worst_point(distance: np.ndarray) -> tuple[int, ...] | None:
    if not np.isfinite(distance).any():
        return None
    return tuple(int(v) for v in np.unravel_index(np.nanargmax(distance), distance.shape))


def _near(image: np.ndarray, result: Evaluation, i: int) -> np.ndarray | None:
    """The worst point enlarged: a line from where it is to where the model has it."""
    place = _worst_point(errors(result)[i])
    if place is None:
        return None
    ends = np.stack([_labels(result, i)[place], result.predicted[i][place][:2]])
    window, corner, factor = drawing.close_up(image, ends, side=SIDE, least=WINDOW)
    ends = (ends - corner) * factor
    rows = len(result.individuals) or len(result.names)
    color = drawing.palette(rows)[place[0] if result.individuals else place[-1]]
    drawing.skeleton(window, ends, [(0, 1)])
    drawing.crosses(window, ends[:1], [color], 9)
    drawing.dots(window, ends[1:], [color], 5)
    return window


def _frame(image: np.ndarray, result: Evaluation, i: int, config: Config) -> np.ndarray:
    record, labels = result.records[i], _labels(result, i)
    height, width = image.shape[:2]
    size = drawing.dot_on(height, width, labels.reshape(1, -1, *labels.shape[-2:]))
    radius = config.render.dot_size or size
    # One colour per bodypart; with several animals one colour per individual.
    colors = drawing.palette(len(labels))
    if result.individuals:
        radius = min(radius, max(radius // 2, 2))
        _join(image, result, i, colors)
        colors = [color for color in colors for _ in result.names]
    found = result.predicted[i].reshape(-1, result.predicted.shape[-1])
    points, sure = found[:, :2], found[:, 2:3] >= config.predict.pcutoff
    truth, plain = labels.reshape(-1, 2), image.copy()

    def draw(canvas: np.ndarray, moved: Callable[[np.ndarray], np.ndarray], size: int) -> None:
        drawing.dots(canvas, moved(np.where(sure, points, np.nan)), colors, size)
        drawing.rings(canvas, moved(np.where(sure, np.nan, points)), colors, size + 1)
        drawing.crosses(canvas, moved(truth), colors, 2 * size)

    draw(image, lambda found: found, radius)
    shown = truth if not result.individuals else labels[_worst_animal(labels, result, i)]
    insets.add(image, plain, shown, lambda canvas, moved: draw(canvas, moved, _INSET_DOT))
    said = facts(result, i)
    text = "no label" if said["mean_error_px"] is None else f"{said['mean_error_px']:.1f} px"
    if result.individuals:
        text += f", {said['missed']} of {said['labeled']} points missed"
    return drawing.caption(image, f"{record.split}: {record.name}  mean error {text}")


def _worst_animal(labels: np.ndarray, result: Evaluation, i: int) -> int:
    """The row of the labeled animal whose points are farthest off, or most of them not found."""
    distance = metrics.distances(labels, result.predicted[i])
    labeled = np.isfinite(labels).all(axis=-1)
    # Not found is as far off as the farthest.
    off = np.where(labeled, np.nan_to_num(distance, nan=np.nanmax(distance, initial=0.0)), 0.0)
    count = labeled.sum(axis=1)
    return int(np.argmax(off.sum(axis=1) / np.maximum(count, 1) + (count > 0)))


def _join(image: np.ndarray, result: Evaluation, i: int, colors: list) -> None:
    """Lines from the middle of each individual to its bodyparts, in its colour."""
    for points, color in zip(result.predicted[i, ..., :2], colors, strict=True):
        known = points[np.isfinite(points).all(axis=1)]
        if len(known) > 1:
            drawing.star(image, known, color)


def _crop(
    image: np.ndarray, record: LabelRecord, scores: np.ndarray, names: list[str]
) -> np.ndarray:
    predicted = int(scores.argmax())
    right = "right" if predicted == record.label else f"WRONG: is {names[record.label]}"
    factor = min(CROP_SIDE / image.shape[1], CROP_SIDE * 1.8 / image.shape[0])
    if factor > 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    wide = np.full((image.shape[0], max(image.shape[1], CROP_SIDE), 3), 24, np.uint8)
    wide[:, : image.shape[1]] = image
    return drawing.caption(wide, f"{names[predicted]} {scores[predicted]:.2f}, {right}")


def fitted(image: np.ndarray, side: int) -> np.ndarray:
    """The image, made smaller if a side is longer than this."""
    factor = side / max(image.shape[:2])
    if factor >= 1:
        return image
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
