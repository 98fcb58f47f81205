"""Outcomes of evaluations, cross validations, learning curves and sweeps. Needs no TensorFlow."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from beampose.core import task_kinds
from beampose.core.infos import Figures, Uncertainty
from beampose.core.settings.experiment import Config
from beampose.core.task_kinds import TaskKind
from beampose.trainer import metrics
from beampose.trainer.schema import LabelRecord

if TYPE_CHECKING:
    from beampose.trainer.tasks.contract import Trainable

SPLITS = ("train", "test")


class Evaluation(NamedTuple):
    """Predictions of the exported model beside the labels.

    Attributes:
      task: pose or crops.
      names: bodyparts, or classes.
      records: all labeled images.
      predicted: (images, bodyparts, 3) x, y, likelihood; of several animals (images, individuals,
        bodyparts, 3), NaN = missing, in the rows of the labels they match; or (images, classes)
        scores.
      metrics: by split, as in metrics.json.
      individuals: names of the rows of several animals, else empty.
    """

    task: str
    names: list[str]
    records: list[LabelRecord]
    predicted: np.ndarray
    metrics: dict[str, Figures]
    individuals: tuple[str, ...] = ()

    @property
    def kind(self) -> TaskKind:
        """Facts of its task."""
        return task_kinds.of_names(self.task, len(self.individuals))


def errors(evaluation: Evaluation) -> np.ndarray:
    """Distance of each bodypart from its label in source pixels, NaN where not labeled.

    (images, bodyparts); of several animals (images, individuals, bodyparts), NaN where missing too.
    """
    truth = np.stack([r.keypoints for r in evaluation.records])
    if not evaluation.individuals:
        truth = truth[:, 0]
    return metrics.distances(truth, evaluation.predicted)


class CrossValidation(NamedTuple):
    """Predictions of all images, each by the head of the fold that held it out.

    Attributes:
      records: all labeled images, without copies.
      folds: (images,) the number of each image's fold.
      names: of the folds: numbers, or videos.
      predicted: as in `Evaluation`.
      metrics: of all predictions together.
      by_fold: of each fold alone.
      radius: for pose, see `cross_validation.radii`; and the share of errors it covers.
      tasks: of each fold, with its trained head.
      histories: of each fold's training, see `train.Result`; without held-out scores.
      seconds: of training, all folds.
      by: whether the folds are parts of the images or videos.
      individuals: names of the rows of several animals, which are those of the labels; else empty.
    """

    records: list[LabelRecord]
    folds: np.ndarray
    names: list[str]
    predicted: np.ndarray
    metrics: Figures
    by_fold: list[Figures]
    radius: Uncertainty | None
    tasks: "list[Trainable]"
    histories: list[list[dict[str, float | str]]]
    seconds: float
    by: str
    individuals: tuple[str, ...] = ()


class Point(NamedTuple):
    """A head and how it did.

    Attributes:
      images: labeled ones it learned from; augmented copies are not counted.
      metrics: held-out figures, as in metrics.json.
      total, count: of each held-out image, the sum of its errors and their number.
    """

    images: int
    metrics: Figures
    total: np.ndarray
    count: np.ndarray


class Curve(NamedTuple):
    """Points from the smallest subset to all training images.

    Attributes:
      error: what an error is: `px`, the distance of a point; `wrong`, 1 of a crop of another
        class; `missed`, 1 of a labeled point that was not found within `near`.
      near: source pixels.
      seconds: of training, all heads.
    """

    points: list[Point]
    error: str
    near: float
    seconds: float


class Trial(NamedTuple):
    """One combination of settings.

    Attributes:
      settings: what was varied, by key.
      config: the whole experiment.
      score: held-out error in px (less is better) or accuracy; None if there was nothing to judge.
      seconds: of training.
      checkpoints: folder of the run, which a training with the same settings takes up.
      failure: why there is no score, or "".
      unit: what the score is.
    """

    settings: dict[str, Any]
    config: Config
    score: float | None
    seconds: float
    checkpoints: str
    failure: str
    unit: str
