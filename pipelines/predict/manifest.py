"""Paths, folders and globs to videos, and videos to ranges of frames."""

import glob
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from preprocess import files, videos
from preprocess.videos import Video


class Range(NamedTuple):
    """Frames `start` to `stop` (not included) of a video, and the folder name of its results."""

    video: Video
    name: str
    start: int
    stop: int


class Manifest(NamedTuple):
    """Videos that can be read, with their names, and failures (path, reason) of the others."""

    videos: list[tuple[str, Video]]
    failures: list[tuple[str, str]]


def expand(paths: Sequence[str]) -> list[str]:
    """Videos that paths, folders and globs mean, each once, in order.

    Raises:
      FileNotFoundError: a glob or a folder without videos.
    """
    found: list[str] = []
    for path in paths:
        if files.is_folder(path):
            inside = [c for c in files.children(path) if files.suffix(c) in videos.SUFFIXES]
            if not inside:
                raise FileNotFoundError(f"{path} holds no video ({', '.join(videos.SUFFIXES)}).")
        elif glob.has_magic(path) and not files.exists(path):
            inside = files.matching(path)
            if not inside:
                raise FileNotFoundError(f"No file matches {path}.")
        else:
            inside = [path]
        found += inside
    return list(dict.fromkeys(files.absolute(path) for path in found))


def read(paths: Sequence[str]) -> Manifest:
    """Indexes videos; a broken one is a failure and the others go on."""
    good, failures = [], []
    stems = Counter(files.stem(path) for path in paths)
    for path in paths:
        try:
            if not files.exists(path):
                raise ValueError(f"No file {path}.")
            video = videos.index(path)
        except ValueError as error:
            failures.append((path, str(error)))
            continue
        name = files.stem(path)
        if stems[name] > 1:
            # Two cameras often name their films alike: each gets a folder of its own.
            code = hashlib.sha256(path.encode()).hexdigest()[:6]
            name = f"{files.name(files.parent(path))}-{code}/{name}"
        good.append((name, video))
    return Manifest(good, failures)


def ranges(name: str, video: Video, chunk: int) -> list[Range]:
    """Cuts a video; one whose timestamps cannot be trusted stays whole."""
    size = chunk if video.times else video.count
    return [
        Range(video, name, start, min(start + size, video.count))
        for start in range(0, video.count, size)
    ]
