"""What each verb does, between the command line and the rooms that do the work."""

import argparse
import contextlib
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from preprocess import files
from preprocess.labels import ERROR, Problem
from trainer import artefacts
from trainer import config as configs
from trainer.config import Config

if TYPE_CHECKING:
    from pipelines.cloud.settings import Cloud

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
    if arguments.cloud:
        from pipelines.cloud import prices as pricing
        from pipelines.cloud import settings

        cloud = settings.load(arguments.cloud)
        table = planning.read_prices(_price_table(arguments))
        print(pricing.describe(pricing.costs(found, cloud, table), table))
    print(f"plan: {planning.save(found, config)}")
    return 0


def _price_table(arguments: argparse.Namespace) -> str:
    from pipelines import plan as planning

    path = getattr(arguments, "prices", None) or planning.PRICES_FILE
    if not files.exists(path):
        raise FileNotFoundError(
            f"No price table {path}: run in the project's folder, name one with --prices, or drop "
            "the limit (--budget, max_cost)."
        )
    return path


def _check_budget(
    arguments: argparse.Namespace, config: Config, cloud: "Cloud", step: str, trials: int = 1
) -> None:
    """Refuses a job whose estimate is above the limit, if there is one."""
    limit = cloud.max_cost if arguments.budget is None else arguments.budget
    if limit is None:
        return
    from pipelines import plan as planning
    from pipelines.cloud import prices as pricing

    table = planning.read_prices(_price_table(arguments))
    found = pricing.costs(planning.plan(config, None), cloud, table, trials=trials)
    if step in found:
        print(pricing.describe({step: found[step]}, table))
        pricing.check([found[step]], limit)


def features(arguments: argparse.Namespace) -> int:
    """Fills the store and writes the dataset."""
    from pipelines.features import pipeline

    config = _config(arguments)
    _say_if_random(config)
    with _beam_job(arguments, config, "features") as (config, words):
        summary = pipeline.run(config, words)
    _print_counters(arguments, summary.counters)
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

    trials = _trials(arguments)
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


def _trials(arguments: argparse.Namespace) -> list[tuple[dict[str, Any], Config]]:
    from pipelines import search
    from trainer import sweep as sweeping

    if arguments.spec is None:
        return sweeping.combinations(arguments.config, arguments.set)
    chosen = search.settings(search.read(arguments.spec))
    return [(one, search.load(arguments.config, arguments.set, one)) for one in chosen]


def submit(arguments: argparse.Namespace) -> int:
    """Trains on Vertex AI, follows the log, registers the model. 1 if the job failed."""
    from pipelines import search
    from pipelines.cloud import credentials, settings, stage, vertex

    config = _config(arguments)
    spec = None if arguments.spec is None else search.read(arguments.spec)
    cloud = settings.load(arguments.cloud)
    found = credentials.find(stand_in=settings.is_stand_in(cloud.vertex.endpoint))
    _check_budget(arguments, config, cloud, "train", 1 if spec is None else spec.trials)
    moved = stage.config(config, cloud)
    if stage.dataset(config, moved):
        print(f"submit: the dataset and its store were put into {moved.output}")
    services = vertex.Services(cloud, found)
    job = vertex.submit(services, moved, spec)
    print(f"submit: {job.display_name} {vertex.page(job, cloud)}")
    if arguments.no_wait:
        print(f"It goes on by itself; its model will be in {job.output}. Not registered.")
        return 0
    try:
        done = vertex.follow(services, job, print)
    except RuntimeError as error:
        print(f"FAILED {error}", file=sys.stderr)
        return 1
    if spec is not None:
        chosen, value, trial = vertex.best(done, spec)
        vertex.adopt(job, trial, moved)
        words = "  ".join(f"{key}={one}" for key, one in chosen.items())
        print(
            f"submit: trial {trial} is the best: {search.GOALS[config.task][0]} {value:.4g} {words}"
        )
    metrics = artefacts.read_json(artefacts.place(moved.model, "metrics.json"))
    print(_headline(moved, metrics))
    name, version = vertex.register(services, moved, _alias(job.display_name))
    print(f"submit: registered as {name} version {version}")
    return 0


