"""An embedder whose backbone LiteRT computes: the same features, sooner."""

import numpy as np
import tensorflow as tf

from beampose.trainer.embed import FRAMES, SCALED, Embedder
from beampose.trainer.integers.runner import LiteRunner, runner
from beampose.trainer.traced import traced


class LiteEmbedder:
    """What `Embedder.frames` says, of a backbone in whole numbers.

    Args:
      runner: of the embedder's backbone.
    """

    def __init__(self, embedder: Embedder, runner: LiteRunner):
        self._runner = runner
        self._pixels = traced(embedder.pixels, [FRAMES])
        self._integers = traced(embedder.backbone.pixels, [SCALED])
        specs = embedder.map_specs()
        self._features = traced(lambda *maps: embedder.of_maps(maps), specs)

    def frames(self, frames: np.ndarray) -> tf.Tensor:
        """uint8 (batch, height, width, 3) to bfloat16 features."""
        return self._of_pixels(self._pixels(tf.constant(frames)))

    def images(self, images: np.ndarray) -> tf.Tensor:
        """As `frames`, of resized ones, float32."""
        return self._of_pixels(self._integers(tf.constant(images)))

    def _of_pixels(self, pixels: tf.Tensor) -> tf.Tensor:
        maps = self._runner(pixels.numpy())
        return self._features(*map(tf.constant, maps))


def fastest(embedder: Embedder) -> Embedder | LiteEmbedder:
    """The embedder itself, or LiteRT's where that says the same."""
    integers = embedder.backbone.integers
    found = None if integers is None else runner(integers)
    return embedder if found is None else LiteEmbedder(embedder, found)
