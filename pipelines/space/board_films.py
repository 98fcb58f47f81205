"""Corners of a board in films of several cameras."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.core.wording import counted
from beampose.pipelines import manifest
from beampose.pipelines.space.boards import Board, Detector
from beampose.preprocess import videos

_WORD = re.compile(r"[^\W_]+$")
Progress = Callable[[Iterable, int, str], Iterable]


class Films(NamedTuple):
    """What films of cameras show.

    Attributes:
      corners: by camera, by instant: numbers and places of the corners.
      sizes: by camera, height and width. videos: by camera, its path.
      pictures: by camera, the frame with most corners and its instant.
    """

    corners: dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]
    sizes: dict[str, tuple[int, int]]
    videos: dict[str, str]
    pictures: dict[str, tuple[int, np.ndarray]]
    instants: int


def named(words: Sequence[str]) -> list[tuple[str, str]]:
    """Cameras and videos of words `NAME=VIDEO` or `VIDEO`, which is called after its file.

    What all files' names have in common is left out: trial-left, trial-right are left and right.

    Raises:
      ValueError: two cameras of one name, or one only.
    """
    given = [word.partition("=") for word in words]
    pairs = [(name, path) if cut else ("", name) for name, cut, path in given]
    bare = _short([files.stem(path) for name, path in pairs if not name])
    found = [(name or bare.pop(0), path) for name, path in pairs]
    names = [name for name, _ in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Two videos are of one camera {twice[0]!r}: write NAME=VIDEO for each.")
    if len(found) < 2:
        raise ValueError("calibrate needs the videos of two cameras at least. Received: one.")
    return found


def read(
    cameras: Sequence[tuple[str, str]],
    board: Board,
    *,
    frames: int,
    offsets: Mapping[str, int],
    progress: Progress,
) -> Films:
    """Finds the board in frames of all cameras at the same instants.

    Args:
      frames: instants that are looked at, spread over the films.
      offsets: by camera, frames it is behind.

    Raises:
      ValueError: a video cannot be read, or there is no common instant; the text names it.
    """
    names = [name for name, _ in cameras]
    if unknown := sorted(set(offsets) - set(names)):
        raise ValueError(f"--offset names {unknown[0]!r}; the cameras are {', '.join(names)}.")
    films = {name: _film(path) for name, path in cameras}
    behind = {name: offsets.get(name, 0) for name in names}
    first = max(-behind[name] for name in names)
    last = min(films[name].count - behind[name] for name in names)
    if last <= first:
        raise ValueError(f"The videos of {', '.join(names)} share no instant. Check --offset.")
    instants = np.unique(np.linspace(first, last - 1, min(frames, last - first)).astype(int))
    detector = Detector(board)
    corners, pictures = {}, {}
    for name, film in films.items():
        corners[name] = {}
        numbers = (instants + behind[name]).tolist()
        shown = progress(videos.read_some(film, numbers), len(numbers), name)
        for frame in shown:
            seen = None if frame.pixels is None else detector.corners(frame.pixels)
            if seen is None:
                continue
            instant = frame.index - behind[name]
            corners[name][instant] = seen
            best = pictures.get(name)
            if best is None or len(seen[0]) > len(corners[name][best[0]][0]):
                pictures[name] = (instant, frame.pixels)
    sizes = {name: (film.height, film.width) for name, film in films.items()}
    paths = {name: film.path for name, film in films.items()}
    return Films(corners, sizes, paths, pictures, len(instants))


def _film(path: str) -> videos.Video:
    found = manifest.expand([path])
    if len(found) != 1:
        raise ValueError(f"{path} holds {counted(len(found), 'video')}: name one of each camera.")
    return manifest.index(found[0])


def _short(stems: list[str]) -> list[str]:
    """Names without what all begin and end with."""
    if len(stems) < 2:
        return stems
    # Words stay whole: of run-cam1 and run-cam2 cam1 and cam2 are left.
    start = len(_WORD.sub("", _common(stems)))
    end = len(_WORD.sub("", _common([one[start:][::-1] for one in stems])))
    short = [one[start : len(one) - end].strip("-_ .") for one in stems]
    # A number alone would be no name that anybody knows again.
    plain = all(one and not one.isdecimal() for one in short)
    return short if plain and len(set(short)) == len(short) else stems


def _common(words: Sequence[str]) -> str:
    first, last = min(words), max(words)
    for i, letter in enumerate(first):
        if i >= len(last) or last[i] != letter:
            return first[:i]
    return first
