"""Labeled videos: predictions drawn over the frames they belong to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from upath import UPath

from pipelines.outputs import deeplabcut, detections, film
from pipelines.predict import manifest
from pipelines.review import boxes, draw
from preprocess import videos
from trainer import artefacts
from trainer.config import Config


class Style(NamedTuple):
    """How to draw. `edges` are pairs of bodypart indices."""

    pcutoff: float
    dot_size: int
    trail: int
    edges: tuple[tuple[int, int], ...]


def run(
    config: Config, paths: Sequence[str], progress: Callable[..., Iterable]
) -> tuple[list[UPath], list[tuple[str, str]]]:
    """Renders videos that have predictions. Returns the files, and failures (path, reason).

    Raises:
      FileNotFoundError: there is no model, or a path matches nothing.
    """
    info = artefacts.require(config.model, "train")
    listed = manifest.read(manifest.expand(paths))
    if info["task"] == "crops":
        return _run_crops(config, listed, progress)
    style = _style(config, info)
    done, failures = [], list(listed.failures)
    for name, video in listed.videos:
        stem = f"{config.predictions}/{name}{info['dlc_scorer']}"
        if not artefacts.place(f"{stem}.csv").is_file():
            failures.append((video.path, "has no predictions. Run `beampose predict` first."))
            continue
        table = deeplabcut.read(f"{stem}.csv")
        keypoints, _ = deeplabcut.keypoints(table)
        numbers = table.index.to_numpy()
        if not len(numbers) or numbers[-1] >= video.count:
            why = f"has {video.count} frames, its predictions are of others. Predict it again."
            failures.append((video.path, why))
            continue
        target = artefacts.place(f"{stem}_labeled.mp4")
        frames = progress(labeled_frames(video, keypoints, style, numbers), len(numbers), name)
        # Of one frame in five, the film keeps its speed at a fifth of the rate.
        step = (numbers[-1] - numbers[0]) / max(len(numbers) - 1, 1)
        film.write(target, frames, fps=video.fps / max(step, 1))
        done.append(target)
    return done, failures


def labeled_frames(
    video: videos.Video, keypoints: np.ndarray, style: Style, numbers: np.ndarray
) -> Iterator[np.ndarray]:
    """Frames with dots, skeleton and trails; a frame that cannot be decoded is black.

    Args:
      keypoints: (frames, bodyparts, 3) x, y, likelihood; below `pcutoff` nothing is drawn.
      numbers: (frames,), which frames of the video these are, in order.
    """
    sure = keypoints[..., 2:] >= style.pcutoff
    points = np.where(sure, keypoints[..., :2], np.nan)
    colors = draw.palette(points.shape[1])
    radius = style.dot_size or draw.dot_size(video.height, video.width)
    start, stop = int(numbers[0]), int(numbers[-1]) + 1
    chosen = set(numbers.tolist())
    for i, frame in enumerate(videos.read_ahead(video, start, stop, 16, chosen)):
        if frame.pixels is None:
            yield np.zeros((video.height, video.width, 3), np.uint8)
            continue
        image = frame.pixels.copy()
        if style.trail:
            draw.trails(image, points[max(i - style.trail, 0) : i + 1], colors)
        draw.skeleton(image, points[i], style.edges)
        draw.dots(image, points[i], colors, radius)
        yield image


def _run_crops(
    config: Config, listed: manifest.Manifest, progress: Callable[..., Iterable]
) -> tuple[list[UPath], list[tuple[str, str]]]:
    done, failures = [], list(listed.failures)
    for name, video in listed.videos:
        stem = f"{config.predictions}/{name}_crops"
        if not artefacts.place(f"{stem}.parquet").is_file():
            failures.append((video.path, "has no predictions. Run `beampose predict` first."))
            continue
        part = artefacts.read_json(f"{stem}_megadetector.json")["images"][0]
        numbers = np.array(part["frames_processed"], np.int64)
        if not len(numbers) or numbers[-1] >= video.count:
            why = f"has {video.count} frames, its predictions are of others. Predict it again."
            failures.append((video.path, why))
            continue
        found = detections.read(f"{stem}.parquet")
        frames = boxes.labeled_frames(video, found, config.predict.pcutoff, numbers)
        step = (numbers[-1] - numbers[0]) / max(len(numbers) - 1, 1)
        target = artefacts.place(f"{stem}_labeled.mp4")
        film.write(target, progress(frames, len(numbers), name), fps=video.fps / max(step, 1))
        done.append(target)
    return done, failures


def _style(config: Config, info: dict[str, Any]) -> Style:
    bodyparts = info["bodyparts"]
    edges = tuple((bodyparts.index(a), bodyparts.index(b)) for a, b in info["edges"])
    drawn = edges if config.render.skeleton else ()
    return Style(config.predict.pcutoff, config.render.dot_size, config.render.trail, drawn)
