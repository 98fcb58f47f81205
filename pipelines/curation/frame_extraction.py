"""Chooses frames of videos and writes them into a DeepLabCut project, for labeling."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.formats.deeplabcut import label_folders
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines import film_names
from beampose.pipelines.curation import chosen_frames, frame_files
from beampose.pipelines.curation.frame_files import Embed, Progress
from beampose.pipelines.curation.project_films import ProjectFilms
from beampose.pipelines.film_names import Film
from beampose.preprocess import images, select, videos

METHODS = ("uniform", "kmeans", "features")
CLUSTERS = ("kmeans", "core-set")
# Frames considered in a video by default: they bound memory and time. A pixel vector takes
# microseconds, a feature vector a thirtieth of a second.
MOST = {"kmeans": 20_000, "features": 1_000}


class Settings(NamedTuple):
    """Settings for choosing frames.

    Attributes:
      method: one of `METHODS`.
      cluster: one of `CLUSTERS`; of method features.
      count: frames of each video that the project shall hold, those it has included.
      start, stop: see `select.span`.
      crop: x1, x2, y1, y2, or None for whole frames.
      every: step between the frames considered; 0 = as many as `MOST` allows.
      seed: of all that is drawn.
    """

    method: str = "kmeans"
    cluster: str = "core-set"
    count: int = 20
    start: float = 0.0
    stop: float | None = None
    crop: tuple[int, int, int, int] | None = None
    every: int = 0
    seed: int = 0

    def check(self) -> None:
        """Raises ValueError if a value is out of range."""
        if self.method not in METHODS or self.cluster not in CLUSTERS:
            raise ValueError(f"no such method: {self.method}, {self.cluster}.")
        if self.count < 1:
            raise ValueError(f"--count must be 1 or more. Received: {self.count}.")
        if self.every < 0:
            raise ValueError(f"--every must be 0 or more. Received: {self.every}.")
        if self.seed < 0:
            raise ValueError(f"--seed must be 0 or more. Received: {self.seed}.")
        select.check_part(self.start, self.stop)


class Extracted(NamedTuple):
    """Result for a video: the folder, the frames written now, and those it had."""

    video: str
    folder: str
    written: list[int]
    had: int
    looked_at: int
    lost: int


class Known(NamedTuple):
    """Images the project has already, for method features: the network, and their vectors."""

    embed: Embed
    labeled: np.ndarray


def run(
    paths: Sequence[str],
    root: str,
    settings: Settings,
    known: Known | None = None,
    progress: Progress = lambda items, total, what: items,
) -> tuple[list[Extracted], list[tuple[str, str]]]:
    """Extracts frames of every video; a video that cannot be used is a failure (path, reason).

    Args:
      root: the project's folder, which has a config.yaml.
      known: needed by method features; what is extracted from one video counts as known to the
        next.
    """
    settings.check()
    done, failures = [], []
    for film in film_names.assign(paths, ProjectFilms(root)):
        try:
            if not film.fingerprint and not files.exists(film.path):
                raise ValueError("there is no such file")
            found, vectors = _video(film, root, settings, known, progress)
        except (OSError, ValueError) as error:
            failures.append((film.path, files.why(error)))
            continue
        if known is not None and len(vectors):
            shown = [known.labeled, vectors] if len(known.labeled) else [vectors]
            known = known._replace(labeled=np.concatenate(shown))
        done.append(found)
    return done, failures


def shown(root: str) -> list[str]:
    """Images of a project, labeled or waiting to be."""
    folder = files.join(root, LABELED_DATA)
    if not files.is_folder(folder):
        return []
    return [
        image
        for child in files.children(folder)
        if files.is_folder(child) and not label_folders.is_of_drawings(child)
        for image in files.children(child)
        if files.suffix(image) in images.SUFFIXES
    ]


def _video(
    film: Film, root: str, settings: Settings, known: Known | None, progress: Progress
) -> tuple[Extracted, np.ndarray]:
    """Extracts from one video. Also the vectors of what was written, for the next ones."""
    video = videos.index(film.path)
    first, last = select.span(video.count, settings.start, settings.stop, video.fps)
    crop = frame_files.checked_crop(settings.crop, video)
    folder = files.join(root, LABELED_DATA, film.name)
    had = frame_files.numbers(folder)
    frame_files.check_size(had, crop)
    frame_files.enter(root, film, crop, chosen=settings.crop is not None)
    source = frame_files.Source(video, crop, progress)
    asked = [*settings, video.fingerprint]
    rest = chosen_frames.rest(folder, asked, had)
    if rest is None:
        free = [n for n in range(first, last) if n not in had]
        picked, vectors = _pick(source, free, len(had), settings, known)
        if picked:
            chosen_frames.remember(folder, asked, picked)
    else:
        embed = known.embed if known and settings.method == "features" else None
        picked, vectors = source.vectors(rest, embed) if embed else (rest, _NO_VECTORS)
    written = [n for n in sorted(picked) if frame_files.write(source, n, folder)]
    chosen_frames.forget(folder)
    found = Extracted(video.path, folder, written, len(had), source.looked_at, source.lost)
    return found, vectors


def _pick(
    source: frame_files.Source,
    free: list[int],
    had: int,
    settings: Settings,
    known: Known | None,
) -> tuple[list[int], np.ndarray]:
    """Chooses among frames that the project does not have. Also the vectors of those chosen.

    Args:
      had: number of frames that it has.
    """
    wanted = max(settings.count - had, 0)
    rng = np.random.default_rng([settings.seed, source.count, had])
    if not (wanted and free):
        return [], _NO_VECTORS
    if settings.method == "uniform":
        return [free[i] for i in select.uniform(len(free), wanted, rng)], _NO_VECTORS
    every = settings.every or -(-len(free) // MOST[settings.method])
    embed = known.embed if known and settings.method == "features" else None
    numbers, vectors = source.vectors(free[::every], embed)
    chosen = _choose(vectors, wanted, rng, settings, known)
    return [numbers[i] for i in chosen], vectors[chosen]


_NO_VECTORS = np.empty((0, 0), np.float32)


def _choose(
    vectors: np.ndarray,
    count: int,
    rng: np.random.Generator,
    settings: Settings,
    known: Known | None,
) -> list[int]:
    if settings.method == "kmeans" or known is None:
        return select.by_kmeans(vectors, count, rng)
    labeled = known.labeled if len(known.labeled) else np.empty((0, vectors.shape[1]))
    scaled, seen = select.standardised(vectors, labeled)
    fresh = np.flatnonzero(select.unseen(scaled, seen, rng))
    if settings.cluster == "core-set":
        found = select.by_core_set(scaled[fresh], count, rng, labeled=seen)
    else:
        found = select.by_kmeans(scaled[fresh], count, rng, central=True)
    return [int(fresh[i]) for i in found]
