"""Measures an exported model on labeled images: their stored features, or frames if finetuned."""

from collections.abc import Callable, Sequence

import numpy as np

from beampose.core import artefacts, task_kinds
from beampose.core.infos import Figures, ModelInfo
from beampose.core.settings.experiment import Config
from beampose.trainer import judging
from beampose.trainer.dataset import Dataset
from beampose.trainer.judging import Judge
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
    from beampose.trainer import encoded_frames, export

    info = artefacts.require(config.model, ModelInfo)
    dataset = Dataset(config.dataset, config.store, cache_mb=0)
    if info.store != dataset.info.store:
        raise ValueError(
            f"{config.model} was trained on the features of {info.store}, the dataset has those "
            f"of {dataset.info.store}. Run `beampose train` again."
        )
    judge = judging.of_info(info, config.predict.pcutoff)
    signatures = export.load(config.model).signatures  # pyright: ignore[reportAttributeAccessIssue]
    records = [r for split in SPLITS for r in dataset.of(split)]
    if info.mode == "finetune":
        predicted = encoded_frames.answers(
            lambda given: signatures["frames"](frames=given),
            encoded_frames.Frames(config.dataset),
            records,
            config.head.batch_size,
            judge.read,
        )
    else:
        predicted = _of_features(signatures["features"], dataset, records, judge)
    return Evaluation(
        config.task,
        list(judge.names),
        records,
        judge.matched(records, predicted),
        {split: _measure(judge, records, predicted, split) for split in SPLITS},
        judge.individuals,
    )


def _of_features(
    signature: Callable, dataset: Dataset, records: Sequence[LabelRecord], judge: Judge
) -> np.ndarray:
    """Predictions by signature `features`: of maps one by one, since their sizes may differ."""
    import tensorflow as tf

    features = [dataset.features(r) for r in records]
    if task_kinds.of_info(dataset.info).pooled:
        calls = [{"features": np.stack(features)}]
    else:
        sizes = [np.array([[r.height, r.width]], np.int32) for r in records]
        calls = [{"features": f[None], "size": s} for f, s in zip(features, sizes, strict=True)]
    found = []
    for call in calls:
        outputs = signature(**{name: tf.constant(value) for name, value in call.items()})
        found.append(judge.read({name: value.numpy() for name, value in outputs.items()}))
    return np.concatenate(found)


def _measure(
    judge: Judge, records: Sequence[LabelRecord], predicted: np.ndarray, split: str
) -> Figures:
    chosen = [i for i, r in enumerate(records) if r.split == split]
    return judge.measure([records[i] for i in chosen], predicted[chosen]) if chosen else Figures()
