"""What each verb does, between the command line and the rooms that do the work."""

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from preprocess.labels import ERROR, Problem
from trainer import config as configs
from trainer.config import Config

LOG = logging.getLogger(__name__)


def check(arguments: argparse.Namespace) -> int:
    """Lists every problem of the labels. 1 if one of them is an error."""
    from pipelines.features import source
    from preprocess import validate

    config = _config(arguments)
    labels, splits = source.read(config, even_if_empty=True)

    def watched(items: Iterable) -> Iterable:
        return arguments.progress(items, len(labels.items), "images")

    problems = validate.report(labels, splits, watched)
    _print_problems(problems)
    levels = Counter(problem.level for problem in problems)
    held_out = splits.count("test")
    print(
        f"{len(labels.items)} labeled images ({len(splits) - held_out} train, {held_out} test): "
        f"{levels[ERROR]} errors, {levels['warning']} warnings."
    )
    return 1 if levels[ERROR] or not labels.items else 0


def plan(arguments: argparse.Namespace) -> int:
    """Says what an experiment will take, before anything is spent."""
    from pipelines import plan as planning

    config = _config(arguments)
    prices = arguments.prices
    if prices is None and Path(planning.PRICES_FILE).is_file():
        prices = planning.PRICES_FILE
    found = planning.plan(config, prices)
    print(planning.describe(found))
    if found.cloud is None:
        print("Dataflow  no price table: run in the project's folder, or --prices FILE")
    print(f"plan: {planning.save(found, config)}")
    return 0


def features(arguments: argparse.Namespace) -> int:
    """Fills the store and writes the dataset."""
    from pipelines.features import pipeline

    config = _config(arguments)
    _say_if_random(config)
    summary = pipeline.run(config, arguments.beam)
    print(
        f"features: {summary.images} labeled images, {summary.embedded} embedded, "
        f"{summary.rejected} rejected, {summary.seconds:.0f} s. {config.dataset}"
    )
    if summary.problems:
        print(f"{summary.problems} problems, one a line: {config.dataset}/rejects.jsonl")
    return 0


def train(arguments: argparse.Namespace) -> int:
    """Trains, evaluates, exports and verifies."""
    from trainer import task

    config = _config(arguments)
    metrics = task.run(config, task.default_folders(config))
    print(_headline(config, metrics))
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """Measures the exported model on the labeled images and draws them; or cross validates."""
    from pipelines.review import evaluation
    from trainer import evaluate as measuring

    config = _config(arguments)
    if arguments.folds is not None or arguments.by is not None:
        return _cross_validate(config, arguments)
    result = measuring.evaluate(config)
    file = evaluation.write(result, config)
    print(evaluation.table(result.metrics))
    print(f"Every label beside its prediction: {file}")
    return 0


def _cross_validate(config: Config, arguments: argparse.Namespace) -> int:
    from pipelines.review import evaluation
    from trainer import folds
    from trainer.dataset import Dataset

    if arguments.folds is not None and arguments.by is not None:
        raise ValueError("--folds and --by are two ways to make folds: give one.")
    dataset = Dataset(config.dataset, config.store, cache_mb=config.train.cache_mb)
    result = folds.cross_validate(
        config,
        dataset,
        folds=arguments.folds or 0,
        by_video=arguments.by == "video",
        work=configs.join(config.output, "train", "folds"),
    )
    file = evaluation.write_folds(result, config, dataset.info["store"])
    print(evaluation.folds_table(result))
    print(f"{result.seconds:.0f} s of training, 0 images embedded. Every prediction: {file}")
    return 0


