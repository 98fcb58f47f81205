"""Labeled videos: predictions drawn over the frames they belong to."""

import difflib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from upath import UPath

from beampose.core import artefacts, checksums, files, storage, task_kinds
from beampose.core.infos import ModelInfo
from beampose.core.names import INFO
from beampose.core.settings.experiment import Config, Render
from beampose.core.wording import counted
from beampose.formats import detection_table, megadetector
from beampose.formats.deeplabcut import prediction_tables
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines import manifest
from beampose.pipelines.film_names import Film
from beampose.pipelines.films import drawing, drawn_boxes, film_writer
from beampose.pipelines.results import result_files, result_names
from beampose.pipelines.results.result_files import Found
from beampose.preprocess import videos
from beampose.preprocess.labels import SINGLE

LOG = logging.getLogger(__name__)


class Style(NamedTuple):
    """Drawing style.

    Attributes:
      colors: RGB of every point.
      edges: pairs of points.
      names: of individuals, each with the places of its points; drawn above them.
    """

    pcutoff: float
    colors: list[tuple[int, int, int]]
    dot_size: int = 0
    trail: int = 10
    edges: tuple[tuple[int, int], ...] = ()
    names: tuple[tuple[str, tuple[int, ...]], ...] = ()


def run(
    config: Config,
    paths: Sequence[str],
    progress: Callable[..., Iterable],
    *,
    filtered: bool = False,
) -> tuple[list[UPath], list[tuple[str, str]]]:
    """Renders videos that have predictions. Returns the files, and failures (path, reason).

    Args:
      filtered: draws what `beampose filter` made, as `render.filtered` does.

    Raises:
      FileNotFoundError: a path matches nothing.
      ValueError: the encoder is not there.
    """
    film_writer.encoder(config.render.codec)
    info = artefacts.find_info(storage.place(config.model, INFO), ModelInfo)
    if info and not task_kinds.of_info(info).points:
        if filtered:
            raise ValueError(
                f"The model in {config.model} classifies crops, which `beampose filter` does not "
                "smooth: remove --filtered."
            )
        films = result_names.of_experiment(config, manifest.expand(paths))
        return _each_of_crops(config, films, progress)
    filtered = filtered or config.render.filtered
    return result_files.each(config, paths, lambda one: _video(config, one, progress, filtered))


def _video(config: Config, one: Found, progress: Callable[..., Iterable], filtered: bool) -> UPath:
    if not one.video:
        raise ValueError("is not a video: name the video to draw on")
    video = manifest.index(one.video)
    source = one.table(filtered=filtered)
    table = prediction_tables.read(source)
    chosen = table.indices(config.render.bodyparts)
    if not chosen:
        raise ValueError("has no bodypart to draw: render.bodyparts is empty")
    if not len(table.rows):
        raise ValueError("has no predicted frame: there is nothing to draw")
    result_files.check_frames(one, table, video.count)
    rows = _part(config.render, table.frames, video)
    numbers = table.frames[rows]
    keypoints = table.values[rows][:, chosen].copy()
    offset = result_files.offset(one)
    keypoints[..., :2] += offset
    ending = f"{result_files.FILTERED if filtered else ''}_labeled.mp4"
    target = storage.place(f"{one.stem}{ending}")
    style = _style(config, table, chosen)
    by = mark(config, video, source, numbers, chosen, style, np.asarray(offset).tolist())
    if drawn_before(target, by):
        return target
    frames = progress(labeled_frames(video, keypoints, style, numbers), len(numbers), one.name)
    fps = film_writer.rate(video.fps, numbers)
    film_writer.write(target, frames, fps=fps, codec=config.render.codec, by=by)
    return target


def mark(config: Config, video: videos.Video, source: str, numbers: np.ndarray, *more: Any) -> str:
    """What a drawn film says of what it was drawn from.

    Args:
      source: file of the predictions.
      numbers: (frames,), which frames of the video are drawn.
      more: what else decides its frames.
    """
    codec = film_writer.encoder(config.render.codec)
    which = [len(numbers), int(numbers[0]), int(numbers[-1])]
    predictions = checksums.of_file(source)
    return film_writer.mark(video.fingerprint, predictions, which, codec, pcutoff(config), *more)


def drawn_before(target: storage.Address, by: str) -> bool:
    """Whether a film was drawn from the same already, which is said."""
    if not film_writer.is_marked(target, by):
        return False
    LOG.info("%s was drawn from these predictions already: nothing to do.", target)
    return True


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
    radius = style.dot_size or drawing.dot_on(video.height, video.width, _animals(points, style))
    start, stop = int(numbers[0]), int(numbers[-1]) + 1
    chosen = set(numbers.tolist())
    for i, frame in enumerate(videos.read_ahead(video, start, stop, 16, chosen)):
        if frame.pixels is None:
            yield np.zeros((video.height, video.width, 3), np.uint8)
            continue
        image = frame.pixels.copy()
        if style.trail:
            drawing.trails(image, points[max(i - style.trail, 0) : i + 1], style.colors)
        drawing.skeleton(image, points[i], style.edges)
        drawing.dots(image, points[i], style.colors, radius)
        for name, of_one in style.names:
            drawing.name(image, points[i][list(of_one)], name, style.colors[of_one[0]])
        yield image


