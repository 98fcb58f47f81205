"""The table of what each task does; `beampose.core.task_kinds` is that of what is known of it."""

from beampose.core import task_kinds
from beampose.core.settings.experiment import Config
from beampose.trainer.dataset import Dataset
from beampose.trainer.tasks.animals import Animals
from beampose.trainer.tasks.contract import Task
from beampose.trainer.tasks.crops import Crops
from beampose.trainer.tasks.pose import Pose

TASKS = {task.kind.name: task for task in (Pose, Animals, Crops)}


def make(config: Config, dataset: Dataset) -> Task:
    """The task of a dataset, with a head that has learned nothing yet."""
    return TASKS[task_kinds.of_info(dataset.info).name](config, dataset)
