"""Frames to a film that every player opens."""

import os
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import numpy as np

from trainer import artefacts

ENCODERS = ("libx264", "mpeg4")


def write(target: artefacts.Address, frames: Iterable[np.ndarray], *, fps: float) -> None:
    """Encodes frames (height, width, 3) of one size as mp4, whole or not at all."""
    with artefacts.replacing(target) as temporary, av.open(str(temporary), "w") as container:
        stream: Any = None
        for image in frames:
            # 4:2:0 video has even sides: an odd last row or column is repeated.
            image = np.pad(image, [(0, side % 2) for side in image.shape[:2]] + [(0, 0)], "edge")
            if stream is None:
                stream = _stream(container, fps, *image.shape[:2])
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(picture))
        if stream is not None:
            container.mux(stream.encode(None))


def _stream(container: Any, fps: float, height: int, width: int) -> Any:
    rate = Fraction(fps or 25).limit_denominator(1001)
    encoder = next(name for name in ENCODERS if name in av.codecs_available)
    stream = container.add_stream(encoder, rate=rate)
    stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
    if encoder == "libx264":
        stream.options = {"crf": "20", "preset": "veryfast"}
        stream.codec_context.thread_count = os.cpu_count() or 1
    return stream
