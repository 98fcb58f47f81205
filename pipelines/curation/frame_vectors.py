"""One vector an image from the frozen backbone: frames that look alike lie near each other."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from beampose.core import files
from beampose.core.answering import Unanswered
from beampose.preprocess import images
from beampose.trainer.model_calls import few
from beampose.trainer.quiet import import_tensorflow

BATCH = 8
# Half the size embeds three times as many frames a second as the full one and chooses as well:
# docs/labels-quality.md.
SCALE = 0.5


class Embedding:
    """Frames to vectors.

    Args:
      backbone: see `beampose.trainer.networks.BACKBONES`.
      weights: see `beampose.trainer.backbone_weights.load`.
      scale: frames are resized by this first.

    Raises:
      ValueError, FileNotFoundError: there is no such backbone or weights.
    """

    def __init__(self, backbone: str, weights: str, scale: float):
        import_tensorflow()
        from beampose.trainer.backbone import Backbone
        from beampose.trainer.embed import Embedder
        from beampose.trainer.lite import lite_embedder

        network = Backbone(backbone, weights)
        embedder = Embedder(network, None, scale=scale)
        self._model = lite_embedder.fastest(embedder, network.lite_file())

    def __call__(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """At most `BATCH` frames of one size, uint8 (height, width, 3), to float32 (n, dims)."""
        size = few(len(frames), BATCH)
        filled = np.stack([*frames, *[frames[-1]] * (size - len(frames))])
        maps = self._model.frames(filled).numpy()[: len(frames)]  # pyright: ignore
        return maps.astype(np.float32).mean(axis=(1, 2))

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
        except Unanswered:
            raise
        except (OSError, ValueError):
            continue
