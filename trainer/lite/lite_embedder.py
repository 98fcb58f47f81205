"""An embedder whose backbone LiteRT computes: the same features, sooner."""

import logging
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from beampose.trainer.backbone import Backbone
from beampose.trainer.embed import FRAMES, SCALED, Embedder
from beampose.trainer.lite.runner import OTHERWISE, LiteRunner, Unable, is_there, opened
from beampose.trainer.traced import traced

LOG = logging.getLogger(__name__)
# Side of the picture by which LiteRT is held against TensorFlow; no multiple of its tiles.
_SIDE = 72
# Of the largest value of a map: float32 differs by the order in which sums are made.
_ROUNDING = 1e-3


class LiteEmbedder:
    """What `Embedder.frames` says.

    Args:
      runner: of the embedder's backbone.
    """

    def __init__(self, embedder: Embedder, runner: LiteRunner):
        self._runner, self._embedder = runner, embedder
        self._pixels = traced(embedder.pixels, [FRAMES])
        self._given = traced(embedder.backbone.pixels, [SCALED])
        specs = embedder.map_specs()
        self._features = traced(lambda *maps: embedder.of_maps(maps), specs)

    def frames(self, frames: np.ndarray) -> tf.Tensor:
        """uint8 (batch, height, width, 3) to bfloat16 features."""
        return self._embedded(frames, self._pixels, self._embedder.frames)

    def images(self, images: np.ndarray) -> tf.Tensor:
        """As `frames`, of resized ones, float32."""
        return self._embedded(images, self._given, self._embedder.images)

    def _embedded(self, images: np.ndarray, pixels: Callable, otherwise: Callable) -> tf.Tensor:
        try:
            maps = self._runner(pixels(tf.constant(images)).numpy())
        except Unable:
            return otherwise(images)
        return self._features(*map(tf.constant, maps))


def fastest(embedder: Embedder, lite: bytes | None = None) -> Embedder | LiteEmbedder:
    """The embedder itself, or LiteRT's where that is there and says the same.

    Its kernels differ between processors; those of XNNPACK do not differ from ours in whole
    numbers, and in float32 by rounding.

    Args:
      lite: the backbone's LiteRT file, if the backbone does not have it.
    """
    backbone = embedder.backbone
    lite = lite or backbone.lite
    found = opened(lite) if lite is not None and is_there() else None
    if found is None:
        return embedder
    if agrees(found, backbone):
        return LiteEmbedder(embedder, found)
    LOG.warning(OTHERWISE)
    return embedder


def agrees(runner: LiteRunner, backbone: Backbone) -> bool:
    """Whether LiteRT says what TensorFlow says, of a picture of noise."""
    noise = np.random.default_rng(0).uniform(0, 255, (1, _SIDE, _SIDE, 3)).astype(np.float32)
    pixels = backbone.pixels(tf.constant(noise))
    expected = [one.numpy() for one in backbone.maps(pixels)]
    found = [one.numpy() for one in backbone.read([*map(tf.constant, runner(pixels.numpy()))])]
    if [one.shape for one in found] != [one.shape for one in expected]:
        return False
    apart = _ROUNDING if backbone.integers is None else 0.0
    return all(
        np.abs(a - b).max() <= apart * np.abs(b).max() for a, b in zip(found, expected, strict=True)
    )
