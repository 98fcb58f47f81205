"""All places a model of several animals found in a video, drawn over its frames."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from upath import UPath

from beampose.core import artefacts, storage
from beampose.core.infos import ModelInfo
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.formats import individuals_file
from beampose.formats.individuals_file import Individuals
from beampose.pipelines import manifest
from beampose.pipelines.films import drawing, film_writer, labeled_films
from beampose.pipelines.tracking import predicted_videos
from beampose.preprocess import videos

ENDING = "_full.mp4"


def run(
    config: Config, paths: Sequence[str], progress: Callable[..., Iterable]
) -> tuple[list[UPath], list[tuple[str, str]]]:
    """Renders videos, `<stem>_full.mp4`. Returns the files, and failures (path, reason).

    Raises:
      FileNotFoundError: there is no model, or a path matches nothing.
      ValueError: the model finds one animal, or the encoder is not there.
    """
    film_writer.encoder(config.render.codec)
    return predicted_videos.each(
        config,
        paths,
        lambda video: _video(config, video, progress),
        instead="All that it finds is drawn without --detections.",
    )


def _video(config: Config, one: predicted_videos.Video, progress: Callable[..., Iterable]) -> UPath:
    video = manifest.index(one.path)
    info = artefacts.require(config.model, ModelInfo)
    least = info.assembly.min_likelihood if info.assembly else 0.0
    target = storage.place(f"{one.stem}{ENDING}")
    with individuals_file.read(one.stem) as found:
        if found.head.frames != video.count or not found.count:
            raise ValueError(
                f"has {counted(video.count, 'frame')}, its predictions have others. Predict again."
            )
        numbers = found.whole("frames")
        source = f"{one.stem}{individuals_file.ENDING}"
        by = labeled_films.mark(config, video, source, numbers, least, config.render.dot_size)
        if labeled_films.drawn_before(target, by):
            return target
        frames = _frames(config, video, found, least)
        shown = progress(frames, len(numbers), one.name)
        fps = film_writer.rate(video.fps, numbers)
        film_writer.write(target, shown, fps=fps, codec=config.render.codec, by=by)
    return target


def _frames(
    config: Config, video: videos.Video, found: Individuals, least: float
) -> Iterator[np.ndarray]:
    """Dots where the model is sure, rings where it is not; a colour for each bodypart."""
    render = config.render
    pcutoff = labeled_films.pcutoff(config)
    radius = render.dot_size or drawing.dot_size(video.height, video.width)
    numbers = found.whole("frames")
    peaks = (one for piece in found.each("peaks") for one in piece["peaks"])
    first, last = int(numbers[0]), int(numbers[-1]) + 1
    for frame in videos.read_ahead(video, first, last, 16, set(numbers.tolist())):
        one = next(peaks)
        if frame.pixels is None:
            yield np.zeros((video.height, video.width, 3), np.uint8)
            continue
        image = frame.pixels.copy()
        colors = [color for color in drawing.palette(len(one)) for _ in range(one.shape[1])]
        points, likelihood = one[..., :2].reshape(-1, 2), one[..., 2].ravel()
        unsure = (likelihood >= least) & (likelihood < pcutoff)
        drawing.rings(image, np.where(unsure[:, None], points, np.nan), colors, radius)
        sure = (likelihood >= least) & (likelihood >= pcutoff)
        drawing.dots(image, np.where(sure[:, None], points, np.nan), colors, radius)
        yield image
