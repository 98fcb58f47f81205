"""What is written about a trained model: metrics.json and info.json."""

import platform
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from beampose.core import __version__, name_parts
from beampose.core.infos import DatasetInfo, Figures, Metrics, ModelInfo, Seconds, Uncertainty
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.trainer import advice, cross_validation, near_copies
from beampose.trainer.choice import Choice
from beampose.trainer.dataset import Dataset
from beampose.trainer.outcomes import SPLITS, CrossValidation
from beampose.trainer.schema import LabelRecord
from beampose.trainer.training import Result


class Made(NamedTuple):
    """A model that was trained, before it is written about.

    Attributes:
      choice: the experiment, with what the data chose.
      before: the head on stored features that finetuning started from.
      judged: heads on parts of the training split.
    """

    choice: Choice
    dataset: Dataset
    result: Result
    before: Result | None
    judged: CrossValidation | None

    @property
    def config(self) -> Config:
        return self.choice.config


def metrics(made: Made) -> Metrics:
    """Errors by split, how the model came about, and what to know before trusting it."""
    task, dataset = made.result.task, made.dataset
    size = made.config.head.batch_size
    records = {split: dataset.of(split) for split in SPLITS}
    predicted = {split: task.predict(found, size) for split, found in records.items()}
    measured = {
        split: task.judge.measure(found, predicted[split]) if found else Figures()
        for split, found in records.items()
    }
    store = dataset.store_info
    found = Metrics(
        split={split: len(found) for split, found in records.items()},
        warnings=advice.sentences(
            advice.Trained(
                task.kind,
                dataset.bodyparts or dataset.classes,
                measured["train"],
                measured["test"],
                records["train"],
                records["test"],
                made.config.head.pos_dist_thresh,
                made.config.predict.pcutoff,
                near_copies.pairs(dataset) if task.kind.pooled else (),
                0.0 if task.kind.pooled else store.recipe.scale,
            )
        ),
        train=measured["train"],
        test=measured["test"],
        kept_step=made.result.kept_step,
        kept_by=_kept_by(made),
        seconds=_seconds(made),
        backbone=store.recipe.backbone,
        weights=store.weights,
        weights_digest=store.recipe.weights_digest,
    )
    if task.kind.summary:
        found = found.replace(**measured["test"].plain())
    if store.weights.startswith("random:"):
        found = found.replace(note=advice.RANDOM_NOTE)
    if made.before:
        found = _finetuned(made, found)
    if made.judged:
        found = found.replace(
            folds=made.judged.metrics.replace(number=made.config.train.folds),
            seconds=found.seconds.replace(folds=round(made.judged.seconds, 2)),
        )
    uncertainty = _uncertainty(made, predicted["test"])
    return found.replace(uncertainty=uncertainty) if uncertainty else found


def info(made: Made, uncertainty: Uncertainty | None, skew: float | None) -> ModelInfo:
    """Everything needed to predict that is not in the SavedModel.

    Args:
      skew: see `export.verify`.
    """
    dataset, config = made.dataset, made.config
    names = ("task", "bodyparts", "individuals", "edges", "classes", "scorer", "project", "split")
    store = dataset.store_info
    backbone = store.recipe.backbone
    return ModelInfo(
        made_by=f"beampose {__version__} train",
        **{name: getattr(dataset.info, name) for name in names},
        # The steps of finetuning are counted from 0 again, so it needs another name.
        dlc_scorer=scorer(
            dataset.info, backbone + ("tuned" if made.before else ""), made.result.kept_step
        ),
        frame_size=frame_size(dataset.records),
        crop_rule=dataset.info.crop_rule,
        mode=config.train.mode,
        store=dataset.info.store,
        recipe=store.recipe,
        weights=store.weights,
        transform_digest=store.transform_digest,
        pixels_against_stored_features=skew,
        **made.result.task.facts(),
        chosen=made.choice.chosen,
        heads=len(made.result.task.members),
        uncertainty=uncertainty,
        config=experiment.to_dict(config),
        versions={
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    )


def scorer(info: DatasetInfo, backbone: str, step: int) -> str:
    """DeepLabCut's name for what made the coordinates."""
    network = backbone.replace("_", "").replace(".", "")
    return f"DLC_beampose-{network}_{name_parts.safe(info.project)}shuffle1_{step}"


def _seconds(made: Made) -> Seconds:
    trained = round((made.before or made.result).seconds, 2)
    found = Seconds(features=made.dataset.info.seconds, train=trained)
    if made.choice.rounds:
        found = found.replace(choice=round(made.choice.seconds, 2))
    return found


def _kept_by(made: Made) -> str:
    result, kind = made.result, made.result.task.kind
    if made.config.train.ensemble:
        return f"last step of {made.config.train.folds} heads"
    if not result.held_out:
        return "last step"
    return f"best {kind.score} of {len(result.held_out)} images held out of the training split"


def _finetuned(made: Made, found: Metrics) -> Metrics:
    """The metrics of a finetuned model, with what its head reached on stored features."""
    assert made.before is not None
    test, task = made.dataset.of("test"), made.before.task
    measured = Figures()
    if test:
        predicted = task.predict(test, made.config.head.batch_size)
        measured = task.judge.measure(test, predicted)
    return found.replace(
        mode="finetune",
        seconds=found.seconds.replace(finetune=round(made.result.seconds, 2)),
        test_before_finetune=measured,
        warnings=[*found.warnings, *advice.of_finetuning(task.kind, measured, found.test)],
        finetuned_weights_digest=made.result.task.model().embedder.backbone.tuned_digest(),
    )


def _uncertainty(made: Made, predicted: np.ndarray) -> Uncertainty | None:
    """The radius of each bodypart, with the share of held-out errors inside it; None for crops."""
    judged = made.judged
    if judged is None or judged.radius is None:
        return None
    test = made.dataset.of("test")
    share = None
    if test:
        share = cross_validation.covered(
            judged.radius.radius_px, made.result.task.judge.errors(test, predicted)
        )
    return judged.radius.replace(coverage_test=share, images=len(judged.records))


def frame_size(records: Sequence[LabelRecord]) -> list[int]:
    """Height and width of most labeled images."""
    images = [record for record in records if record.copy == 0]
    sizes = Counter((record.height, record.width) for record in images)
    return list(min(sizes, key=lambda size: (-sizes[size], size)))