def sweep(arguments: argparse.Namespace) -> int:
    """Trains every combination of settings on one store; the best becomes the model."""
    from pipelines.review import sweeps
    from trainer import sweep as sweeping
    from trainer import task
    from trainer.dataset import Dataset

    trials = sweeping.combinations(arguments.config, arguments.set)
    first = trials[0][1]
    results = sweeping.run(
        trials,
        Dataset(first.dataset, first.store, cache_mb=first.train.cache_mb),
        work=configs.join(first.output, "train", "sweep"),
        count=arguments.folds or 0,
    )
    file = sweeps.write(results, first, arguments.folds or 0)
    print(sweeps.table(results))
    best = results[0]
    if best.score is None:
        print(f"No combination could be scored: {best.failure or 'nothing is held out'}")
        return 1
    folders = task.default_folders(best.config)
    if not arguments.folds:
        # The run that was scored is taken up where it ended.
        folders = folders._replace(checkpoints=configs.join(best.checkpoints, "checkpoints"))
    print(_headline(best.config, task.run(best.config, folders)))
    words = " ".join(f"--set {key}={value}" for key, value in best.settings.items())
    print(f"sweep: the model has {words}. 0 images embedded. {file}")
    return 0


def predict(arguments: argparse.Namespace) -> int:
    """Runs the model on videos. 1 if a video could not be read."""
    from pipelines.predict import pipeline

    config = _config(arguments)
    summary = pipeline.run(config, _videos(arguments, config), arguments.beam)
    for video in summary.videos:
        print(
            f"{video['video']}: {video['rows']} rows for {video['frames_by_packets']} frames, "
            f"{video['frames_decoded']} decoded, {len(video['failures'])} failed"
        )
    for path, why in summary.failures:
        print(f"FAILED {path}: {why}")
    rate = f", {summary.frames / summary.seconds:.1f} frames/s" if summary.frames else ""
    print(
        f"predict: {len(summary.videos)} videos ({summary.kept} from before), {summary.frames} "
        f"frames in {summary.seconds:.0f} s{rate}. {config.predictions}"
    )
    return 1 if summary.failures else 0


def render(arguments: argparse.Namespace) -> int:
    """Draws predictions into videos. 1 if a video could not be drawn."""
    from pipelines.review import render as drawing

    config = _config(arguments)
    done, failures = drawing.run(config, _videos(arguments, config), arguments.progress)
    for path in done:
        print(f"render: {path}")
    for path, why in failures:
        print(f"FAILED {path}: {why}")
    return 1 if failures else 0


