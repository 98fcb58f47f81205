"""Stretches of a video with hits, and the frames and films that are kept of them."""

import re
from collections.abc import Sequence

import numpy as np
from upath import UPath

from beampose.core import storage
from beampose.pipelines.films import film_writer
from beampose.preprocess import images, videos
from beampose.preprocess.videos import Video


def stretches(
    hits: np.ndarray, times: np.ndarray, *, gap: float, buffer: float, shortest: float
) -> list[tuple[int, int]]:
    """First and last frame of each clip.

    Args:
      hits: numbers of frames with a hit, in order.
      times: float64 (frames,), seconds of every frame of the video.
      gap: seconds between hits that are one clip, at most.
      buffer: seconds before and after the hits.
      shortest: clips of fewer seconds are dropped.
    """
    hits = np.unique(hits)
    if not len(hits):
        return []
    breaks = np.flatnonzero(np.diff(times[hits]) > gap) + 1
    found: list[tuple[int, int]] = []
    for group in np.split(hits, breaks):
        low = np.searchsorted(times, times[group[0]] - buffer - 1e-9)
        high = np.searchsorted(times, times[group[-1]] + buffer + 1e-9, side="right") - 1
        first = int(low)
        if found and first <= found[-1][1]:
            first = found.pop()[0]
        found.append((first, int(high)))
    # The length counts from the first to the last frame, with the last frame's own duration.
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return [(a, b) for a, b in found if times[b] - times[a] + step >= shortest - 1e-9]


def clear(folder: UPath) -> None:
    """Takes away what an earlier prediction kept: frames and clips, by the form of their names."""
    for pattern, form in (("*.jpg", r"\d+\.jpg"), ("*.mp4", r".+_\d+-\d+\.mp4")):
        for file in folder.glob(pattern):
            if re.fullmatch(form, file.name):
                file.unlink()


def write_clips(
    folder: UPath, name: str, video: Video, clips: Sequence[tuple[int, int]]
) -> list[str]:
    """Writes `<name>_<first frame>-<last frame>.mp4` for each clip. Returns their names.

    Encoded again: a copied stream could only begin at a key frame.
    """
    written = []
    for first, last in clips:
        file = f"{name}_{first}-{last}.mp4"
        frames = (
            np.zeros((video.height, video.width, 3), np.uint8) if f.pixels is None else f.pixels
            for f in videos.read(video, first, last + 1)
        )
        film_writer.write(storage.place(folder, file), frames, fps=video.fps)
        written.append(file)
    return written


def write_frames(folder: UPath, video: Video, numbers: Sequence[int]) -> int:
    """Writes frames as DeepMeerkat does, `<number from 1>.jpg`. Returns how many."""
    count = 0
    if not len(numbers):
        return count
    wanted = set(numbers)
    for frame in videos.read(video, min(wanted), max(wanted) + 1, wanted):
        if frame.pixels is not None:
            file = storage.place(folder, f"{frame.index + 1}.jpg")
            storage.write_bytes(file, images.encode_jpeg(frame.pixels, quality=95))
            count += 1
    return count
