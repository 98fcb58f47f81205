"""Chooses frames of videos and writes them into a DeepLabCut project, for labeling."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from preprocess import files, images, project, select, videos
from preprocess.sources.deeplabcut import LABELED_DATA
from preprocess.videos import Video
from trainer import artefacts

METHODS = ("uniform", "kmeans", "features")
CLUSTERS = ("kmeans", "core-set")
# Frames looked at a video unless told otherwise: they bound memory and time. A pixel vector takes
# microseconds, a feature vector a thirtieth of a second.
MOST = {"kmeans": 20_000, "features": 1_000}
_AHEAD = 16

Progress = Callable[[Iterable, int, str], Iterable]


class Settings(NamedTuple):
    """How frames are chosen.

    Attributes:
      method: one of `METHODS`.
      cluster: one of `CLUSTERS`; of method features.
      count: frames of each video that the project shall hold, those it has included.
      start, stop: see `select.span`.
      crop: x1, x2, y1, y2, or None for whole frames.
      every: only every so many frames are looked at; 0 = as many as `MOST` allows.
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
    """What came of a video: the folder, the frames written now, and those it had."""

    video: str
    folder: str
    written: list[int]
    had: int
    looked_at: int
    lost: int


# Frames to vectors (n, dims), in order.
Embed = Callable[[Iterable[np.ndarray]], np.ndarray]


class Known(NamedTuple):
    """What the project shows already, for method features: the network, and its vectors."""

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
    taken: dict[str, str] = {}
    for path in paths:
        name = files.stem(path)
        try:
            if taken.setdefault(name, path) != path:
                raise ValueError(
                    f"has the name of {taken[name]}; a project keeps frames by the video's name"
                )
            if not files.exists(path):
                raise ValueError("there is no such file")
            found, vectors = _video(videos.index(path), root, settings, known, progress)
        except (OSError, ValueError) as error:
            failures.append((path, str(error)))
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
        # DeepLabCut's check_labels writes drawings into <video>_labeled.
        if files.is_folder(child) and not files.name(child).endswith("_labeled")
        for image in files.children(child)
        if files.suffix(image) in images.SUFFIXES
    ]


