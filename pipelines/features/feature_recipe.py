"""The scale and the copies of an experiment: what its config leaves open, the labels choose."""

import io
import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from beampose.core import artefacts, storage
from beampose.core.answering import Unanswered
from beampose.core.infos import Chosen, DatasetInfo
from beampose.core.names import INFO
from beampose.core.settings.experiment import Config
from beampose.preprocess import images
from beampose.preprocess.labels import TRAIN, LabeledCrop, LabeledFrame, Labels
from beampose.trainer import label_facts, recipe
from beampose.trainer.label_facts import LabelFacts

LOG = logging.getLogger(__name__)
# Images whose size is looked at.
LOOKED_AT = 32


class Recipe(NamedTuple):
    """An experiment whose features are decided, and what was chosen of them.

    Attributes:
      facts: of the labels of the training split; None for crops.
    """

    config: Config
    chosen: dict[str, Chosen]
    facts: LabelFacts | None


def choose(config: Config, labels: Labels, splits: Sequence[str]) -> Recipe:
    """Chooses what the config leaves open, by the training split.

    A few labels more or less embed nothing anew: what a dataset of before was made with stays
    where another choice would be nearly the same.
    """
    training = [item for item, s in zip(labels.items, splits, strict=True) if s == TRAIN]
    facts = _facts(training)
    chosen = recipe.of_features(config, facts)
    before = _before(config)
    lasting = recipe.lasting(chosen, before)
    for key, one in lasting.items():
        if key in before and before[key].value != one.value:
            LOG.warning(
                "NOTE: %s is now %g, not %g (%s), so images are embedded again. To keep it, set it "
                "in the config.",
                key,
                one.value,
                before[key].value,
                one.why,
            )
    return Recipe(recipe.resolved(config, lasting), lasting, facts)


def _facts(training: Sequence[LabeledFrame | LabeledCrop]) -> LabelFacts | None:
    frames = [item for item in training if isinstance(item, LabeledFrame)]
    if not frames:
        return None
    sizes = _sizes(frames)
    return label_facts.facts(
        np.stack([item.keypoints for item in frames]),
        [item.video for item in frames],
        [height for height, _ in sizes],
        [width for _, width in sizes],
    )


def _sizes(frames: Sequence[LabeledFrame]) -> list[tuple[int, int]]:
    """Height and width of some images, those of which the header can be read."""
    places = np.unique(np.linspace(0, len(frames) - 1, LOOKED_AT).astype(int))
    found = []
    for i in places:
        try:
            with Image.open(io.BytesIO(images.encoded(frames[i].image))) as image:
                found.append((image.height, image.width))
        except Unanswered:
            raise
        except (OSError, ValueError, Image.DecompressionBombError):
            continue
    # Images that cannot be read are rejected by the job, with a reason for each.
    return found or [(480, 640)]


def _before(config: Config) -> dict[str, Chosen]:
    """What the dataset that is there was made with, if it is one of these labels."""
    file = storage.place(config.dataset, INFO)
    try:
        info = artefacts.read_info(file, DatasetInfo)
    except Unanswered:
        raise
    except (OSError, ValueError):
        return {}
    return dict(info.chosen) if info.source.get("path") == config.source.path else {}
