"""Which task of `trainer.tasks` and `trainer.animals` trains an experiment."""

from trainer.animals import Animals
from trainer.config import Config
from trainer.dataset import Dataset
from trainer.tasks import Crops, Pose

Task = Pose | Animals | Crops


def kind(config: Config, dataset: Dataset) -> type[Pose] | type[Animals] | type[Crops]:
    """The class of its task: what the config says, and for pose how many individuals there are."""
    if config.task == "crops":
        return Crops
    return Animals if len(dataset.info["individuals"]) > 1 else Pose


def make(config: Config, dataset: Dataset) -> Task:
    """Its task, with a head that has learned nothing yet."""
    return kind(config, dataset)(config, dataset)
