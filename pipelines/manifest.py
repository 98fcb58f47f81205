"""Paths, folders, globs and lists to videos, and videos to ranges of frames."""

import glob
import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files, texts
from beampose.core.wording import counted
from beampose.formats import spreadsheets
from beampose.preprocess import images, media_folders, videos
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Video

LOG = logging.getLogger(__name__)
LISTS = (".csv", ".txt")
# Names of a list's first column.
_HEADERS = frozenset(
    (
        "video",
        "videos",
        "film",
        "image",
        "images",
        "filepath",
        "path",
        "file",
        "filename",
        "file_name",
        "name",
        "uri",
    )
)


class Range(NamedTuple):
    """Some frames of a video or images of a set, in order, and the folder name of its results.

    `before` are the chosen frames ahead of them that warm up what finds things in them.
    """

    video: Video | Stills
    name: str
    frames: Sequence[int]
    before: Sequence[int] = ()

    @property
    def start(self) -> int:
        return self.frames[0]

    @property
    def stop(self) -> int:
        """The first frame after the range."""
        return self.frames[-1] + 1


class Sample(NamedTuple):
    """Sampling of a video's frames.

    Attributes:
      every: analyse one frame of this many.
      fps: at most this many frames per second, nearest in time; 0 = all.
      start, stop: seconds from the beginning; None = to the end.
    """

    every: int = 1
    fps: float = 0.0
    start: float = 0.0
    stop: float | None = None


class Manifest(NamedTuple):
    """Videos that can be read, and failures (path, reason) of the others."""

    videos: list[Video]
    failures: list[tuple[str, str]]


def expand(paths: Sequence[str]) -> list[str]:
    """Videos that paths, folders, globs and lists mean, each once, in order.

    What looks like a video in a folder and is not taken is told in the log.

    A list is a csv or text file that names one video a row, in its first column, which a header
    may call so. Relative names count from the list.

    Raises:
      FileNotFoundError: a glob, a folder or a list without videos.
      ValueError: a list that is no text.
    """
    found: list[str] = []
    known = files.sizes([path for path in paths if files.is_address(path)])
    for path in paths:
        if known.get(path) and files.suffix(path) not in LISTS:
            inside = [path]
        elif files.is_folder(path):
            inside, left = media_folders.read(path, media_folders.VIDEOS)
            if not inside:
                but = f" It holds {left}." if left else f" Known are {', '.join(videos.SUFFIXES)}."
                if stills := _stills(path):
                    but = (
                        f" It holds {stills}: make a film of them (ffmpeg -i img%02d.jpg film.mp4)."
                    )
                raise FileNotFoundError(f"{path} holds no video.{but}")
            if left:
                LOG.warning("NOTE %s: %s taken, not %s", path, counted(len(inside), "video"), left)
        elif glob.has_magic(path) and not files.exists(path):
            inside = files.matching(path)
            if not inside:
                raise FileNotFoundError(f"No file matches {path}.")
        elif files.suffix(path) in LISTS and files.exists(path):
            inside = _listed(path)
        else:
            inside = [path]
        found += inside
    return list(dict.fromkeys(files.absolute(path) for path in found))


def index(path: str) -> Video:
    """Counts the frames of a video.

    Raises:
      ValueError: no such file, or none that can be decoded.
    """
    if not files.exists(path):
        raise ValueError(str(files.missing("file", path)))
    return videos.index(path)


def read(paths: Sequence[str]) -> Manifest:
    """Indexes videos; a broken one is a failure and the others continue."""
    good, failures = [], []
    for path in paths:
        try:
            good.append(index(path))
        except ValueError as error:
            failures.append((path, str(error)))
    return Manifest(good, failures)


def chosen(video: Video, sample: Sample) -> Sequence[int]:
    """Numbers of the frames of a video that a sample means, in order.

    Raises:
      ValueError: the sample needs times and the file tells none.
    """
    if sample.fps or sample.start or sample.stop is not None:
        numbers = _timely(video, sample)
    else:
        numbers = range(video.count)
    return numbers[:: sample.every]


def stretches(
    name: str, video: Video, frames: Sequence[int], chunk: int, lead: int = 0
) -> list[tuple[Range, ...]]:
    """Cuts chosen frames into ranges, grouped by who decodes them.

    Ranges are read by decoders of their own; those of a video whose timestamps cannot be trusted
    share one, which begins at the beginning of the file.

    Args:
      frames: numbers in order, at least one.
      lead: number of frames ahead of a range that are decoded for it too.
    """
    # A range covers `chunk` frames of the video, whichever of them are analysed.
    step = max((frames[-1] - frames[0]) // max(len(frames) - 1, 1), 1)
    size = max(chunk // step, 1)
    parts = [
        Range(video, name, frames[i : i + size], frames[max(i - lead, 0) : i])
        for i in range(0, len(frames), size)
    ]
    if not video.sought:
        return [tuple(parts)]
    return [
        (part._replace(video=videos.window(video, (*part.before, part.start)[0], part.stop)),)
        for part in parts
    ]


def _timely(video: Video, sample: Sample) -> Sequence[int]:
    if not video.fps and not video.times:
        raise ValueError(f"{video.path} has no frame rate: choose frames by `predict.every`.")
    times = seconds(video)
    stop = np.inf if sample.stop is None else sample.stop
    first, last = np.searchsorted(times, [sample.start, stop])
    if not sample.fps:
        return range(int(first), int(last))
    inside = times[first:last]
    if not len(inside):
        return range(0)
    ticks = np.arange(inside[0], inside[-1] + 1e-9, 1 / sample.fps)
    after = np.clip(np.searchsorted(inside, ticks), 1, max(len(inside) - 1, 1))
    if len(inside) == 1:
        return (int(first),)
    nearer = np.where(ticks - inside[after - 1] <= inside[after] - ticks, after - 1, after)
    return tuple(int(first + i) for i in np.unique(nearer))


def seconds(video: Video) -> np.ndarray:
    """Time at which each frame is shown in seconds, float64 (frames,), the first at 0."""
    if video.times and video.tick:
        times = np.array(video.times, np.float64) * video.tick
        return times - times[0]
    return np.arange(video.count) / (video.fps or np.nan)


def _stills(folder: str) -> str:
    count = sum(files.suffix(child) in images.SUFFIXES for child in files.children(folder))
    return counted(count, "image") if count else ""


def _listed(path: str) -> list[str]:
    try:
        rows = spreadsheets.read(texts.decode(files.read_bytes(path)), _begins).rows
    except ValueError as error:
        raise ValueError(f"{path} is not a list of videos: {error}.") from None
    found = [row.cells[0].strip() for row in rows if row.cells[0].strip()]
    if found and found[0].lower() in _HEADERS:
        found = found[1:]
    if not found:
        raise FileNotFoundError(f"{path} lists no video.")
    base = files.parent(path)
    return [name if files.is_absolute(name) else files.join(base, name) for name in found]


def _begins(rows: list[list[str]]) -> bool:
    """Returns True if a video or an image stands in the first column."""
    known = (*videos.SUFFIXES, *images.SUFFIXES)
    return any(files.suffix(row[0].strip()) in known for row in rows)
