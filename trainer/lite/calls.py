"""Calls of a SavedModel whose backbone LiteRT computes, between two parts of the model's own."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from upath import UPath

from beampose.core.names import DESCRIPTORS, LITE, WINDOW
from beampose.trainer.lite.runner import OTHERWISE, LiteRunner, Unable, is_there, opened

LOG = logging.getLogger(__name__)
# Beside the graph, where SavedModels keep what is not TensorFlow's.
FILE = ("assets.extra", LITE)
# By signature, those of its two parts: frames to what the backbone takes, and its maps to outputs.
PARTS = {
    "frames": ("pixels", "maps"),
    WINDOW: ("window_pixels", "window_maps"),
    DESCRIPTORS: ("pixels", "descriptor_maps"),
}
PIXELS, MAP, SIZE, CORNER = "pixels", "map_", "size", "corner"
# Models, with digests of their files, found by this process to say what TensorFlow says.
_AGREED: set[tuple[str, bytes]] = set()
# How far the two ways may be apart, of what is at most so large as a frame.
_APART, _SIDE = 1e-2, 64


class LiteCalls:
    """Signatures of a model that LiteRT answers.

    Args:
      model: loaded, with the signatures of `PARTS`.
      runner: of its backbone.
    """

    def __init__(self, model: Any, runner: LiteRunner):
        self._signatures, self._runner = model.signatures, runner

    def answers(self, signature: str) -> bool:
        return signature in PARTS and PARTS[signature][0] in self._signatures

    def __call__(
        self, signature: str, frames: tf.Tensor, given: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Outputs of a signature, of uint8 frames (batch, height, width, 3)."""
        before, after = (self._signatures[name] for name in PARTS[signature])
        try:
            maps = self._runner(before(frames=frames, **given)[PIXELS].numpy())
        except Unable:
            return self._signatures[signature](frames=frames, **given)
        more: dict[str, tf.Tensor] = {}
        wanted = after.structured_input_signature[1]
        size = tf.shape(frames)[1:3]
        if SIZE in wanted:
            # Of each image, or of all of a window's frames.
            each = tf.repeat(size[None], tf.shape(frames)[0], axis=0)
            more[SIZE] = size if len(wanted[SIZE].shape) == 1 else each
        if CORNER in wanted:
            more[CORNER] = given[CORNER]
        return after(**{f"{MAP}{i}": tf.constant(one) for i, one in enumerate(maps)}, **more)


def of_model(model: Any, saved_model: UPath) -> LiteCalls | None:
    """LiteRT's part in a model; None if it has none, or LiteRT is not there or answers otherwise.

    Args:
      saved_model: its folder.
    """
    file = saved_model.joinpath(*FILE)
    if PARTS["frames"][0] not in model.signatures or not is_there() or not file.is_file():
        return None
    content = file.read_bytes()
    lite = opened(content)
    if lite is None:
        return None
    found = LiteCalls(model, lite)
    known = (str(saved_model), hashlib.sha256(content).digest())
    if known in _AGREED:
        return found
    rng = np.random.default_rng(0)
    frames = tf.constant(rng.integers(0, 256, (1, _SIDE, _SIDE, 3)).astype(np.uint8))
    expected, answer = model.signatures["frames"](frames=frames), found("frames", frames, {})
    if all(_near(answer[name], value) for name, value in expected.items()):
        _AGREED.add(known)
        return found
    LOG.warning(OTHERWISE)
    return None


def _near(one: tf.Tensor, other: tf.Tensor) -> bool:
    return one.shape == other.shape and np.allclose(one.numpy(), other.numpy(), atol=_APART)
