"""`resnet_compact`: a small plain ResNet of our own, whose weights ship with the package."""

import keras

NAME = "resnet_compact"
# Channels of the stem and of the stages at strides 4, 8, 16 and 32; two basic blocks a stage.
WIDTHS = (24, 32, 64, 128, 192)
BLOCKS = 2
STRIDES = (4, 8, 16, 32)


def build(*, normalize: bool = False) -> keras.Model:
    """The network: RGB (batch, height, width, 3) in -1..1 to the map at stride 32.

    The layers `stage4`, `stage8`, `stage16` and `stage32` end the stages.

    Args:
      normalize: with batch normalisation, to be trained; without, its factors are folded into the
        convolutions, see `fold`.
    """
    inputs = keras.Input((None, None, 3))
    x = _convolve(inputs, WIDTHS[0], 3, 2, "stem", normalize=normalize)
    x = keras.layers.ReLU(name="stem_relu")(x)
    for stride, width in zip(STRIDES, WIDTHS[1:], strict=True):
        for block in range(BLOCKS):
            last = block == BLOCKS - 1
            x = _block(
                x,
                width,
                2 if block == 0 else 1,
                f"stage{stride}_{block}",
                f"stage{stride}" if last else f"stage{stride}_{block}_out",
                normalize=normalize,
            )
    return keras.Model(inputs, x, name=NAME)


def fold(trained: keras.Model) -> keras.Model:
    """The network without batch normalisation that answers as a trained one does in inference."""
    folded = build()
    for layer in folded.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        norm = trained.get_layer(f"{layer.name}_norm")
        (kernel,) = trained.get_layer(layer.name).get_weights()
        gamma, beta, mean, variance = norm.get_weights()
        factor = gamma / (variance + norm.epsilon) ** 0.5
        layer.set_weights([kernel * factor, beta - mean * factor])
    return folded


def _convolve(x, width: int, size: int, stride: int, name: str, *, normalize: bool):
    x = keras.layers.Conv2D(
        width,
        size,
        stride,
        padding="same",
        use_bias=not normalize,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    if normalize:
        x = keras.layers.BatchNormalization(momentum=0.98, name=f"{name}_norm")(x)
    return x


def _block(x, width: int, stride: int, name: str, out: str, *, normalize: bool):
    y = _convolve(x, width, 3, stride, f"{name}_a", normalize=normalize)
    y = keras.layers.ReLU(name=f"{name}_a_relu")(y)
    y = _convolve(y, width, 3, 1, f"{name}_b", normalize=normalize)
    if stride != 1 or x.shape[-1] != width:
        x = _convolve(x, width, 1, stride, f"{name}_shortcut", normalize=normalize)
    return keras.layers.ReLU(name=out)(keras.layers.Add(name=f"{name}_add")([x, y]))
