"""Entry point of training: `python -m beampose.trainer.task --config CONFIG.yaml`."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from beampose.core import __version__, artefacts, files, folder_lock, storage
from beampose.core.infos import Metrics
from beampose.core.names import CHECKPOINTS, FOLDS_HISTORY, HISTORY, METRICS
from beampose.core.settings import experiment
from beampose.trainer import devices, tuning
from beampose.trainer.quiet import import_tensorflow

if TYPE_CHECKING:
    from beampose.trainer.choice import Choice
    from beampose.trainer.dataset import Dataset
    from beampose.trainer.encoded_frames import Frames
    from beampose.trainer.model_records import Made
    from beampose.trainer.outcomes import CrossValidation
    from beampose.trainer.schema import LabelRecord
    from beampose.trainer.training import Result

LOG = logging.getLogger(__name__)


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
    made.add_argument("--gpus", type=int, default=0, help="how many the machine must show")
    made.add_argument("--version", action="version", version=__version__)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the entry point. Returns 0, or 2 after a human-readable message."""
    arguments, rest = parser().parse_known_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        devices.require(arguments.gpus)
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
        metrics = run(config, folders._replace(**{k: v for k, v in given.items() if v}))
        for line in metrics.warnings:
            LOG.warning("NOTE: %s", line)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"error: {files.why(error)}", file=sys.stderr)
        return 2
    return 0


def default_folders(config: experiment.Config) -> Folders:
    """The folders of an experiment on one machine."""
    return Folders(
        dataset=config.dataset,
        stores=config.store,
        model=config.model,
        checkpoints=files.join(config.output, CHECKPOINTS),
        logs=files.join(config.output, "train", "logs"),
    )


def run(config: experiment.Config, folders: Folders) -> Metrics:
    """Chooses the recipe, trains, evaluates, exports and verifies. Returns what it wrote.

    Raises:
      OSError: another run works on the same experiment.
    """
    import_tensorflow()
    # The service starts a job again whose machine it took away, perhaps on another one.
    with folder_lock.experiment(files.parent(folders.model), patient=True):
        return _run(config, folders)


def _run(config: experiment.Config, folders: Folders) -> Metrics:
    from beampose.trainer import choice, export, finished_training, model_records
    from beampose.trainer.dataset import Dataset
    from beampose.trainer.encoded_frames import Frames
    from beampose.trainer.model_digest import model_digest

    dataset = Dataset(folders.dataset, folders.stores, cache_mb=config.train.cache_mb)
    asked = finished_training.asked(config, dataset.info)
    finished = None if tuning.is_trial() else finished_training.metrics_of(folders.model, asked)
    if finished:
        LOG.info(
            "%s is trained on this dataset by these settings already: nothing to do. "
            "Another train.seed trains another one.",
            folders.model,
        )
        return finished
    chosen = choice.choose(config, dataset, work=folders.checkpoints)
    for line in chosen.lines():
        LOG.info("%s", line)
    made = _trained(chosen, dataset, folders)
    # Only now: a training that fails leaves the last model whole.
    artefacts.begin(folders.model)
    began = time.perf_counter()
    model = made.result.task.model()
    export.save(model, folders.model)
    frame, features = _probe(dataset, Frames(folders.dataset))
    # Stored features are not those of a finetuned backbone.
    skew = export.verify(folders.model, model, frame, None if made.before else features)
    LOG.info("Exported, reloaded and verified in %.0f s.", time.perf_counter() - began)
    metrics = model_records.metrics(made)
    artefacts.write_info(storage.place(folders.model, METRICS), metrics)
    histories: dict[str, list] = {HISTORY: made.result.history}
    if made.before:
        histories["history_before_finetune.json"] = made.before.history
    if made.judged:
        histories[FOLDS_HISTORY] = made.judged.histories
    for name, history in histories.items():
        storage.write_json(storage.place(folders.model, name), history)
    tuning.report(made.result.task.kind.score, made.result.kept_score, made.result.kept_step)
    info = model_records.info(made, metrics.uncertainty, skew)
    info = info.replace(
        tensors=export.tensor_names(folders.model),
        digest=model_digest(folders.model),
        asked=asked,
        labels=dataset.info.labels_digest,
    )
    artefacts.complete(folders.model, info)
    return metrics


def _trained(choice: "Choice", dataset: "Dataset", folders: Folders) -> "Made":
    """The head, or the heads of all folds, and the finetuned network if that is asked for."""
    from beampose.trainer.model_records import Made
    from beampose.trainer.training import train

    config = choice.config
    judged = _cross_validate(config, dataset, folders) if config.train.folds else None
    held_out = _held_out(config, dataset)
    if judged and config.train.ensemble:
        result = _together(config, dataset, judged)
    else:
        result = train(
            config,
            dataset,
            checkpoints=folders.checkpoints,
            logs=folders.logs,
            held_out=held_out,
        )
    if config.train.mode != "finetune":
        return Made(choice, dataset, result, None, judged)
    tuned = _finetuned(config, dataset, folders, result)
    return Made(choice, dataset, tuned, result, judged)


def _held_out(config: experiment.Config, dataset: "Dataset") -> "list[LabelRecord]":
    """Images of the training split that choose instead of being learned from; most often none.

    The test split must not choose: not the weights that `train.patience` keeps, nor the trial that
    a study prefers.
    """
    from beampose.trainer import cross_validation

    if not config.train.patience and not tuning.is_trial():
        return []
    names = cross_validation.held_out(dataset, config.split)
    return [r for r in dataset.of("train") if r.name in names]


def _finetuned(
    config: experiment.Config,
    dataset: "Dataset",
    folders: Folders,
    start: "Result",
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
    return Result(task, [], config.head.steps, judged.seconds)


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


def _variable(name: str) -> str | None:
    # Vertex ends its folders with a slash, and `model//saved_model.pb` is another object.
    return os.environ.get(name, "").rstrip("/") or None


if __name__ == "__main__":
    sys.exit(main())
