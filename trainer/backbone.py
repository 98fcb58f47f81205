"""The backbone, frozen unless finetuned: images to maps at stride 8, or to one embedding."""

# TensorFlow's stubs do not know slices with an ellipsis.
# pyright: reportArgumentType=false

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from beampose.trainer import backbone_weights, networks
from beampose.trainer.integers import converter, lite_file
from beampose.trainer.integers.network import IntegerNetwork
from beampose.trainer.lite import float_file

# LiteRT files of frozen networks, by what decides them: a process makes each once.
_FILES: dict[tuple[str, str, str | None, bool], bytes | None] = {}
_KEPT = 4


def check(name: str, weights: str, taps: str | None = None) -> None:
    """Raises ValueError or FileNotFoundError if this backbone cannot be built, before it is."""
    networks.taps_name(name, taps)
    backbone_weights.check(weights, networks.spec(name).published)


class Backbone(tf.Module):
    """A network cut at its taps; frozen, until `unfreeze`.

    Args:
      name: a key of `beampose.trainer.networks.BACKBONES`.
      weights: see `beampose.trainer.backbone_weights.load`.
      pooled: False for maps at stride 8, True for one vector an image (the pooled last stage).
      taps: of maps: see `beampose.trainer.networks.taps_name`.
      quantized: the network in whole numbers, of `quantized_by`; None for float32.
      lite: the network in float32, of `lite_file`, if that was made before.

    Attributes:
      taps: their name; None if pooled.
      channels: of the map or vector.
      digest: of the weights, sha256 in hex.
      network: the Keras model.
      integers: the network in whole numbers, which computes then; None for float32.
      lite: what computes as LiteRT reads it; None if that was not made yet, or is no longer it.
    """

    def __init__(
        self,
        name: str,
        weights: str,
        *,
        pooled: bool = False,
        taps: str | None = None,
        quantized: bytes | None = None,
        lite: bytes | None = None,
    ):
        super().__init__()
        check(name, weights, taps)
        spec = networks.spec(name)
        model = spec.build()
        backbone_weights.load(model, weights, spec.published)
        self.id = name
        self.weights = weights
        self.pooled = pooled
        self.digest = backbone_weights.digest(model)
        self.taps = None if pooled else networks.taps_name(name, taps)
        layers = () if self.taps is None else spec.taps[self.taps]
        self._strides = tuple(stride for _, stride in layers)
        self._scaling = spec.scale
        outputs = [networks.tapped(model, tap) for tap, _ in layers] or [model.output]
        self.network = keras.Model(model.input, outputs)
        self.network.trainable = False
        self.integers = None if quantized is None else IntegerNetwork(lite_file.read(quantized))
        self.lite = quantized or lite
        widths = [int(output.shape[-1]) for output in outputs]
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
        return self.joined(self.maps(self.pixels(images)))

    def pixels(self, images: tf.Tensor) -> tf.Tensor:
        """Images, as above, to what the network takes: float32, or int8 in whole numbers."""
        if self.integers is None:
            return scaled(images, self._scaling)
        return self.integers.quantized(_centred(images, self._scaling))

    def maps(self, pixels: tf.Tensor) -> list[tf.Tensor]:
        """What the network says at its taps, float32."""
        return self._float_maps(pixels) if self.integers is None else self.integers(pixels)

    def read(self, outputs: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """As `maps`, of the outputs of the same network, run by something else."""
        return outputs if self.integers is None else self.integers.maps(outputs)

    def map_specs(self) -> list[tf.TensorSpec]:
        """Of what `read` takes."""
        kind = tf.float32 if self.integers is None else tf.int8
        return [tf.TensorSpec((None, *one.shape[1:]), kind) for one in self.network.outputs]

    def joined(self, maps: Sequence[tf.Tensor]) -> tf.Tensor:
        """What the network says at its taps to features, as above."""
        if self.pooled:
            return tf.reduce_mean(maps[0], axis=(1, 2)) if len(maps[0].shape) == 4 else maps[0]
        joined = [_at_stride_8(m, s) for m, s in zip(maps, self._strides, strict=True)]
        return tf.concat(joined, axis=-1)

    def projected(self, maps: Sequence[tf.Tensor], matrix: np.ndarray) -> tf.Tensor:
        """`joined` maps times a matrix (channels, dims), without joining them first.

        Each map is multiplied at its own stride: a coarse one has a quarter of the cells.
        """
        total, first = None, 0
        for one, stride in zip(maps, self._strides, strict=True):
            side, width = 2 if stride == 4 else 1, int(one.shape[-1] or 0)
            channels = side * side * width
            part = matrix[first : first + channels].reshape(side, side, width, -1)
            found = tf.nn.conv2d(one, tf.constant(part), side, "VALID")
            if stride == 16:
                found = _at_stride_8(found, stride)
            total = found if total is None else total + found
            first += channels
        assert total is not None
        return total

    def quantized_by(self, pictures: Sequence[np.ndarray]) -> bytes:
        """The network in whole numbers, by the ranges of pictures.

        Args:
          pictures: float32 (height, width, 3) each, as the backbone takes images.

        Raises:
          ValueError: it has operations that cannot be quantised.
        """
        # Black and white give every gray level a number of its own.
        edge = np.zeros((64, 64, 3), np.float32)
        edge[:32] = 255
        given = [_centred(tf.constant(one), self._scaling).numpy() for one in [edge, *pictures]]
        return converter.quantize(self._float_maps, given)

    def lite_file(self) -> bytes | None:
        """What computes, as LiteRT reads it; None if it cannot be that."""
        if self.lite is not None or self.network.trainable:
            return self.lite or float_file.of_network(self._float_maps)
        key = (self.id, self.digest, self.taps, self.pooled)
        if key not in _FILES:
            if len(_FILES) >= _KEPT:
                _FILES.clear()
            _FILES[key] = float_file.of_network(self._float_maps)
        return _FILES[key]

    def values(self) -> list[tf.Variable]:
        """TensorFlow's variables of what computes."""
        if self.integers is not None:
            return list(self.integers.variables)
        return [variable.value for variable in self.network.variables]

    def _float_maps(self, given: tf.Tensor) -> list[tf.Tensor]:
        outputs = self.network(given, training=False)
        return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]

    def unfreeze(self) -> None:
        """Lets the weights be trained; the statistics of batch normalisation stay."""
        self.network.trainable = True
        self.lite = None

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


