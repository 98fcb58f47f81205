"""One vector an image from the frozen backbone: frames that look alike lie near each other."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from beampose.core import files
from beampose.preprocess import images
from beampose.trainer.quiet import import_tensorflow

BATCH = 8
# Half the size embeds three times as many frames a second as the full one and chooses as well:
# docs/labels-quality.md.
SCALE = 0.5


class Embedding:
    """Frames to vectors, in fixed batches.

    Args:
      backbone: see `beampose.trainer.networks.BACKBONES`.
      weights: see `beampose.trainer.backbone_weights.load`.
      scale: frames are resized by this first.

    Raises:
      ValueError, FileNotFoundError: there is no such backbone or weights.
    """

    def __init__(self, backbone: str, weights: str, scale: float):
        import_tensorflow()
        import tensorflow as tf

        from beampose.trainer.backbone import Backbone
        from beampose.trainer.embed import Embedder
        from beampose.trainer.traced import traced

        self._embedder = Embedder(Backbone(backbone, weights), None, scale=scale)
        spec = tf.TensorSpec((BATCH, None, None, 3), tf.uint8)  # pyright: ignore[reportArgumentType]
        self._graph = traced(self._vectors, [spec])

    def __call__(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """At most `BATCH` frames of one size, uint8 (height, width, 3), to float32 (n, dims)."""
        filled = np.stack([*frames, *[frames[-1]] * (BATCH - len(frames))])
        return self._graph(filled).numpy()[: len(frames)]

    def _vectors(self, frames: Any) -> Any:
        import tensorflow as tf

        maps = self._embedder.embed(self._embedder.resized(frames))
        return tf.reduce_mean(maps, axis=(1, 2))

    def all(self, frames: Iterable[np.ndarray]) -> np.ndarray:
        """Vectors (n, dims) of frames of any size, in their order; a batch is held at a time."""
        found = [self(batch) for batch in batches(frames)]
        return np.concatenate(found) if found else np.empty((0, 0), np.float32)


def batches(frames: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Neighbours of one size, `BATCH` at a time."""
    batch: list[np.ndarray] = []
    for frame in frames:
        if batch and (len(batch) == BATCH or batch[0].shape != frame.shape):
            yield batch
            batch = []
        batch.append(frame)
    if batch:
        yield batch


def read(paths: Iterable[str]) -> Iterator[np.ndarray]:
    """Pixels of image files; those that cannot be read are left out."""
    for path in paths:
        try:
            yield images.decode(files.read_bytes(path))
        except (OSError, ValueError):
            continue
