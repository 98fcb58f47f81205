"""What is looked at of a recording in space: a page, plots, a film in space, films of its views."""

import base64
import io
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from beampose.core import storage, texts
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines import manifest
from beampose.pipelines.films import drawing, film_writer, labeled_films
from beampose.pipelines.report import label_overview, pages, plots
from beampose.pipelines.space import space_plots
from beampose.pipelines.space.recordings import Recording
from beampose.pipelines.space.triangulation import Written
from beampose.preprocess import videos

# Instants whose frames the page shows, and the width of a picture there.
_SHOWN, _WIDTH = 3, 480
# Share of a frame's shorter side below which animals are shown close up, pixels that are shown at
# least, and the radius of a dot there.
_SMALL, _LEAST, _DOT = 0.4, 160, 2
LOG = logging.getLogger(__name__)
Progress = Callable[[Iterable, int, str], Iterable]


def write(done: Written, config: Config) -> list[str]:
    """Writes `<stem>.png`, the animals in space, and `<stem>.html`; returns their paths."""
    found = done.recording
    edges = [(a, b) for a, b in labeled_films.skeleton(config)]
    with plots.styled():
        picture = _png(space_plots.space(found.points, edges))
        shown = [picture, _png(space_plots.over_time(found.points)), _png(_errors(found))]
    storage.write_bytes(f"{done.stem}.png", picture)
    page = pages.render(
        "space.html",
        title=done.stem.rpartition("/")[2],
        info=done.info,
        found=f"{found.points.found.mean():.1%}" if len(found.points) else "0%",
        plots=[f"data:image/png;base64,{base64.b64encode(one).decode()}" for one in shown],
        views=list(_pictures(found)),
        remarks=[texts.printable(remark) for remark in found.remarks],
    )
    storage.write_text(f"{done.stem}.html", page)
    return [f"{done.stem}.png", f"{done.stem}.html"]


def films(done: Written, config: Config, progress: Progress) -> list[str]:
    """Writes `<stem>_space.mp4`, and `<stem>_<view>.mp4` of views that have a video."""
    found, made = done.recording, []
    edges = [(a, b) for a, b in labeled_films.skeleton(config)]
    film = next((manifest.index(one.video) for one in found.views if one.video), None)
    fps = film_writer.rate(film.fps if film else 25.0, found.instants.frames) or 25.0
    frames = space_plots.film(found.points, edges)
    target = f"{done.stem}_space.mp4"
    film_writer.write(
        target, progress(frames, len(found.points), "in space"), fps=fps, codec=config.render.codec
    )
    made.append(target)
    for number, view in enumerate(found.views):
        if not view.video:
            LOG.warning("NOTE: no film of %s: a table was named, not its video.", view.name)
            continue
        target = f"{done.stem}_{_safe(view.name)}.mp4"
        there = np.flatnonzero(found.instants.rows[:, number] >= 0)
        drawn = progress(_overlays(found, number, there), len(there), view.name)
        film_writer.write(target, drawn, fps=fps, codec=config.render.codec)
        made.append(target)
    return made


def overlay(
    found: Recording, number: int, instant: int, pixels: np.ndarray, radius: int | None = None
) -> np.ndarray:
    """A frame of a view with what it saw (rings) and where it should see the points (dots).

    What was left out is a cross. The radius of a dot follows the frame unless it is given.
    """
    image = np.ascontiguousarray(pixels)
    camera = found.rig.cameras[number]
    colors = drawing.palette(len(found.seen.bodyparts))
    radius = radius or drawing.dot_size(*image.shape[:2])
    for animal in range(len(found.seen.individuals)):
        seen = found.seen.pixels[instant, animal, :, number]
        used = found.fit.used[instant, animal, :, number, None]
        drawing.rings(image, np.where(used, seen, np.nan), colors, 2 * radius)
        drawing.crosses(image, np.where(used, np.nan, seen), colors, 2 * radius)
        drawing.dots(image, camera.project(found.fit.places[instant, animal]), colors, radius)
    return image


def _overlays(found: Recording, number: int, there: np.ndarray) -> Iterator[np.ndarray]:
    view = found.views[number]
    film = manifest.index(view.video)
    frames = view.table.frames[found.instants.rows[there, number]]
    _check(film, frames)
    numbers = videos.read_ahead(film, int(frames[0]), int(frames[-1]) + 1, 16, set(frames.tolist()))
    for instant, frame in zip(there, numbers, strict=True):
        if frame.pixels is None:
            yield np.zeros((film.height, film.width, 3), np.uint8)
        else:
            yield overlay(found, number, int(instant), frame.pixels)


def _check(film: videos.Video, frames: np.ndarray) -> None:
    if frames[-1] >= film.count:
        raise ValueError(
            f"{film.path} has {counted(film.count, 'frame')}, its predictions have others. "
            "Predict again."
        )


def _pictures(found: Recording) -> Iterator[dict[str, Any]]:
    """Frames of each view for the page; none of a view whose video is gone."""
    for number, view in enumerate(found.views):
        there = found.instants.rows[:, number] >= 0
        count = np.where(there, found.points.found.sum(axis=(1, 2)), -1)
        parts = np.array_split(np.arange(len(count)), _SHOWN)
        best = [int(part[count[part].argmax()]) for part in parts if len(part)]
        instants = [one for one in best if there[one]]
        try:
            frames = view.table.frames[found.instants.rows[instants, number]]
            film = manifest.index(view.video) if view.video and instants else None
            if film is not None:
                _check(film, frames)
            read = videos.read_some(film, frames.tolist()) if film else []
            shown = [
                _near(found, number, instant, frame.pixels)
                for instant, frame in zip(instants, read, strict=False)
                if frame.pixels is not None
            ]
        except (OSError, ValueError):
            shown = []
        yield {
            "name": view.name,
            "video": view.video,
            "pictures": [label_overview.uri(_small(one)) for one in shown],
        }


def _near(found: Recording, number: int, instant: int, pixels: np.ndarray) -> np.ndarray:
    """A frame with its points; only the part in which the animals are, if they are small in it."""
    points = found.seen.pixels[instant, ..., number, :].reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points) or np.ptp(points, axis=0).max() > _SMALL * min(pixels.shape[:2]):
        return overlay(found, number, instant, pixels)
    image = overlay(found, number, instant, pixels, _DOT)
    return drawing.close_up(image, points, side=_WIDTH, least=_LEAST)[0]


def _small(image: np.ndarray) -> np.ndarray:
    import cv2

    factor = min(1.0, _WIDTH / image.shape[1])
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _errors(found: Recording) -> Any:
    by_view = {
        view.name: np.where(found.fit.used[..., i], found.fit.errors[..., i], np.nan).ravel()
        for i, view in enumerate(found.views)
    }
    return space_plots.errors(by_view)


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    plt.close(figure)
    return stream.getvalue()


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
