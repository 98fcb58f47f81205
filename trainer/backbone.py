"""The backbone, frozen unless finetuned: images to maps at stride 8, or to one embedding."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from beampose.trainer import backbone_weights, compact

STRIDE = 8
# Map sizes are even numbers of cells, as DeepLabCut's are: the stride-16 tap then fits exactly.
_CELL_PAIR = 2 * STRIDE


class Spec(NamedTuple):
    """Specification of a backbone. `taps` are layers at stride 4, 8 or 16, in channel order."""

    build: Callable
    taps: tuple[tuple[str, int], ...]
    scale: str
    published: backbone_weights.Published


def _mobilenet(alpha: float) -> Spec:
    def build():
        # Keras warns that a free input shape has no ImageNet twin; weights are loaded by us.
        return keras.applications.MobileNetV2(
            alpha=alpha, include_top=False, weights=None, input_shape=(None, None, 3)
        )

    taps = (("block_3_expand_relu", 4), ("block_6_expand_relu", 8), ("block_13_expand_relu", 16))
    file = f"mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_224_no_top.h5"
    return Spec(build, taps, "signed", backbone_weights.Published(imagenet=file))


def _resnet(depth: int, last: str, md5: str) -> Spec:
    def build():
        make = {50: keras.applications.ResNet50, 101: keras.applications.ResNet101}[depth]
        return make(include_top=False, weights=None, input_shape=(None, None, 3))

    taps = (("conv3_block4_out", 8), (last, 16))
    file = f"resnet/resnet{depth}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return Spec(build, taps, "caffe", backbone_weights.Published(imagenet=file, md5=md5))


def _compact() -> Spec:
    taps = (("stage4", 4), ("stage8", 8), ("stage16", 16))
    published = backbone_weights.Published(builtin="resnet_compact.npz")
    return Spec(compact.build, taps, "signed", published)


BACKBONES = {
    "resnet50": _resnet(50, "conv4_block6_out", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": _resnet(101, "conv4_block23_out", "88cf7a10940856eca736dc7b7e228a21"),
    "mobilenet_v2_0.35": _mobilenet(0.35),
    "mobilenet_v2_0.5": _mobilenet(0.5),
    "mobilenet_v2_0.75": _mobilenet(0.75),
    "mobilenet_v2_1.0": _mobilenet(1.0),
    compact.NAME: _compact(),
}


def check(name: str, weights: str) -> None:
    """Raises ValueError or FileNotFoundError if this backbone cannot be built, before it is."""
    if name not in BACKBONES:
        raise ValueError(
            f"features.backbone must be one of {', '.join(BACKBONES)}. Received: {name!r}."
        )
    backbone_weights.check(weights, BACKBONES[name].published)


def grid(height: int, width: int, scale: float) -> tuple[int, int]:
    """Rows and columns of the map of an image: its cells tile the image exactly."""
    return tuple(  # pyright: ignore[reportReturnType]
        max(2 * int(np.ceil(side * scale / _CELL_PAIR - 1e-9)), 2) for side in (height, width)
    )


class Backbone(tf.Module):
    """A network cut at its taps; frozen, until `unfreeze`.

    Args:
      name: a key of `BACKBONES`.
      weights: see `beampose.trainer.backbone_weights.load`.
      pooled: False for maps at stride 8, True for one vector an image (the pooled last stage).

    Attributes:
      channels: of the map or vector.
      digest: of the weights, sha256 in hex.
      network: the Keras model.
    """

    def __init__(self, name: str, weights: str, *, pooled: bool = False):
        super().__init__()
        check(name, weights)
        spec = BACKBONES[name]
        model = spec.build()
        backbone_weights.load(model, weights, spec.published)
        self.id = name
        self.weights = weights
        self.pooled = pooled
        self.digest = backbone_weights.digest(model)
        self._strides = () if pooled else tuple(stride for _, stride in spec.taps)
        self._scaling = spec.scale
        taps = [model.output] if pooled else [model.get_layer(tap).output for tap, _ in spec.taps]
        self.network = keras.Model(model.input, taps)
        self.network.trainable = False
        widths = [int(tap.shape[-1]) for tap in taps]
        self.channels = (
            widths[0]
            if pooled
            else sum(
                # The stride-4 tap keeps its detail: four cells become the channels of one.
                width * (4 if stride == 4 else 1)
                for width, stride in zip(widths, self._strides, strict=True)
            )
        )

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Features of images.

        Args:
          images: float32 (batch, height, width, 3), RGB, 0 to 255; for maps the sides are
            multiples of 16.

        Returns:
          float32 (batch, height / 8, width / 8, channels), or (batch, channels) if pooled.
        """
        # Batch normalisation always takes the statistics it came with, also when it is trained:
        # those of small batches of windows are none of the whole frames that are predicted.
        outputs = self.network(scaled(images, self._scaling), training=False)
        maps = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        if self.pooled:
            return tf.reduce_mean(maps[0], axis=(1, 2))
        joined = [_at_stride_8(m, s) for m, s in zip(maps, self._strides, strict=True)]
        return tf.concat(joined, axis=-1)

    def unfreeze(self) -> None:
        """Lets the weights be trained; the statistics of batch normalisation stay."""
        self.network.trainable = True

    def tuned_digest(self) -> str:
        """sha256 of the weights as they are now, up to the taps, in hex."""
        return backbone_weights.digest(self.network)


def resize(frames: tf.Tensor, height: tf.Tensor | int, width: tf.Tensor | int) -> tf.Tensor:
    """Frames (batch, h, w, 3) of any dtype to float32 (batch, height, width, 3); the only resize.

    Pixel areas are averaged when shrinking. Each axis has its own factor, so that a grid's cells
    tile the frame and a cell's place in the source is one multiplication.
    """
    frames = tf.cast(frames, tf.float32)
    size = tf.stack([height, width])
    same = tf.reduce_all(tf.equal(tf.shape(frames)[1:3], size))
    resized = tf.cond(same, lambda: frames, lambda: tf.image.resize(frames, size, antialias=True))
    return tf.ensure_shape(resized, (None, None, None, 3))


def scaled(images: tf.Tensor, scaling: str) -> tf.Tensor:
    """RGB 0 to 255 to what a network was trained with: a `Spec.scale`."""
    if scaling == "signed":
        return images / 127.5 - 1.0
    # ImageNet means of the BGR weights that keras.applications took over from Caffe.
    return images[..., ::-1] - tf.constant([103.939, 116.779, 123.68])


def _at_stride_8(maps: tf.Tensor, stride: int) -> tf.Tensor:
    if stride == 4:
        return tf.nn.space_to_depth(maps, 2)
    if stride == 16:
        return tf.repeat(tf.repeat(maps, 2, axis=1), 2, axis=2)
    return maps
