"""Entry point of training: `python -m beampose.trainer.task --config CONFIG.yaml`."""

import argparse
import logging
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from beampose.core import __version__, files, name_parts, storage
from beampose.core.infos import DatasetInfo, Figures, Metrics, ModelInfo, Seconds, Uncertainty
from beampose.core.names import FOLDS_HISTORY, HISTORY, METRICS
from beampose.core.settings import experiment
from beampose.core.task_kinds import TaskKind
from beampose.trainer import tuning
from beampose.trainer.quiet import import_tensorflow

if TYPE_CHECKING:
    import numpy as np

    from beampose.trainer.dataset import Dataset
    from beampose.trainer.encoded_frames import Frames
    from beampose.trainer.outcomes import CrossValidation
    from beampose.trainer.tasks.contract import Trainable
    from beampose.trainer.training import Result

LOG = logging.getLogger(__name__)
RANDOM_NOTE = (
    "Made with RANDOM backbone weights: this proves the wiring, not the accuracy. "
    "For real work set features.weights: imagenet."
)


class Folders(NamedTuple):
    """Folders that a training reads and writes."""

    dataset: str
    stores: str
    model: str
    checkpoints: str
    logs: str


def parser() -> argparse.ArgumentParser:
    """Arguments of the entry point. The AIP_ variables that Vertex AI sets are their defaults."""
    made = argparse.ArgumentParser(prog="python -m beampose.trainer.task", description=__doc__)
    made.add_argument("--config", required=True, help="the experiment's YAML file")
    made.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    made.add_argument("--dataset", help="folder of labels; default: the output's dataset/")
    made.add_argument("--stores", help="folder of feature stores; default: the output's store/")
    made.add_argument("--model-dir", default=_variable("AIP_MODEL_DIR"))
    made.add_argument("--checkpoint-dir", default=_variable("AIP_CHECKPOINT_DIR"))
    made.add_argument("--log-dir", default=_variable("AIP_TENSORBOARD_LOG_DIR"))
    made.add_argument("--version", action="version", version=__version__)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the entry point. Returns 0, or 2 after a human-readable message."""
    arguments, rest = parser().parse_known_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        settings = [*arguments.set, *tuning.overrides(rest)]
        config = experiment.load(arguments.config, settings)
        folders = default_folders(config)
        given = {
            "dataset": arguments.dataset,
            "stores": arguments.stores,
            "model": arguments.model_dir,
            "checkpoints": arguments.checkpoint_dir,
            "logs": arguments.log_dir,
        }
        run(config, folders._replace(**{k: v for k, v in given.items() if v}))
    except (OSError, ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def default_folders(config: experiment.Config) -> Folders:
    """The folders of an experiment on one machine."""
    return Folders(
        dataset=config.dataset,
        stores=config.store,
        model=config.model,
        checkpoints=files.join(config.output, "train", "checkpoints"),
        logs=files.join(config.output, "train", "logs"),
    )


def run(config: experiment.Config, folders: Folders) -> Metrics:
    """Trains, evaluates, exports and verifies. Returns the metrics it wrote."""
    import_tensorflow()
    from beampose.trainer import export
    from beampose.trainer.dataset import Dataset
    from beampose.trainer.encoded_frames import Frames
    from beampose.trainer.training import train

    dataset = Dataset(folders.dataset, folders.stores, cache_mb=config.train.cache_mb)
    judged = _cross_validate(config, dataset, folders) if config.train.folds else None
    if judged and config.train.ensemble:
        result = _together(config, dataset, judged)
    else:
        result = train(config, dataset, checkpoints=folders.checkpoints, logs=folders.logs)
    before = None
    if config.train.mode == "finetune":
        before, result = result, _finetuned(config, dataset, folders, result)
    # Only now: a training that fails leaves the last model whole.
    storage.begin(folders.model)
    began = time.perf_counter()
    model = result.task.model()
    export.save(model, folders.model)
    frame, features = _probe(dataset, Frames(folders.dataset))
    # Stored features are not those of a finetuned backbone.
    skew = export.verify(folders.model, model, frame, None if before else features)
    LOG.info("Exported, reloaded and verified in %.0f s.", time.perf_counter() - began)
    predicted = {
        split: result.task.predict(dataset.of(split), config.train.batch_size)
        for split in ("train", "test")
    }
    metrics = _metrics(config, dataset, result, predicted)
    if before:
        metrics = _with_before(config, dataset, before, result, metrics)
        file = storage.place(folders.model, "history_before_finetune.json")
        storage.write_json(file, before.history)
    if judged:
        storage.write_json(storage.place(folders.model, FOLDS_HISTORY), judged.histories)
        metrics = metrics.replace(
            folds=judged.metrics.replace(number=config.train.folds),
            seconds=metrics.seconds.replace(folds=round(judged.seconds, 2)),
        )
    uncertainty = _uncertainty(dataset, result.task, predicted["test"], judged)
    if uncertainty:
        metrics = metrics.replace(uncertainty=uncertainty)
    storage.write_info(storage.place(folders.model, METRICS), metrics)
    storage.write_json(storage.place(folders.model, HISTORY), result.history)
    score = result.task.kind.score
    tuning.report(score, metrics.test[score], result.best_step)
    info = _info(config, dataset, result, skew, uncertainty)
    info = info.replace(tensors=export.tensor_names(folders.model))
    storage.complete(folders.model, info)
    return metrics


def _finetuned(
    config: experiment.Config, dataset: "Dataset", folders: Folders, start: "Result"
) -> "Result":
    from beampose.trainer import finetune

    return finetune.finetune(
        config,
        dataset,
        start,
        folder=folders.dataset,
        checkpoints=folders.checkpoints,
        logs=files.join(folders.logs, "finetune"),
    )


def _with_before(
    config: experiment.Config,
    dataset: "Dataset",
    before: "Result",
    result: "Result",
    metrics: Metrics,
) -> Metrics:
    """The metrics of a finetuned model, with what its head reached on stored features."""
    test = dataset.of("test")
    measured = Figures()
    if test:
        predicted = before.task.predict(test, config.train.batch_size)
        measured = before.task.judge.measure(test, predicted)
    seconds = {"train": round(before.seconds, 2), "finetune": round(result.seconds, 2)}
    return metrics.replace(
        mode="finetune",
        seconds=metrics.seconds.replace(**seconds),
        test_before_finetune=measured,
        finetuned_weights_digest=result.task.model().embedder.backbone.tuned_digest(),
    )


def _cross_validate(
    config: experiment.Config, dataset: "Dataset", folders: Folders
) -> "CrossValidation":
    """Heads on parts of the training split; the test split stays unseen by all of them."""
    from beampose.trainer import cross_validation

    return cross_validation.cross_validate(
        config,
        cross_validation.training_part(dataset),
        folds=config.train.folds,
        by_video=False,
        work=files.join(folders.checkpoints, "folds"),
    )


def _together(config: experiment.Config, dataset: "Dataset", judged: "CrossValidation") -> "Result":
    """The heads of all folds as one model."""
    from beampose.trainer.tasks import task_table
    from beampose.trainer.training import Result

    task = task_table.make(config, dataset)
    task.members = [one.head for one in judged.tasks]
    task.finish()
    return Result(task, [], config.train.steps, None, judged.seconds)


def _uncertainty(
    dataset: "Dataset", task: "Trainable", predicted: "np.ndarray", judged: "CrossValidation | None"
) -> Uncertainty | None:
    """The radius of each bodypart, with the share of held-out errors inside it; None for crops."""
    from beampose.trainer import cross_validation

    if judged is None or judged.radius is None:
        return None
    test = dataset.of("test")
    share = None
    if test:
        share = cross_validation.covered(
            judged.radius.radius_px, task.judge.errors(test, predicted)
        )
    return judged.radius.replace(coverage_test=share, images=len(judged.records))


def scorer(info: DatasetInfo, backbone: str, step: int) -> str:
    """DeepLabCut's name for what made the coordinates."""
    network = backbone.replace("_", "").replace(".", "")
    return f"DLC_beampose-{network}_{name_parts.safe(info.project)}shuffle1_{step}"