def _alias(name: str) -> str:
    """A version alias the registry takes."""
    return name.removeprefix("beampose-").lower().replace("_", "-").replace(".", "-")[:60]


def requests(arguments: argparse.Namespace) -> int:
    """Writes a request file and tries it on the model. 1 if an instance would fail."""
    from pipelines.cloud import requests as asking

    config = _config(arguments)
    found = asking.images(arguments.images)
    written = asking.write(found, arguments.to, arguments.kind)
    failures = asking.check(config.model, written.path, arguments.kind)
    for place, why in failures:
        print(f"FAILED {place}: {why}")
    print(
        f"requests: {written.instances} images in {written.path}, {len(failures)} of them fail; "
        f"at most {written.batch_size} fit one request of the service."
    )
    if failures or not arguments.cloud:
        return 1 if failures else 0
    return _send_requests(arguments, config, written.path, written.batch_size)


def _send_requests(
    arguments: argparse.Namespace, config: Config, file: str, batch_size: int
) -> int:
    from pipelines.cloud import credentials, settings, stage, vertex

    cloud = settings.load(arguments.cloud)
    found = credentials.find(stand_in=settings.is_stand_in(cloud.vertex.endpoint))
    services = vertex.Services(cloud, found)
    name, target = vertex.batch_predict(
        services,
        stage.config(config, cloud),
        file=file,
        kind=arguments.kind,
        batch_size=batch_size,
    )
    print(f"requests: {name} is started; its answers will be in {target}")
    return 0


def predict(arguments: argparse.Namespace) -> int:
    """Runs the model on videos. 1 if a video could not be read."""
    from pipelines.predict import pipeline

    config = _config(arguments)
    paths = _videos(arguments, config)
    # The estimate is of these videos, wherever they are named.
    config = replace(config, predict=replace(config.predict, videos=list(paths)))
    with _beam_job(arguments, config, "predict") as (config, words):
        summary = pipeline.run(config, paths, words)
    _print_counters(arguments, summary.counters)
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


def watch(arguments: argparse.Namespace) -> int:
    """Makes models of the zips that land in a folder. With --once, 1 if one has no model."""
    from pipelines.cloud import incoming, recipe
    from pipelines.cloud import watch as watching

    if not arguments.every > 0:
        raise ValueError(f"--every must be above 0 seconds. Received: {arguments.every:g}.")
    recipe.check(arguments.config, arguments.set)
    settings = incoming.Settings(template=arguments.config, sets=tuple(arguments.set))
    watch = watching.Watch(arguments.folder, arguments.models, settings)
    if arguments.once:
        return watching.once(watch, arguments.every)
    print(f"Zips that land in {watch.zips} become models in {watch.models}. Ctrl-C ends this.")
    watching.forever(watch, arguments.every)
    return 0


class Positional(NamedTuple):
    """What stands after a verb."""

    name: str
    help: str


CONFIG = Positional("config", "the experiment's YAML file")


class Verb(NamedTuple):
    """A verb.

    Attributes:
      positional: what it works on.
      videos: takes videos after the config.
      beam: takes Beam options after --.
      cloud: takes --cloud.
      actions: words of which one stands before the config.
      options: of its own: the flag, and what argparse shall know of it.
    """

    run: Callable[[argparse.Namespace], int]
    help: str
    videos: bool = False
    beam: bool = False
    cloud: bool = False
    tensorflow: bool = True
    actions: tuple[str, ...] = ()
    options: tuple[tuple[str, dict[str, Any]], ...] = ()
    positional: Positional = CONFIG


