"""Measures an exported model on labeled images: their stored features, or frames if finetuned."""

import functools

import numpy as np

from beampose.core import storage
from beampose.core.infos import Figures, ModelInfo
from beampose.core.settings.experiment import Config
from beampose.trainer import assemble, matching, metrics
from beampose.trainer.dataset import Dataset
from beampose.trainer.outcomes import SPLITS, Evaluation
from beampose.trainer.schema import LabelRecord


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

    from beampose.trainer import encoded_frames, export

    info = storage.require(config.model, ModelInfo)
    dataset = Dataset(config.dataset, config.store, cache_mb=0)
    if info.store != dataset.info.store:
        raise ValueError(
            f"{config.model} was trained on the features of {info.store}, the dataset has those "
            f"of {dataset.info.store}. Run `beampose train` again."
        )
    rules = assemble.rules(info) if info.assembly else None
    read = _reader(config.task, rules)
    signatures = export.load(config.model).signatures  # pyright: ignore[reportAttributeAccessIssue]
    records = [r for split in SPLITS for r in dataset.of(split)]
    names = dataset.bodyparts if config.task == "pose" else dataset.classes
    if info.mode == "finetune":
        predicted = encoded_frames.answers(
            lambda given: signatures["frames"](frames=given),
            encoded_frames.Frames(config.dataset),
            records,
            config.train.batch_size,
            read,
        )
    elif config.task == "pose":
        each = [read(_of_features(signatures["features"], dataset, r)) for r in records]
        predicted = np.concatenate(each)
    else:
        features = tf.constant(np.stack([dataset.features(r) for r in records]))
        predicted = signatures["features"](features=features)["scores"].numpy()
    found = Evaluation(
        config.task,
        names,
        records,
        predicted,
        {split: _measure(config, names, records, predicted, split, rules) for split in SPLITS},
    )
    if rules is None:
        return found
    truth = np.stack([r.keypoints for r in records])
    matched = matching.match(truth, predicted, rules.animals)
    return found._replace(predicted=matched, individuals=rules.individuals)


def _reader(task: str, rules: assemble.Rules | None):
    """Returns the function with which `encoded_frames.answers` reads the model's outputs."""
    from beampose.trainer import encoded_frames

    if rules is not None:
        return functools.partial(encoded_frames.read_animals, rules=rules)
    return encoded_frames.read_scores if task == "crops" else encoded_frames.read_keypoints


def _of_features(signature, dataset: Dataset, record: LabelRecord) -> dict[str, np.ndarray]:
    import tensorflow as tf

    found = signature(
        features=tf.constant(dataset.features(record)[None]),
        size=tf.constant([[record.height, record.width]]),
    )
    return {name: value.numpy() for name, value in found.items()}


def _measure(
    config: Config,
    names: list[str],
    records: list[LabelRecord],
    predicted: np.ndarray,
    split: str,
    rules: assemble.Rules | None,
) -> Figures:
    chosen = [i for i, r in enumerate(records) if r.split == split]
    if not chosen:
        return Figures()
    if rules is not None:
        judged = [records[i] for i in chosen]
        return matching.measured(judged, predicted[chosen], rules, config.predict.pcutoff)
    if config.task == "pose":
        truth = np.stack([records[i].keypoints[0] for i in chosen])
        return metrics.pose_metrics(truth, predicted[chosen], names, config.predict.pcutoff)
    labels = np.array([records[i].label for i in chosen])
    return metrics.crop_metrics(labels, predicted[chosen], names, metrics.THRESHOLD)
