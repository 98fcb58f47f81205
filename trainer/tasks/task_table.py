"""Table of tasks: the class of `tasks.single` or `tasks.animals` that trains an experiment."""

from beampose.core.settings.experiment import Config
from beampose.trainer.dataset import Dataset
from beampose.trainer.tasks.animals import Animals
from beampose.trainer.tasks.single import Crops, Pose

Task = Pose | Animals | Crops


def kind(config: Config, dataset: Dataset) -> type[Pose] | type[Animals] | type[Crops]:
    """The class of its task: what the config says, and for pose how many individuals there are."""
    if config.task == "crops":
        return Crops
    return Animals if len(dataset.info.individuals) > 1 else Pose


def make(config: Config, dataset: Dataset) -> Task:
    """Its task, with a head that has learned nothing yet."""
    return kind(config, dataset)(config, dataset)
