"""Measures an exported model on the stored features of labeled images."""

from typing import Any, NamedTuple

import numpy as np

from trainer import artefacts, metrics
from trainer.config import Config
from trainer.dataset import Dataset
from trainer.schema import LabelRecord

SPLITS = ("train", "test")


class Evaluation(NamedTuple):
    """Predictions of the exported model beside the labels.

    Attributes:
      task: pose or crops.
      names: bodyparts, or classes.
      records: all labeled images.
      predicted: (images, bodyparts, 3) x, y, likelihood; or (images, classes) scores.
      metrics: by split, as in metrics.json.
    """

    task: str
    names: list[str]
    records: list[LabelRecord]
    predicted: np.ndarray
    metrics: dict[str, dict[str, Any]]


def evaluate(config: Config) -> Evaluation:
    """Runs the SavedModel's `features` signature over the dataset.

    Raises:
      FileNotFoundError: there is no dataset or no model.
      ValueError: the model was trained on features of another store.
    """
    import tensorflow as tf

    from trainer import export

    info = artefacts.require(config.model, "train")
    dataset = Dataset(config.dataset, config.store, cache_mb=0)
    if info["store"] != dataset.info["store"]:
        raise ValueError(
            f"{config.model} was trained on the features of {info['store']}, the dataset has those "
            f"of {dataset.info['store']}. Run `beampose train` again."
        )
    signature = export.load(config.model).signatures["features"]  # pyright: ignore[reportAttributeAccessIssue]
    records = [r for split in SPLITS for r in dataset.of(split)]
    if config.task == "pose":
        predicted = np.array([_keypoints(signature, dataset, r) for r in records])
        names = dataset.bodyparts
    else:
        features = [dataset.features(r) for r in records]
        predicted = signature(features=tf.constant(np.stack(features)))["scores"].numpy()
        names = dataset.classes
    return Evaluation(
        config.task,
        names,
        records,
        predicted,
        {split: _measure(config, names, records, predicted, split) for split in SPLITS},
    )


def errors(evaluation: Evaluation) -> np.ndarray:
    """Distance of each bodypart from its label, (images, bodyparts), NaN where not labeled."""
    truth = np.stack([r.keypoints[0] for r in evaluation.records])
    return metrics.distances(truth, evaluation.predicted)


def _keypoints(signature, dataset: Dataset, record: LabelRecord) -> np.ndarray:
    import tensorflow as tf

    found = signature(
        features=tf.constant(dataset.features(record)[None]),
        size=tf.constant([[record.height, record.width]]),
    )
    keypoints, likelihood = found["keypoints"].numpy()[0, 0], found["likelihood"].numpy()[0, 0]
    return np.concatenate([keypoints, likelihood[:, None]], axis=-1)


def _measure(
    config: Config, names: list[str], records: list[LabelRecord], predicted: np.ndarray, split: str
) -> dict[str, Any]:
    chosen = [i for i, r in enumerate(records) if r.split == split]
    if not chosen:
        return {}
    if config.task == "pose":
        truth = np.stack([records[i].keypoints[0] for i in chosen])
        return metrics.pose_metrics(truth, predicted[chosen], names, config.predict.pcutoff)
    labels = np.array([records[i].label for i in chosen])
    return metrics.crop_metrics(labels, predicted[chosen], names, metrics.THRESHOLD)
