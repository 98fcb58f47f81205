"""Images to stored features: decode, resize, backbone, transform. For the Beam job and export."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from beampose.core import storage
from beampose.core.infos import Recipe
from beampose.core.infos.dataset_info import FLOAT32, INT8
from beampose.core.names import LITE
from beampose.trainer import networks
from beampose.trainer.backbone import Backbone, resize
from beampose.trainer.cells import PAIR, STRIDE, grid
from beampose.trainer.lite import calls
from beampose.trainer.traced import traced, traced_once

TRANSFORM = "transform"
# Inputs and outputs of the transform graph that the analysis saves with the store.
CELLS = "cells"
FEATURES = "features"
FRAMES = tf.TensorSpec((None, None, None, 3), tf.uint8)
_FAR = np.float32(1 << 14)
# What the network takes, whole cells wide and high; see `Embedder.resized`.
SCALED = tf.TensorSpec((None, None, None, 3), tf.float32)


def recipe(
    backbone: Backbone, *, scale: float, crop_size: int, pca: int, precision: str = FLOAT32
) -> Recipe:
    """Recipe of a store: all that determines the features of an image, apart from its pixels.

    Raises:
      ValueError: the backbone does not compute so.
    """
    shape: dict[str, Any] = {"crop_size": crop_size}
    if not backbone.pooled:
        shape = {"scale": scale, "stride": STRIDE}
    # Recipes from before there was a choice name no taps, and keep their digests.
    if backbone.taps not in (None, networks.EXPANDED):
        shape["taps"] = backbone.taps
    # Nor a precision.
    if precision != FLOAT32:
        networks.check_whole(backbone.id)
        shape["precision"] = precision
    return Recipe(
        backbone=backbone.id,
        weights_digest=backbone.digest,
        pooled=backbone.pooled,
        channels=backbone.channels,
        pca=pca,
        **shape,
    )


def recipe_id(values: Recipe) -> str:
    """A short name of a recipe, for folders."""
    return f"{values.backbone}-{storage.digest(values.plain())[:12]}"


class Embedder(tf.Module):
    """Source pixels to features, in one graph.

    Args:
      backbone: the frozen network.
      transform: folder of the saved transform graph, None for raw features.
      scale: source pixels are resized by this before the backbone (maps).
      crop_size: crops are resized to this square (pooled).

    Attributes:
      shared: `embed`, one graph for all functions and signatures that call it: each would else
        trace and hold the whole network again. Gradients and other precisions go through `embed`.
      frames: `of_frames`, a graph.
      images: as `frames`, of resized ones, float32.
    """

    def __init__(
        self, backbone: Backbone, transform: str | None, *, scale: float = 1.0, crop_size: int = 224
    ):
        super().__init__()
        self.backbone = backbone
        self.scale = scale
        self.crop_size = crop_size
        self.transform = None if transform is None else _load(transform)
        self.shared = traced_once(self.embed, [SCALED])
        self.frames = traced(self.of_frames, [FRAMES])
        self.images = traced(self.stored, [SCALED])

    def resized(self, frames: tf.Tensor) -> tf.Tensor:
        """Frames (batch, height, width, 3) to what the backbone takes."""
        if self.backbone.pooled:
            return resize(frames, self.crop_size, self.crop_size)
        rows, columns = self.grid(tf.shape(frames)[1], tf.shape(frames)[2])
        return resize(frames, rows * STRIDE, columns * STRIDE)

    def grid(self, height: tf.Tensor, width: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`cells.grid` in the graph."""
        if isinstance(height, int) and isinstance(width, int):
            return grid(height, width, self.scale)  # pyright: ignore[reportReturnType]

        def cells(side):
            pairs = tf.math.ceil(tf.cast(side, tf.float64) * self.scale / (PAIR * STRIDE) - 1e-9)
            return tf.maximum(PAIR * tf.cast(pairs, tf.int32), PAIR)

        return cells(height), cells(width)

    def window(self, frames: tf.Tensor, corner: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
        """A part of what `resized` makes of frames, as `resized` makes it; nothing else is resized.

        Args:
          frames: uint8 (batch, height, width, 3).
          corner: int32 (2,), row and column of the part's first cell, even.
          cells: int32 (2,), its rows and columns, even.

        Returns:
          float32 (batch, 8 rows, 8 columns, 3).
        """
        shape = tf.shape(frames)[1:3]
        whole = tf.stack(self.grid(shape[0], shape[1])) * STRIDE
        # As `tf.image.resize` calls it, from another place; at the frames' own size it copies.
        found = tf.raw_ops.ScaleAndTranslate(
            images=frames,
            size=cells * STRIDE,
            scale=tf.cast(whole, tf.float32) / tf.cast(shape, tf.float32),
            translation=-tf.cast(corner * STRIDE, tf.float32),
            kernel_type="triangle",
            antialias=True,
        )
        return tf.ensure_shape(found, (None, None, None, 3))

    def embed(self, images: tf.Tensor) -> tf.Tensor:
        """Resized images to features (batch, rows, columns, dims), or (batch, dims) if pooled."""
        return self.transformed(self.backbone(images))

    def transformed(self, raw: tf.Tensor) -> tf.Tensor:
        """Features of the backbone to features as they are stored."""
        # A backbone in training may compute in half precision; the transform never does.
        raw = tf.cast(raw, tf.float32)
        if self.transform is None:
            return raw
        shape = tf.shape(raw)
        cells = tf.reshape(raw, (-1, self.backbone.channels))
        features = self.transform.transform_fn({CELLS: cells})[FEATURES]
        dims = features.shape[-1]
        restored = tf.reshape(features, tf.concat([shape[:-1], [dims]], axis=0))
        return tf.ensure_shape(restored, (*[None] * (len(raw.shape) - 1), dims))

    def pixels(self, frames: tf.Tensor) -> tf.Tensor:
        """uint8 frames to what the backbone's network takes, see `Backbone.pixels`."""
        return self.backbone.pixels(self.resized(frames))

    def of_maps(self, maps: Sequence[tf.Tensor]) -> tf.Tensor:
        """What the network says at its taps, run by LiteRT, to features as stored, bfloat16."""
        backbone, found = self.backbone, self.backbone.read(maps)
        affine = None if backbone.pooled else self._affine()
        if affine is None:
            features = self.transformed(backbone.joined(found))
        else:
            matrix, offset = affine
            features = backbone.projected(found, matrix) + offset
        return tf.cast(features, tf.bfloat16)

    def _affine(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The transform as a matrix (channels, dims) and an offset (dims,), if it is that."""
        if self.transform is None:
            return None
        channels = self.backbone.channels
        probe = np.random.default_rng(0).standard_normal((16, channels)).astype(np.float32)
        # Far from 0, so that differences from what 0 gives keep their digits.
        given = np.concatenate([np.zeros((1, channels)), _FAR * np.eye(channels), probe])
        # Outside the graph that is being made.
        with tf.init_scope():
            found = self.transform.transform_fn({CELLS: tf.constant(given, tf.float32)})[FEATURES]
            answers = np.asarray(found)
        offset, matrix = answers[0], (answers[1 : channels + 1] - answers[0]) / _FAR
        said = probe @ matrix + offset
        alike = np.abs(said - answers[channels + 1 :]).max() <= 1e-4 * np.abs(answers).max()
        return (matrix, offset) if alike else None

    def map_specs(self) -> list[tf.TensorSpec]:
        """Of the maps that `of_maps` takes."""
        specs = self.backbone.map_specs()
        return [tf.TensorSpec(s.shape, s.dtype, f"{calls.MAP}{i}") for i, s in enumerate(specs)]

    def stored(self, images: tf.Tensor) -> tf.Tensor:
        """Resized images to features as they are stored, bfloat16."""
        return tf.cast(self.shared(images), tf.bfloat16)

    def of_frames(self, frames: tf.Tensor) -> tf.Tensor:
        """uint8 frames (batch, height, width, 3) to features as they are stored, bfloat16."""
        return self.stored(self.resized(frames))


def of_store(recipe: Recipe, weights: str, store: str) -> Embedder:
    """The embedder that a store's features came from.

    Args:
      recipe: of the store.
      weights: of the backbone, see `beampose.trainer.backbone_weights.load`.
      store: folder.

    Raises:
      ValueError: the store was made with other weights.
    """
    taps = None if recipe.pooled else recipe.taps
    transform = storage.place(store, TRANSFORM)
    file = transform / LITE
    # Stores of before have none of float32.
    lite = file.read_bytes() if recipe.precision == INT8 or file.is_file() else None
    whole = {"quantized" if recipe.precision == INT8 else "lite": lite}
    backbone = Backbone(recipe.backbone, weights, pooled=recipe.pooled, taps=taps, **whole)
    if backbone.digest != recipe.weights_digest:
        raise ValueError(
            f"The store was made with weights {recipe.weights_digest[:12]}, but "
            f"features.weights gives {backbone.digest[:12]}. Run `beampose features` again."
        )
    return Embedder(
        backbone,
        str(transform),
        scale=recipe.scale,
        crop_size=recipe.crop_size,
    )


def decode(data: tf.Tensor) -> tf.Tensor:
    """One JPEG, PNG, GIF or BMP to uint8 (height, width, 3), as `preprocess.images` decodes it."""
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    is_jpeg = tf.equal(tf.strings.substr(data, 0, 2), tf.constant(b"\xff\xd8"))
    return tf.cond(
        is_jpeg,
        # The accurate transform is what Pillow uses: the same pixels in training and serving.
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: pixels,
    )


def exists(folder: str) -> bool:
    return storage.place(folder, "saved_model.pb").is_file()


def _load(folder: str):
    with storage.without_wildcards(folder) as copy:
        return tf.saved_model.load(str(copy))
