"""One image of a fixed size to a model's answers, in operations that other runtimes know."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from beampose.core import task_kinds
from beampose.core.infos import ModelInfo
from beampose.core.names import NETWORK
from beampose.trainer import cells, export
from beampose.trainer.traced import traced

# Inputs and outputs of every export.
FRAMES = "frames"


class WholePipeline(NamedTuple):
    """A model that takes images of one size.

    Attributes:
      function: uint8 (1, height, width, 3), RGB, to the outputs of the SavedModel, by name.
      variables: keeps alive what the function reads.
      size: height and width.
      scaled: those that the network sees.
    """

    function: Any
    variables: Any
    size: tuple[int, int]
    scaled: tuple[int, int]


def build(folder: str, info: ModelInfo, size: tuple[int, int]) -> WholePipeline:
    """The model of a folder for images of a size.

    Raises:
      ValueError: the model was exported by a version without the signature that this needs.
    """
    loaded = export.load(folder)
    if NETWORK not in loaded.signatures:  # pyright: ignore[reportAttributeAccessIssue]
        raise ValueError(
            f"The model in {folder} was trained by an older version: run `beampose train` again "
            "(nothing is embedded for it), then export it."
        )
    network = loaded.signatures[NETWORK]  # pyright: ignore[reportAttributeAccessIssue]
    scaled = scaled_size(info, size)

    def whole(frames: tf.Tensor) -> dict[str, tf.Tensor]:
        images = resized(tf.cast(frames, tf.float32), size, scaled)
        more = {"size": tf.constant([size], tf.int32)} if task_kinds.of_info(info).points else {}
        outputs = network(images=images, **more)
        return {name: tf.identity(value, name=name) for name, value in outputs.items()}

    spec = tf.TensorSpec((1, *size, 3), tf.uint8, FRAMES)
    function = traced(whole, [spec]).get_concrete_function()
    return WholePipeline(function, loaded, size, scaled)


def scaled_size(info: ModelInfo, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width to which the network wants an image of this size."""
    if info.recipe.pooled:
        return info.recipe.crop_size, info.recipe.crop_size
    rows, columns = cells.grid(*size, info.recipe.scale)
    return rows * cells.STRIDE, columns * cells.STRIDE


def resized(images: tf.Tensor, size: tuple[int, int], wanted: tuple[int, int]) -> tf.Tensor:
    """`trainer.backbone.resize` of float32 (1, height, width, 3), whose size is known.

    Larger images are interpolated by a plain operation; smaller ones, whose pixels are averaged,
    are products with two matrices.
    """
    if size == wanted:
        return images
    if wanted[0] >= size[0] and wanted[1] >= size[1]:
        return tf.image.resize(images, wanted)
    height, width = size
    rows, columns = (_averaging(a, b) for a, b in zip(size, wanted, strict=True))
    lines = tf.matmul(tf.constant(rows), tf.reshape(images, (height, width * 3)))
    lines = tf.transpose(tf.reshape(lines, (wanted[0], width, 3)), (1, 0, 2))
    found = tf.matmul(tf.constant(columns), tf.reshape(lines, (width, wanted[0] * 3)))
    found = tf.transpose(tf.reshape(found, (wanted[1], wanted[0], 3)), (1, 0, 2))
    return found[None]


def _averaging(length: int, wanted: int) -> np.ndarray:
    """Weights (wanted, length) of the pixels of a line in those of a resized one."""
    identity = np.eye(length, dtype=np.float32)[None, :, :, None]
    # It is a number of the graph that is being built, and is computed at once.
    with tf.init_scope():
        return tf.image.resize(identity, (wanted, length), antialias=True).numpy()[0, :, :, 0]
