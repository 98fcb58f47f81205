"""Films of a still scene into which things come, with the truth about them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

HEIGHT, WIDTH, FPS = 240, 320, 10


class Visit(NamedTuple):
    """A crop (height, width, 3) in the scene in frames first to last, drifting by pixels."""

    crop: np.ndarray
    first: int
    last: int
    x: int
    y: int
    drift: int = 0

    def box(self, frame: int) -> tuple[int, int, int, int]:
        """x, y, width, height in a frame."""
        return (self.x + self.drift * (frame - self.first), self.y, *self.crop.shape[1::-1])


def background(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 90, (height // 8, width // 8, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def frame(number: int, still: np.ndarray, visits: Sequence[Visit]) -> np.ndarray:
    rng = np.random.default_rng(number)
    image = np.clip(still + rng.integers(-2, 3, still.shape), 0, 255).astype(np.uint8)
    for visit in visits:
        if visit.first <= number <= visit.last:
            x, y, width, height = visit.box(number)
            image[y : y + height, x : x + width] = visit.crop
    return image


def film(path: Path, count: int, visits: Sequence[Visit], still: np.ndarray | None = None) -> str:
    """Writes an mp4 of FPS frames a second; returns its path."""
    still = background() if still is None else still
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"crf": "18", "preset": "ultrafast"})
        stream.height, stream.width = still.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 12
        for i in range(count):
            picture = av.VideoFrame.from_ndarray(frame(i, still, visits), format="rgb24")
            picture.pts, picture.time_base = i, Fraction(1, FPS)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return str(path)
