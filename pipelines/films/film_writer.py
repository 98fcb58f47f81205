"""Frames to a film that every player opens."""

import os
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import numpy as np

from beampose.core import __version__, storage
from beampose.core.settings.video_settings import CODECS

# Where a film keeps what it was drawn from.
MARK = "comment"
# What `auto` takes, the first that is there.
ENCODERS = ("libx264", "mpeg4")
OPTIONS = {
    "libx264": {"crf": "20", "preset": "veryfast"},
    "libx265": {"crf": "24", "preset": "veryfast", "x265-params": "log-level=none"},
    "libsvtav1": {"crf": "32", "preset": "10"},
    "mpeg4": {"q": "4"},
}


def rate(fps: float, numbers: np.ndarray) -> float:
    """Frames a second of a film of some frames of a video: of one in five it keeps its speed.

    Args:
      fps: of the video.
      numbers: (frames,), which of its frames, one at least.
    """
    step = (numbers[-1] - numbers[0]) / max(len(numbers) - 1, 1)
    return fps / max(step, 1)


def mark(*facts: Any) -> str:
    """What a film says of what it was drawn from, so that it need not be drawn again.

    Args:
      facts: all that decides its frames, as JSON takes it.
    """
    return f"beampose {__version__} {storage.digest(facts)[:32]}"


def is_marked(target: storage.Address, by: str) -> bool:
    """Whether a film is there, whole, and was drawn from what the mark stands for."""
    place = storage.place(target)
    try:
        # Its list of frames stands at the end: a film that was cut off does not open.
        with place.open("rb") as stream, av.open(stream) as container:
            return container.metadata.get(MARK) == by
    except (OSError, av.FFmpegError):
        return False


def write(
    target: storage.Address,
    frames: Iterable[np.ndarray],
    *,
    fps: float,
    codec: str = "auto",
    by: str = "",
) -> None:
    """Encodes frames (height, width, 3) of one size as mp4, whole or not at all.

    Args:
      by: a mark that the film keeps, see `is_marked`.
    """
    with storage.replacing(target) as temporary, av.open(str(temporary), "w") as container:
        container.metadata[MARK] = by
        stream: Any = None
        for image in frames:
            # 4:2:0 video has even sides: an odd last row or column is repeated.
            image = np.pad(image, [(0, side % 2) for side in image.shape[:2]] + [(0, 0)], "edge")
            if stream is None:
                stream = _stream(container, encoder(codec), fps, image.shape)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(picture))
        if stream is not None:
            container.mux(stream.encode(None))


def encoder(codec: str) -> str:
    """The encoder that a setting means here.

    Raises:
      ValueError: this machine's FFmpeg has it not.
    """
    if codec == "auto":
        return next(name for name in ENCODERS if name in av.codecs_available)
    if codec not in av.codecs_available:
        there = ", ".join(name for name in CODECS if name in av.codecs_available)
        raise ValueError(f"render.codec: this machine's FFmpeg has no {codec}. It has {there}.")
    return codec


def _stream(container: Any, name: str, fps: float, shape: tuple[int, ...]) -> Any:
    rate = Fraction(fps or 25).limit_denominator(1001)
    stream = container.add_stream(name, rate=rate, options=dict(OPTIONS[name]))
    stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], "yuv420p"
    if name == "libx264":
        stream.codec_context.thread_count = os.cpu_count() or 1
    if name == "libx265":
        # Players of Apple know HEVC by this name only.
        stream.codec_context.codec_tag = "hvc1"
    return stream