def store(arguments: argparse.Namespace) -> int:
    """Lists, verifies or prunes the stores of an experiment. 1 if one of them is damaged."""
    from pipelines.features import inventory

    config = _config(arguments)
    stores, own = config.store, config.dataset
    if arguments.action == "verify":
        wrong = 0
        for line in inventory.verify(stores, own, arguments.progress):
            print(f"DAMAGED {line}")
            wrong += 1
        print(f"store: {wrong} problems in {stores}")
        return 1 if wrong else 0
    if arguments.action == "prune":
        pruned = inventory.prune(stores, own, dry=arguments.dry_run)
        done = "would be dropped" if arguments.dry_run else "dropped"
        print(
            f"store: {pruned.records} features ({pruned.bytes / 1e6:.1f} MB) no dataset refers to "
            f"and {pruned.files} files of killed runs {done}. {stores}"
        )
        return 0
    for holding in inventory.listed(stores, own):
        print(inventory.line(holding))
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Features, train, evaluate, predict, render, and one report.html."""
    config = _config(arguments)
    arguments.folds = arguments.by = None
    worst = 0
    for step in (features, train, evaluate):
        worst = max(worst, step(arguments))
    if config.task == "pose" and _has_videos(arguments, config):
        for step in (predict, render):
            worst = max(worst, step(arguments))
    from pipelines.review import report

    print(f"report: {report.write(config)}")
    return worst


class Verb(NamedTuple):
    """A verb.

    Attributes:
      videos: takes videos after the config.
      beam: takes Beam options after --.
      actions: words of which one stands before the config.
      options: of its own: the flag, and what argparse shall know of it.
    """

    run: Callable[[argparse.Namespace], int]
    help: str
    videos: bool = False
    beam: bool = False
    tensorflow: bool = True
    actions: tuple[str, ...] = ()
    options: tuple[tuple[str, dict[str, Any]], ...] = ()


VERBS = {
    "check": Verb(check, "list every problem of the labels", tensorflow=False),
    "plan": Verb(
        plan,
        "images, bytes, seconds and money, before anything is spent",
        options=(("--prices", {"metavar": "FILE", "help": "default: configs/prices.yaml"}),),
    ),
    "features": Verb(features, "embed labeled images once, into the store", beam=True),
    "train": Verb(train, "train the head on stored features and export the model"),
    "evaluate": Verb(
        evaluate,
        "measure the model on the labeled images and draw them; or cross validate its settings",
        options=(
            ("--folds", {"type": int, "metavar": "K", "help": "train K heads, each without 1/K"}),
            ("--by", {"choices": ("video",), "help": "leave one video out, each in turn"}),
        ),
    ),
    "sweep": Verb(
        sweep,
        "train all combinations of --set train.KEY=A,B,C; the best becomes the model",
        options=(("--folds", {"type": int, "metavar": "K", "help": "score by cross validation"}),),
    ),
    "predict": Verb(predict, "run the model on videos", videos=True, beam=True),
    "render": Verb(render, "draw predictions into videos", videos=True, tensorflow=False),
    "store": Verb(
        store,
        "list what the stores hold, verify every checksum, or prune what no dataset refers to",
        actions=("ls", "verify", "prune"),
        options=(("--dry-run", {"action": "store_true", "help": "prune: only say what would go"}),),
    ),
    "run": Verb(run, "all of these in one go, and a report", videos=True, beam=True),
}


def _config(arguments: argparse.Namespace) -> Config:
    return configs.load(arguments.config, arguments.set)


def _has_videos(arguments: argparse.Namespace, config: Config) -> bool:
    return bool(arguments.videos or config.predict.videos)


def _videos(arguments: argparse.Namespace, config: Config) -> Sequence[str]:
    if not _has_videos(arguments, config):
        raise ValueError("No videos: name some after the config, or set predict.videos.")
    return arguments.videos or config.predict.videos


def _say_if_random(config: Config) -> None:
    if config.features.weights.startswith("random:"):
        from trainer.task import RANDOM_NOTE

        print(f"NOTE: {RANDOM_NOTE}", file=sys.stderr)


def _headline(config: Config, metrics: dict) -> str:
    note = f"NOTE: {metrics['note']}\n" if "note" in metrics else ""
    took = metrics["seconds"]
    seconds = f"{took['train']:.0f} s of training"
    seconds += f" and {took['finetune']:.0f} s of finetuning" if "finetune" in took else ""
    seconds += f". {config.model}"
    test = metrics["test"]
    if not test:
        return f"{note}train: no image is held out, so there is no error to report; {seconds}"
    if config.task == "crops":
        return f"{note}train: test accuracy {test['accuracy']:.3f}, {seconds}"
    if test["mean_error_px"] is None:
        return f"{note}train: the test images hold no labeled point; {seconds}"
    return (
        f"{note}train: test error {test['mean_error_px']:.2f} px "
        f"(median {test['median_error_px']:.2f}), {seconds}"
    )


def _print_problems(problems: list[Problem]) -> None:
    if not problems:
        return
    columns = zip(*map(_cells, problems), strict=True)
    widths = [max(len(str(cell)) for cell in column) for column in columns]
    for problem in sorted(problems, key=lambda p: (p.level, p.file, p.row)):
        level, place, image, what = _cells(problem)
        print(f"{level:<{widths[0]}}  {place:<{widths[1]}}  {image:<{widths[2]}}  {what}")


def _cells(problem: Problem) -> tuple[str, str, str, str]:
    place = f"{problem.file}:{problem.row}" if problem.row else problem.file
    return problem.level, place, Path(problem.image).name, problem.what