MONEY = (
    ("--budget", {"type": float, "metavar": "AMOUNT", "help": "refuse a job that costs more"}),
    ("--prices", {"metavar": "FILE", "help": "default: configs/prices.yaml"}),
)
VERBS = {
    "check": Verb(check, "list every problem of the labels", tensorflow=False),
    "plan": Verb(
        plan,
        "images, bytes, seconds and money, before anything is spent",
        options=(MONEY[1], ("--cloud", {"metavar": "FILE", "help": "price it: cloud.yaml"})),
    ),
    "features": Verb(
        features,
        "embed labeled images once, into the store",
        beam=True,
        cloud=True,
        options=MONEY,
    ),
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
        options=(
            ("--folds", {"type": int, "metavar": "K", "help": "score by cross validation"}),
            ("--spec", {"metavar": "FILE", "help": "settings to search: configs/search.yaml"}),
        ),
    ),
    "submit": Verb(
        submit,
        "train on Vertex AI from features in a bucket, and register the model",
        options=(
            ("--cloud", {"metavar": "FILE", "required": True, "help": "configs/cloud.yaml"}),
            ("--spec", {"metavar": "FILE", "help": "search settings: configs/search.yaml"}),
            ("--no-wait", {"action": "store_true", "help": "only start the job"}),
            *MONEY,
        ),
    ),
    "requests": Verb(
        requests,
        "write images as a request file of Vertex batch prediction, tried on the model first",
        options=(
            ("--images", {"nargs": "+", "required": True, "help": "images, folders or globs"}),
            ("--to", {"metavar": "FILE", "required": True, "help": "the request file"}),
            ("--kind", {"choices": ("jsonl", "file-list", "tf-record"), "default": "jsonl"}),
            ("--cloud", {"metavar": "FILE", "help": "start the job too: cloud.yaml"}),
        ),
    ),
    "predict": Verb(
        predict,
        "run the model on videos",
        videos=True,
        beam=True,
        cloud=True,
        options=MONEY,
    ),
    "render": Verb(render, "draw predictions into videos", videos=True, tensorflow=False),
    "store": Verb(
        store,
        "list what the stores hold, verify every checksum, or prune what no dataset refers to",
        actions=("ls", "verify", "prune"),
        options=(("--dry-run", {"action": "store_true", "help": "prune: only say what would go"}),),
    ),
    "run": Verb(run, "all of these in one go, and a report", videos=True, beam=True),
    "watch": Verb(
        watch,
        "make a model of every zip that lands in a folder",
        positional=Positional("folder", "folder or gs:// address; zips land in its incoming/"),
        options=(
            ("--models", {"metavar": "FOLDER", "help": "default: models/ beside incoming/"}),
            ("--once", {"action": "store_true", "help": "handle what is there and end"}),
            (
                "--every",
                {
                    "type": float,
                    "default": 10.0,
                    "metavar": "SECONDS",
                    "help": "between two looks; default: 10",
                },
            ),
            ("--config", {"metavar": "TEMPLATE", "help": "an experiment whose settings all have"}),
        ),
    ),
}


def _config(arguments: argparse.Namespace) -> Config:
    return configs.load(arguments.config, arguments.set)


@contextlib.contextmanager
def _beam_job(
    arguments: argparse.Namespace, config: Config, verb: str
) -> Iterator[tuple[Config, list[str]]]:
    """The experiment and the Beam options of a job: with --cloud, in the bucket and on Dataflow."""
    settings = _cloud(arguments)
    if settings is None:
        yield config, arguments.beam
        return
    import tempfile

    from pipelines.cloud import archives, dataflow, stage

    _check_budget(arguments, config, settings, verb)
    moved = stage.config(config, settings)
    if verb == "predict" and stage.model(config, moved):
        print(f"{verb}: the model was put into {moved.output}")
    print(f"{verb}: on Dataflow in {settings.region}, results go to {moved.output}")
    with tempfile.TemporaryDirectory() as folder:
        package = archives.build(archives.ALL, folder)
        name = dataflow.job_name(verb, files.name(moved.output))
        words = dataflow.words(settings, name=name, package=str(package))
        yield moved, [*words, *arguments.beam]


def _cloud(arguments: argparse.Namespace) -> "Cloud | None":
    """The settings of --cloud, once Google has accepted this machine's credentials."""
    if not getattr(arguments, "cloud", None):
        return None
    from pipelines.cloud import credentials, settings

    found = settings.load(arguments.cloud)
    credentials.find(stand_in=settings.is_stand_in(found.dataflow.endpoint))
    return found


def _print_counters(arguments: argparse.Namespace, counters: dict[str, int]) -> None:
    if getattr(arguments, "cloud", None):
        for name, count in sorted(counters.items()):
            print(f"  {name} {count}")


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
