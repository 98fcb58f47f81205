"""The table of predictors by task, as `beampose.trainer.tasks.task_table` is that of tasks."""

from beampose.core import task_kinds
from beampose.core.infos import ModelInfo
from beampose.core.settings.experiment import Config
from beampose.pipelines.predict import animals_predictor, crops_predictor, pose_predictor
from beampose.pipelines.predict.predictor import Described

PREDICTORS = {
    task_kinds.POSE.name: pose_predictor.of_model,
    task_kinds.ANIMALS.name: animals_predictor.of_model,
    task_kinds.CROPS.name: crops_predictor.of_model,
}


def of_model(config: Config, info: ModelInfo, digest: str) -> Described:
    """The predictor of the model of an experiment.

    Args:
      info: the model's info.json.
      digest: of its SavedModel.

    Raises:
      ValueError: a setting that this model cannot follow.
    """
    return PREDICTORS[task_kinds.of_info(info).name](config, info, digest)
