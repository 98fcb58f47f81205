"""Measures an exported model on labeled images: their stored features, or frames if finetuned."""

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
    """Runs the SavedModel over the dataset.

    By its `features` signature, which spares the backbone; a finetuned model's backbone did not
    make the stored features, so that one looks at the images themselves.

    Raises:
      FileNotFoundError: there is no dataset or no model.
      OSError: the model was finetuned and an image is neither kept nor where it was.
      ValueError: the model was trained on features of another store.
    """
    import tensorflow as tf

    from trainer import export, frames

    info = artefacts.require(config.model, "train")
    dataset = Dataset(config.dataset, config.store, cache_mb=0)
    if info["store"] != dataset.info["store"]:
        raise ValueError(
            f"{config.model} was trained on the features of {info['store']}, the dataset has those "
            f"of {dataset.info['store']}. Run `beampose train` again."
        )
    signatures = export.load(config.model).signatures  # pyright: ignore[reportAttributeAccessIssue]
    records = [r for split in SPLITS for r in dataset.of(split)]
    names = dataset.bodyparts if config.task == "pose" else dataset.classes
    if info.get("mode") == "finetune":
        predicted = frames.answers(
            lambda given: signatures["frames"](frames=given),
            frames.Frames(config.dataset),
            records,
            config.train.batch_size,
        )
    elif config.task == "pose":
        predicted = np.array([_keypoints(signatures["features"], dataset, r) for r in records])
    else:
        features = tf.constant(np.stack([dataset.features(r) for r in records]))
        predicted = signatures["features"](features=features)["scores"].numpy()
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
