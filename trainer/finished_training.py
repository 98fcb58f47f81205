"""When a training has nothing left to do: the model is there, made by what is asked for."""

import logging

from beampose.core import __version__, artefacts, storage
from beampose.core.infos import DatasetInfo, Metrics, ModelInfo
from beampose.core.names import METRICS
from beampose.core.settings import section
from beampose.core.settings.experiment import Config
from beampose.core.settings.section import ANIMALS, FINETUNING, HEAD, VIEWS
from beampose.trainer import heads, steps
from beampose.trainer.model_digest import model_digest

LOG = logging.getLogger(__name__)


def asked(config: Config, dataset: DatasetInfo) -> str:
    """Names all that a training depends on: what the config asks for, labels and features."""
    settings = section.asked(config.train, HEAD, ANIMALS, FINETUNING, VIEWS)
    names = ("task", "bodyparts", "unique_bodyparts", "individuals", "edges", "classes")
    names += ("scorer", "project", "store", "labels_digest", "split")
    settings |= {
        name: getattr(config.train, name) for name in ("mode", "folds", "ensemble", "budget")
    }
    about = [getattr(dataset, name) for name in names]
    split: list = [config.split.seed, config.split.by]
    # Folds keep views of one instant together.
    split += [config.split.views] if config.split.views else []
    rules = [__version__, heads.VERSION, steps.RULES]
    return storage.digest([*rules, settings, *split, config.predict.pcutoff, about])


def metrics_of(folder: str, asked: str) -> Metrics | None:
    """The metrics of a model that is whole and was trained by what is asked for; else None."""
    try:
        info = artefacts.require(folder, ModelInfo)
        if not info.asked or info.asked != asked or info.digest != model_digest(folder):
            return None
        return artefacts.read_info(storage.place(folder, METRICS), Metrics)
    except FileNotFoundError:
        return None
    except Exception as error:  # Damaged files raise what they like: then the model is made again.
        LOG.info("%s cannot be taken as it is (%s): it is made again.", folder, error)
        return None