def _animals(points: np.ndarray, style: Style) -> np.ndarray:
    """Points (frames, points, 2) by animal, (frames, animals, bodyparts, 2)."""
    if not style.names:
        return points[:, None]
    most = max(len(own) for _, own in style.names)
    found = np.full((len(points), len(style.names), most, 2), np.nan)
    for i, (_, own) in enumerate(style.names):
        found[:, i, : len(own)] = points[:, list(own)]
    return found


def _each_of_crops(
    config: Config, films: Sequence[Film], progress: Callable[..., Iterable]
) -> tuple[list[UPath], list[tuple[str, str]]]:
    done, failures = [], []
    for film in films:
        try:
            if film.problem:
                raise ValueError(film.problem)
            done.append(_crops(config, film, progress))
        except (OSError, ValueError) as error:
            failures.append((film.path, files.why(error)))
    return done, failures


def _crops(config: Config, film: Film, progress: Callable[..., Iterable]) -> UPath:
    video = manifest.index(film.path)
    stem = f"{config.predictions}/{film.name}{result_names.CROPS}"
    if not storage.place(f"{stem}.parquet").is_file():
        raise ValueError("has no predictions. Run `beampose predict` first.")
    part = megadetector.own_part(f"{stem}_megadetector.json")
    numbers = np.array(part["frames_processed"], np.int64)
    if not len(numbers) or numbers[-1] >= video.count:
        raise ValueError(
            f"has {counted(video.count, 'frame')}, its predictions have others. Predict it again."
        )
    numbers = numbers[_part(config.render, numbers, video)]
    target = storage.place(f"{stem}_labeled.mp4")
    by = mark(config, video, f"{stem}.parquet", numbers)
    if drawn_before(target, by):
        return target
    found = detection_table.read(f"{stem}.parquet")
    frames = drawn_boxes.labeled_frames(video, found, pcutoff(config), numbers)
    shown = progress(frames, len(numbers), film.name)
    fps = film_writer.rate(video.fps, numbers)
    film_writer.write(target, shown, fps=fps, codec=config.render.codec, by=by)
    return target


def _part(render: Render, frames: np.ndarray, video: videos.Video) -> slice:
    """Rows between `start` and `stop` seconds.

    Raises:
      ValueError: there are none, or the file tells no times.
    """
    if not render.start and render.stop is None:
        return slice(None)
    if not video.fps and not video.times:
        raise ValueError("has no frame rate: render.start and render.stop cannot be used")
    times = manifest.seconds(video)[frames]
    stop = np.inf if render.stop is None else render.stop
    first, last = np.searchsorted(times, [render.start, stop])
    if first == last:
        raise ValueError(
            f"has no prediction from render.start to render.stop; they end at {times[-1]:.2f} s"
        )
    return slice(int(first), int(last))


def _style(config: Config, table: Table, chosen: list[int]) -> Style:
    """A bodypart, or an individual, has the same colour whichever others are drawn."""
    render, points = config.render, [table.points[i] for i in chosen]
    place = {point: k for k, point in enumerate(points)}
    edges = [
        (place[owner, a], place[owner, b])
        for a, b in (skeleton(config) if render.skeleton else [])
        for owner in table.individuals
        if (owner, a) in place and (owner, b) in place
    ]
    several = table.individuals != [""]
    by_individual = (render.color_by or ("individual" if several else "bodypart")) == "individual"
    every = table.individuals if by_individual else table.bodyparts
    palette = _palette(render.colormap, len(every))
    colors = [palette[every.index(owner if by_individual else part)] for owner, part in points]
    names = []
    for one in table.individuals if several and by_individual else ():
        of_one = tuple(k for k, (owner, _) in enumerate(points) if owner == one)
        names += [(one, of_one)] if of_one and one != SINGLE else []
    return Style(pcutoff(config), colors, render.dot_size, render.trail, tuple(edges), tuple(names))


def pcutoff(config: Config) -> float:
    """Below which nothing is drawn."""
    return config.predict.pcutoff if config.render.pcutoff is None else config.render.pcutoff


def skeleton(config: Config) -> list[list[str]]:
    """Pairs of bodyparts the model knows of; none without a model."""
    info = artefacts.find_info(storage.place(config.model, INFO), ModelInfo)
    return info.edges if info else []


def _palette(colormap: str | None, count: int) -> list[tuple[int, int, int]]:
    if colormap is None:
        return drawing.palette(count)
    import matplotlib

    try:
        found = matplotlib.colormaps[colormap]
    except KeyError:
        close = difflib.get_close_matches(colormap, matplotlib.colormaps, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"render.colormap must be one of matplotlib's. Received: {colormap!r}.{hint}"
        ) from None
    colors = found(np.linspace(0, 1, count))[:, :3]
    return [(int(r), int(g), int(b)) for r, g, b in np.round(255 * colors)]
