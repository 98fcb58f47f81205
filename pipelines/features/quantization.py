"""Quantises a new store's backbone by some training images; once, and kept with the store."""

import logging
from collections.abc import Sequence

import numpy as np

from beampose.core.answering import Unanswered
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.preprocess import images
from beampose.preprocess.labels import LabeledCrop, LabeledFrame

LOG = logging.getLogger(__name__)
# Images whose ranges decide.
PICTURES = 16


def of_sample(config: Config, sample: Sequence[LabeledFrame | LabeledCrop], backbone) -> bytes:
    """The backbone in whole numbers, as a file.

    Args:
      sample: of the training split, in the order in which images are tried.

    Raises:
      ValueError: none of the images can be read, or the backbone has operations that cannot be
        quantised.
    """
    import tensorflow as tf

    from beampose.trainer.embed import Embedder

    embedder = Embedder(backbone, None, scale=config.scale, crop_size=config.features.crop_size)
    pictures: list[np.ndarray] = []
    for item in sample:
        if len(pictures) == PICTURES:
            break
        try:
            pixels = images.load(item.image)[0]
        except Unanswered:
            raise
        except (OSError, ValueError):
            # The main job records the reject; here it is only not looked at.
            continue
        pictures.append(embedder.resized(tf.constant(pixels[None]))[0].numpy())
    if not pictures:
        raise ValueError(
            "None of the sampled training images can be decoded. Run `beampose check`."
        )
    LOG.info("The backbone is quantised by %s.", counted(len(pictures), "image"))
    return backbone.quantized_by(pictures)
