"""What exported models have in common: image in, answers out, as modules of TensorFlow."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from beampose.core.names import NETWORK, WINDOW
from beampose.trainer import embed
from beampose.trainer.embed import FRAMES, SCALED
from beampose.trainer.lite import calls
from beampose.trainer.tasks.contract import Tensors
from beampose.trainer.traced import traced, traced_once

# Output by which images of one animal, or crops, are compared.
EMBEDDING = "embedding"
BYTES = tf.TensorSpec((None,), tf.string)
PAIR = tf.TensorSpec((2,), tf.int32)
# Width and height of a cell, or x and y of a corner, of each image.
PLACES = tf.TensorSpec((None, 2), tf.float32)
# Height and width of each image.
SIZES = tf.TensorSpec((None, 2), tf.int32, "size")


class Exported(tf.Module):
    """An embedder and heads behind it; a `contract.ExportedModel` as far as it is the same for all.

    Attributes:
      tolerances: by how much outputs may differ after a reload, in pixels or probability; outputs
        that are not named are not compared number by number.
    """

    tolerances: ClassVar[Mapping[str, float]]

    def __init__(self, embedder: embed.Embedder, heads: Sequence[keras.Model]):
        super().__init__()
        self.embedder = embedder
        self.heads = list(heads)

    def legacy(self) -> Callable | None:
        return None

    def parts(
        self,
        name: str,
        pixels: Callable,
        taken: Sequence[tf.TensorSpec],
        answers: Callable,
        more: Sequence[tf.TensorSpec] = (),
    ) -> dict[str, Callable]:
        """Signature `name` in two parts, between which LiteRT may stand.

        Args:
          pixels: the inputs of `taken` to what the backbone takes.
          answers: the backbone's maps, and the inputs of `more`, to the outputs.
        """
        maps = self.embedder.map_specs()
        before, after = calls.PARTS[name]

        def given(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            return {calls.PIXELS: pixels(*inputs)}

        return {
            before: traced(given, list(taken)),
            after: traced(answers, [*maps, *more]),
        }

    def calls(self, frames: tf.Tensor, encoded: tf.Tensor) -> dict[str, Tensors]:
        return {"frames": {"frames": frames}, "serving_default": {"image_bytes": encoded}}

    def check(self, answer: Tensors, expected: Tensors, who: str) -> None:
        for output in self.tolerances.keys() & expected.keys():
            worst, tolerance = difference(answer[output], expected[output]), self.tolerances[output]
            if not worst <= tolerance:
                raise RuntimeError(
                    f"{who} answers {output} with a difference of {worst:g} from the trained one, "
                    f"above {tolerance:g}."
                )


class MapModel(Exported):
    """One whose heads read feature maps; the cells of a map are pixels of an image of any size.

    Signature `window` looks at a part of each frame alone.
    """

    def __init__(self, embedder: embed.Embedder, heads: Sequence[keras.Model]):
        super().__init__(embedder, heads)
        features = tf.TensorSpec((None, None, None, self.dims), tf.float32)
        # One graph for all signatures, and not one for each shape and type that they have.
        self._answered = traced_once(self.answer, [features, PLACES, PLACES])

    @property
    def dims(self) -> int:
        """Channels of the features."""
        return self.heads[0].input_shape[-1]

    def answered(self, features: tf.Tensor, cell: tf.Tensor, origin: tf.Tensor) -> Tensors:
        """As `answer`, by the graph that signatures share; features of any type."""
        return self._answered(tf.cast(features, tf.float32), cell, origin)

    @abstractmethod
    def answer(self, features: tf.Tensor, cell: tf.Tensor, origin: tf.Tensor) -> Tensors:
        """Outputs of features (batch, rows, columns, dims).

        Args:
          cell: (batch, 2), width and height of a cell in source pixels.
          origin: (batch, 2), x and y of the corner of the first cell.
        """

    def answer_in_full(self, features: tf.Tensor, cell: tf.Tensor, origin: tf.Tensor) -> Tensors:
        """As `answer`, with whatever else is known of what was found: of signature `window`."""
        return self.answered(features, cell, origin)

    def features(self, features: tf.Tensor, size: tf.Tensor) -> Tensors:
        """Stored features (batch, rows, columns, dims), and height and width of each image."""
        sides = cell(features, size)
        return self.answered(features, sides, tf.zeros_like(sides))

    def window(self, frames: tf.Tensor, corner: tf.Tensor, cells: tf.Tensor) -> Tensors:
        """What is found in a part of each frame, in pixels of the whole frame.

        Args:
          frames: uint8 (batch, height, width, 3), RGB, whole.
          corner, cells: int32 (2,) each, see `embed.Embedder.window`.
        """
        images = self.embedder.window(frames, corner, cells)
        features = self.embedder.stored(images)
        return self._of_window(features, tf.shape(frames)[1:3], corner)

    @abstractmethod
    def outputs(self) -> dict[str, tf.TensorSpec]:
        """Specs of the outputs for one image."""

    def frames(self, frames: tf.Tensor) -> Tensors:
        """uint8 frames (batch, height, width, 3), RGB."""
        return self.features(self.embedder.of_frames(frames), sizes(frames))

    def scaled(self, images: tf.Tensor, size: tf.Tensor) -> Tensors:
        """Images that are resized already, and height and width that they had (batch, 2).

        For runtimes that resize by themselves and know no bfloat16.
        """
        return self.features(self.embedder.shared(images), size)

    def serve(self, image_bytes: tf.Tensor) -> Tensors:
        """Encoded JPEG, PNG or BMP images (batch,), of one size or several."""

        def one(data):
            return {k: v[0] for k, v in self.frames(embed.decode(data)[None]).items()}

        # One at a time, since images of a batch may differ in size.
        return tf.map_fn(one, image_bytes, fn_output_signature=self.outputs())

    def signatures(self) -> dict[str, Callable]:
        maps = tf.TensorSpec((None, None, None, self.dims), tf.bfloat16, "features")
        whole, corner, cells = (
            tf.TensorSpec(PAIR.shape, PAIR.dtype, n) for n in ("size", "corner", "cells")
        )
        taken = [frames_spec(), corner, cells]
        parts = self.parts(
            WINDOW, self._window_pixels, taken, self._of_window_maps, [whole, corner]
        )
        return {
            "serving_default": signature(self.serve, image_bytes=BYTES),
            "frames": signature(self.frames, frames=FRAMES),
            "features": traced(self.features, [maps, SIZES]),
            NETWORK: signature(self.scaled, images=SCALED, size=SIZES),
            **self.parts("frames", self.embedder.pixels, [frames_spec()], self.of_maps, [SIZES]),
            WINDOW: signature(self.window, frames=FRAMES, corner=PAIR, cells=PAIR),
            **parts,
        }

    def calls(self, frames: tf.Tensor, encoded: tf.Tensor) -> dict[str, Tensors]:
        grid = tf.stack(self.embedder.grid(*map(int, frames.shape[1:3])))
        whole = {"frames": frames, "corner": tf.zeros(2, tf.int32), "cells": grid}
        return {**super().calls(frames, encoded), WINDOW: whole}

    def _window_pixels(self, frames: tf.Tensor, corner: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
        return self.embedder.backbone.pixels(self.embedder.window(frames, corner, cells))

    def _of_window_maps(self, *given: tf.Tensor) -> Tensors:
        *maps, size, corner = given
        return self._of_window(self.embedder.of_maps(maps), size, corner)

    def _of_window(self, features: tf.Tensor, size: tf.Tensor, corner: tf.Tensor) -> Tensors:
        """Features of a part of frames of a height and width, whose first cell is at `corner`."""
        grid = tf.cast(tf.stack(self.embedder.grid(size[0], size[1])), tf.float32)
        sides = tf.reverse(tf.cast(size, tf.float32) / grid, axis=[0])
        origin = sides * tf.reverse(tf.cast(corner, tf.float32), axis=[0])
        count = [tf.shape(features)[0], 1]
        return self.answer_in_full(
            features, tf.tile(sides[None], count), tf.tile(origin[None], count)
        )

    def of_maps(self, *given: tf.Tensor) -> Tensors:
        """The backbone's maps, then height and width of each image."""
        return self.features(self.embedder.of_maps(given[:-1]), given[-1])


def frames_spec() -> tf.TensorSpec:
    """`FRAMES`, named as an input."""
    return tf.TensorSpec(FRAMES.shape, FRAMES.dtype, "frames")


def sizes(frames: tf.Tensor) -> tf.Tensor:
    """Height and width of each frame of a batch."""
    return tf.repeat(tf.shape(frames)[1:3][None], tf.shape(frames)[0], axis=0)


def cell(features: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Width and height of a cell in source pixels, of images of height and width `size`."""
    grid = tf.cast(tf.shape(features)[1:3], tf.float32)
    return tf.reverse(tf.cast(size, tf.float32) / grid, axis=[1])


def signature(function: Callable, **specs: tf.TensorSpec) -> Callable:
    """A function with named inputs, as a SavedModel wants it."""
    named = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()]
    return traced(function, named)


def difference(one: tf.Tensor, other: tf.Tensor) -> float:
    """The largest of all numbers."""
    return float(np.max(np.abs(one.numpy() - other.numpy())))