def _video(
    video: Video, root: str, settings: Settings, known: Known | None, progress: Progress
) -> tuple[Extracted, np.ndarray]:
    """Extracts from one video. Also the vectors of what was written, for the next ones."""
    first, last = select.span(video.count, settings.start, settings.stop, video.fps)
    crop = _checked_crop(settings.crop, video)
    folder = files.join(root, LABELED_DATA, files.stem(video.path))
    had = _numbers(folder)
    _check_size(had, crop)
    _enter(root, video, crop, chosen=settings.crop is not None)
    wanted = max(settings.count - len(had), 0)
    rng = np.random.default_rng([settings.seed, video.count, len(had)])
    picked: list[int] = []
    vectors = np.empty((0, 0), np.float32)
    source = _Source(video, crop, settings.method, progress)
    free = [n for n in range(first, last) if n not in had]
    if wanted and settings.method == "uniform":
        picked = [free[i] for i in select.uniform(len(free), wanted, rng)]
    elif wanted:
        every = settings.every or -(-len(free) // MOST[settings.method])
        numbers, vectors = source.vectors(free[::every], known)
        chosen = _choose(vectors, wanted, rng, settings, known)
        picked, vectors = [numbers[i] for i in chosen], vectors[chosen]
    written = [n for n in sorted(picked) if _write(source, n, folder)]
    found = Extracted(video.path, folder, written, len(had), source.looked_at, source.lost)
    return found, vectors


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


class _Source:
    """Frames of a video as they would be written, and how many were looked at or lost."""

    def __init__(
        self,
        video: Video,
        crop: tuple[int, int, int, int],
        method: str,
        progress: Progress,
    ):
        self.video, self._crop, self._method, self._progress = video, crop, method, progress
        self.looked_at = self.lost = 0

    def frame(self, number: int) -> np.ndarray | None:
        found = next(videos.read(self.video, number, number + 1))
        return None if found.pixels is None else self._cropped(found.pixels)

    def vectors(self, numbers: list[int], known: Known | None) -> tuple[list[int], np.ndarray]:
        """Vectors of frames, and the numbers of those that could be decoded."""
        good: list[int] = []

        def frames() -> Iterator[np.ndarray]:
            wanted = set(numbers)
            stop = numbers[-1] + 1
            reading = videos.read_ahead(self.video, numbers[0], stop, _AHEAD)
            name = files.name(self.video.path)
            for frame in self._progress(reading, stop - numbers[0], name):
                if frame.index not in wanted:
                    continue
                self.looked_at += 1
                if frame.pixels is None:
                    self.lost += 1
                    continue
                good.append(frame.index)
                yield self._cropped(frame.pixels)

        if not numbers:
            return [], np.empty((0, 0), np.float32)
        if self._method == "kmeans" or known is None:
            small = [select.thumbnail(frame) for frame in frames()]
            return good, np.stack(small) if small else np.empty((0, 0), np.uint8)
        vectors = known.embed(frames())
        return good, vectors

    def _cropped(self, pixels: np.ndarray) -> np.ndarray:
        x1, x2, y1, y2 = self._crop
        return np.ascontiguousarray(pixels[y1:y2, x1:x2])

    @property
    def count(self) -> int:
        return self.video.count


def _checked_crop(
    crop: tuple[int, int, int, int] | None, video: Video
) -> tuple[int, int, int, int]:
    whole = (0, video.width, 0, video.height)
    if crop is None:
        return whole
    x1, x2, y1, y2 = crop
    if not (0 <= x1 < x2 <= video.width and 0 <= y1 < y2 <= video.height):
        raise ValueError(
            f"--crop {','.join(map(str, crop))} does not fit frames of {video.width}x"
            f"{video.height} (x1,x2,y1,y2)"
        )
    return crop


def _numbers(folder: str) -> dict[int, str]:
    """Frames that a video's folder holds, by their file names, and the files."""
    if not files.is_folder(folder):
        return {}
    found = {}
    for child in files.children(folder):
        stem = files.stem(child)
        if stem.startswith("img") and stem[3:].isdecimal():
            found[int(stem[3:])] = child
    return found


def _check_size(had: dict[int, str], crop: tuple[int, int, int, int]) -> None:
    """Frames of one folder are of one size: labels are pixels of the crop."""
    if not had:
        return
    first = next(iter(had.values()))
    height, width = images.decode(files.read_bytes(first)).shape[:2]
    x1, x2, y1, y2 = crop
    if (width, height) != (x2 - x1, y2 - y1):
        raise ValueError(
            f"has frames of {width}x{height} in the project ({first}), these would be "
            f"{x2 - x1}x{y2 - y1}: give the same --crop"
        )


def _write(source: _Source, number: int, folder: str) -> bool:
    """Writes a frame whole or not at all. False if it cannot be decoded."""
    pixels = source.frame(number)
    if pixels is None:
        source.lost += 1
        return False
    target = artefacts.place(folder, select.frame_name(number, source.count))
    with artefacts.replacing(target) as temporary:
        temporary.write_bytes(images.encode_png(pixels))
    return True


def _enter(root: str, video: Video, crop: tuple[int, int, int, int], *, chosen: bool) -> None:
    """Names the video in the project's config.yaml, where it is not."""
    file = files.join(root, project.CONFIG)
    text = files.read_bytes(file).decode("utf-8")
    known = project.crop_of(text, video.path)
    if chosen and known not in (None, crop):
        raise ValueError(
            f"has another crop in {file}: {', '.join(map(str, known or ()))}. Give that one with "
            "--crop, or change it there"
        )
    try:
        changed = project.add_video(text, files.absolute(video.path), crop)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    if changed != text:
        artefacts.write_text(file, changed)