def square(crop: np.ndarray, side: int) -> np.ndarray:
    """A crop (height, width, 3) of any dtype to float32 (side, side, 3), by `resize`."""
    return resize(crop[None], side, side)[0].numpy()  # pyright: ignore[reportAttributeAccessIssue]


def scaled(images: tf.Tensor, scaling: str) -> tf.Tensor:
    """RGB 0 to 255 to what a network was trained with: a `networks.Spec.scale`."""
    if scaling == "signed":
        return images / 127.5 - 1.0
    if scaling == "standard":
        # Means and standard deviations of ImageNet's RGB in 0..1.
        means, deviations = tf.constant([0.485, 0.456, 0.406]), tf.constant([0.229, 0.224, 0.225])
        return (images / 255.0 - means) / deviations
    # ImageNet means of the BGR weights that keras.applications took over from Caffe.
    return images[..., ::-1] - tf.constant([103.939, 116.779, 123.68])


def _centred(images: tf.Tensor, scaling: str) -> tf.Tensor:
    """As `scaled`, in steps of whole gray levels where these are what int8 can hold."""
    if scaling == "signed":
        return (tf.round(images) - 128.0) / 127.5
    return scaled(images, scaling)


def _at_stride_8(maps: tf.Tensor, stride: int) -> tf.Tensor:
    if stride == 4:
        return tf.nn.space_to_depth(maps, 2)
    if stride == 16:
        return tf.repeat(tf.repeat(maps, 2, axis=1), 2, axis=2)
    return maps
