"""The backbones there are: how each is built, where it is tapped, and what its weights expect."""

# Keras's annotations do not know that weights may be None.
# pyright: reportArgumentType=false

from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras

from beampose.trainer import compact, efficientnet_lite
from beampose.trainer.backbone_weights import Published

# Sets of taps of networks of inverted bottlenecks: inside a block, after its expansion, or at its
# linear end, which has a sixth of the channels.
EXPANDED, NARROW = "expanded", "narrow"
Taps = tuple[tuple[str, int], ...]
_FREE = (None, None, 3)


class Spec(NamedTuple):
    """Specification of a backbone.

    Attributes:
      build: makes the Keras model without weights; its output is the last stage, pooled or not.
      taps: by name, layers at stride 4, 8 or 16, in channel order; see `tapped`.
      default: name of the taps that are meant where none are named.
      scale: of the input, see `beampose.trainer.backbone.scaled`.
      published: its weights.
      whole: False if it has operations that cannot be quantised.
    """

    build: Callable[[], keras.Model]
    taps: Mapping[str, Taps]
    default: str
    scale: str
    published: Published
    whole: bool = True


def _only(taps: Taps) -> dict[str, Taps]:
    return {EXPANDED: taps}


def _mobilenet(alpha: float) -> Spec:
    def build():
        # Keras warns that a free input shape has no ImageNet twin; weights are loaded by us.
        return keras.applications.MobileNetV2(
            alpha=alpha, include_top=False, weights=None, input_shape=_FREE
        )

    taps = {
        EXPANDED: (
            ("block_3_expand_relu", 4),
            ("block_6_expand_relu", 8),
            ("block_13_expand_relu", 16),
        ),
        NARROW: (("block_2_add", 4), ("block_5_add", 8), ("block_12_add", 16)),
    }
    file = f"mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_224_no_top.h5"
    return Spec(build, taps, EXPANDED, "signed", Published(imagenet=file))


def _resnet(depth: int, last: str, md5: str) -> Spec:
    def build():
        make = {50: keras.applications.ResNet50, 101: keras.applications.ResNet101}[depth]
        return make(include_top=False, weights=None, input_shape=_FREE)

    taps = _only((("conv3_block4_out", 8), (last, 16)))
    file = f"resnet/resnet{depth}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return Spec(build, taps, EXPANDED, "caffe", Published(imagenet=file, checksum=md5))


def _efficientnet_v2() -> Spec:
    def build():
        return keras.applications.EfficientNetV2B0(
            include_top=False, weights=None, input_shape=_FREE, include_preprocessing=False
        )

    taps = {
        EXPANDED: (
            ("block2b_expand_activation", 4),
            ("block4a_expand_activation", 8),
            ("block6a_expand_activation", 16),
        ),
        NARROW: (("block2b_add", 4), ("block3b_add", 8), ("block5e_add", 16)),
    }
    published = Published(
        imagenet="efficientnet_v2/efficientnetv2-b0_notop.h5",
        checksum="893217f2bb855e2983157299931e43ff",
    )
    return Spec(build, taps, NARROW, "standard", published, whole=False)


def _convnext_tiny() -> Spec:
    def build():
        # Its last normalisation belongs after the pooling.
        return keras.applications.ConvNeXtTiny(
            include_top=False,
            weights=None,
            input_shape=_FREE,
            include_preprocessing=False,
            pooling="avg",
        )

    # The sums that end its stages have no names.
    taps = tuple((f"convnext_tiny_downsampling_block_{i}:input", 4 << i) for i in range(3))
    published = Published(
        imagenet="convnext/convnext_tiny_notop.h5",
        checksum="d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    )
    return Spec(build, _only(taps), EXPANDED, "standard", published, whole=False)


def _efficientnet_lite0() -> Spec:
    taps = {
        EXPANDED: (
            ("block3_expand_relu", 4),
            ("block5_expand_relu", 8),
            ("block11_expand_relu", 16),
        ),
        NARROW: (("block2_add", 4), ("block4_add", 8), ("block10_add", 16)),
    }
    published = Published(package=efficientnet_lite.PACKAGED)
    return Spec(efficientnet_lite.build, taps, NARROW, "signed", published)


def _compact() -> Spec:
    taps = _only((("stage4", 4), ("stage8", 8), ("stage16", 16)))
    return Spec(compact.build, taps, EXPANDED, "signed", Published(builtin="resnet_compact.npz"))


BACKBONES = {
    "resnet50": _resnet(50, "conv4_block6_out", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": _resnet(101, "conv4_block23_out", "88cf7a10940856eca736dc7b7e228a21"),
    "mobilenet_v2_0.35": _mobilenet(0.35),
    "mobilenet_v2_0.5": _mobilenet(0.5),
    "mobilenet_v2_0.75": _mobilenet(0.75),
    "mobilenet_v2_1.0": _mobilenet(1.0),
    efficientnet_lite.NAME: _efficientnet_lite0(),
    "efficientnet_v2_b0": _efficientnet_v2(),
    "convnext_tiny": _convnext_tiny(),
    compact.NAME: _compact(),
}


def spec(name: str) -> Spec:
    """Raises ValueError if there is no such backbone."""
    if name not in BACKBONES:
        raise ValueError(
            f"features.backbone must be one of {', '.join(BACKBONES)}. Received: {name!r}."
        )
    return BACKBONES[name]


def check_whole(name: str) -> None:
    """Raises ValueError if a backbone cannot compute in whole numbers."""
    if not spec(name).whole:
        chosen = ", ".join(one for one, other in BACKBONES.items() if other.whole)
        raise ValueError(
            f"features.precision: int8 does not apply to features.backbone: {name}, which has "
            f"operations that cannot be quantised; remove it. It applies to {chosen}."
        )


def tapped(model: keras.Model, tap: str):
    """Output of the layer of this name, or its input if the name ends in `:input`."""
    layer, _, side = tap.partition(":")
    found = model.get_layer(layer)
    return found.input if side else found.output


def taps_name(name: str, taps: str | None) -> str:
    """Name of the taps of a backbone, the default one where `taps` is None.

    Raises:
      ValueError: it has no such taps.
    """
    found = spec(name)
    if taps is None:
        return found.default
    if len(found.taps) == 1 and taps != found.default or taps not in found.taps:
        chosen = ", ".join(one for one, other in BACKBONES.items() if len(other.taps) > 1)
        raise ValueError(
            f"features.taps: {taps} does not apply to features.backbone: {name}, which has one set "
            f"of taps; remove it. It applies to {chosen}."
        )
    return taps