def _probe(dataset: "Dataset", frames: "Frames"):
    """A labeled image and its stored features, or a random image where none can be read."""
    import numpy as np

    from beampose.trainer.encoded_frames import probes

    for record in probes(dataset.records):
        try:
            return frames.pixels(record), dataset.features(record)
        except (OSError, ValueError):
            continue
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3))
    return noise.astype(np.uint8), None


def _metrics(
    config: experiment.Config,
    dataset: "Dataset",
    result: "Result",
    predicted: dict[str, "np.ndarray"],
) -> Metrics:
    task = result.task
    records = {split: dataset.of(split) for split in ("train", "test")}
    measured = {
        split: task.judge.measure(found, predicted[split]) if found else Figures()
        for split, found in records.items()
    }
    store = dataset.store_info
    metrics = Metrics(
        split={split: len(found) for split, found in records.items()},
        train=measured["train"],
        test=measured["test"],
        test_at_last_step=result.last,
        kept_step=result.best_step,
        kept_by=_kept_by(config, task.kind, bool(records["test"])),
        seconds=Seconds(features=dataset.info.seconds, train=round(result.seconds, 2)),
        backbone=store.recipe.backbone,
        weights=store.weights,
        weights_digest=store.recipe.weights_digest,
    )
    if task.kind.summary:
        metrics = metrics.replace(**dict(measured["test"].plain()))
    if store.weights.startswith("random:"):
        metrics = metrics.replace(note=RANDOM_NOTE)
    return metrics


def _kept_by(config: experiment.Config, kind: TaskKind, tested: bool) -> str:
    if config.train.ensemble:
        return f"last step of {config.train.folds} heads"
    return f"best test {kind.score}" if tested else "last step"


def _info(
    config: experiment.Config,
    dataset: "Dataset",
    result: "Result",
    skew: float | None,
    uncertainty: Uncertainty | None,
) -> ModelInfo:
    import keras
    import tensorflow as tf

    names = ("task", "bodyparts", "individuals", "edges", "classes", "scorer", "project", "split")
    store = dataset.store_info
    backbone = store.recipe.backbone
    tuned = config.train.mode == "finetune"
    return ModelInfo(
        made_by=f"beampose {__version__} train",
        **{name: getattr(dataset.info, name) for name in names},
        # The steps of finetuning are counted from 0 again, so it needs another name.
        dlc_scorer=scorer(dataset.info, backbone + ("tuned" if tuned else ""), result.best_step),
        frame_size=_frame_size(dataset),
        crop_rule=dataset.info.crop_rule,
        mode=config.train.mode,
        store=dataset.info.store,
        recipe=store.recipe,
        weights=store.weights,
        transform_digest=store.transform_digest,
        pixels_against_stored_features=skew,
        **result.task.facts(),
        heads=len(result.task.members),
        uncertainty=uncertainty,
        config=experiment.to_dict(config),
        versions={
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    )


def _frame_size(dataset: "Dataset") -> list[int]:
    """Height and width of most labeled images."""
    sizes = Counter((record.height, record.width) for record in dataset.records)
    return list(min(sizes, key=lambda size: (-sizes[size], size)))


def _variable(name: str) -> str | None:
    # Vertex ends its folders with a slash, and `model//saved_model.pb` is another object.
    return os.environ.get(name, "").rstrip("/") or None


if __name__ == "__main__":
    sys.exit(main())
