"""Verbs from labels to a model."""

import argparse
import shlex
import sys
from typing import Any

from beampose.core import artefacts, files, folder_lock
from beampose.core.infos import CurveInfo
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.outcomes import model_outcomes
from beampose.pipelines.verbs import beam_jobs, command_line
from beampose.pipelines.verbs.printed import told


def plan(arguments: argparse.Namespace) -> int:
    """Says what an experiment will take, before anything is spent."""
    from beampose.pipelines import planning

    config = command_line.config(arguments)
    prices = command_line.price_table(arguments)
    found = planning.plan(config, prices)
    print(planning.describe(found))
    if arguments.cloud:
        from beampose.pipelines.cloud import cloud_settings, idle_costs, pricing

        cloud = cloud_settings.load(arguments.cloud)
        table = planning.read_prices(prices)
        print(pricing.describe(pricing.costs(found, cloud, table), table))
        print(*idle_costs.lines(found, table), sep="\n")
    print(f"plan: {planning.save(found, config)}")
    return 0


def features(arguments: argparse.Namespace) -> int:
    """Fills the store and writes the dataset."""
    from beampose.pipelines.features import feature_job

    if arguments.dry_run:
        return beam_jobs.dry_run(arguments, "features")
    config = command_line.config(arguments)
    say_if_random(config)
    with beam_jobs.beam_job(arguments, config, "features") as (config, words):
        summary = feature_job.run(config, words)
    beam_jobs.print_counters(arguments, summary.counters)
    return told(summary)


def train(arguments: argparse.Namespace) -> int:
    """Trains, evaluates, exports and verifies."""
    config = command_line.config(arguments)
    say_if_outdated(config)
    return told(model_outcomes.train(config))


def export(arguments: argparse.Namespace) -> int:
    """Writes the model for another runtime, where it is run once."""
    from beampose.pipelines.exports import model_export

    config = command_line.config(arguments)
    return told(model_export.run(config, arguments.format, arguments.to, arguments.size))


def evaluate(arguments: argparse.Namespace) -> int:
    """Measures the exported model and draws its predictions; or cross validates its settings."""
    config = command_line.config(arguments)
    folded = arguments.folds is not None or arguments.by is not None
    if folded and arguments.curve is not None:
        raise ValueError("--curve and cross validation are two evaluations: give one at a time.")
    say_if_outdated(config)
    if folded:
        with folder_lock.experiment(config.output):
            return _cross_validate(config, arguments)
    if arguments.curve is not None:
        with folder_lock.experiment(config.output):
            return _learning_curve(config, arguments.curve)
    return told(model_outcomes.evaluate(config))


def _cross_validate(config: Config, arguments: argparse.Namespace) -> int:
    from beampose.pipelines.report import evaluation_files
    from beampose.pipelines.space import space_errors
    from beampose.trainer import choice, cross_validation

    if arguments.folds is not None and arguments.by is not None:
        raise ValueError("--folds and --by are two ways to make folds: give one.")
    dataset, config = choice.of_experiment(config)
    result = cross_validation.cross_validate(
        config,
        dataset,
        folds=arguments.folds or 0,
        by_video=arguments.by == "video",
        work=files.join(config.output, "train", "folds"),
    )
    judged = space_errors.Judged(result.records, result.predicted, dataset.bodyparts, result.radius)
    whole = space_errors.with_space(config, judged, {"all": result.metrics})["all"]
    file = evaluation_files.write_folds(result._replace(metrics=whole), config, dataset.info)
    print(evaluation_files.folds_table(result))
    if whole.space:
        print(space_errors.line(whole.space, "all folds"))
    print(f"{result.seconds:.0f} s of training, 0 images embedded. Every prediction: {file}")
    return 0


def _learning_curve(config: Config, sizes: int) -> int:
    from beampose.pipelines.report import curve_files
    from beampose.trainer import choice, learning_curve

    dataset, config = choice.of_experiment(config)
    work = files.join(config.output, "train", "curve")
    result = learning_curve.learning_curve(config, dataset, sizes=sizes, work=work)
    file = curve_files.write(result, config, dataset.info)
    print(curve_files.table(artefacts.read_info(file, CurveInfo)))
    print(
        f"{result.seconds:.0f} s of training, 0 images embedded: {file}. `beampose report` shows "
        "it in the report."
    )
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Writes report.html and its plots from what is there."""
    config = command_line.config(arguments)
    say_if_outdated(config)
    return told(model_outcomes.report(config))


def sweep(arguments: argparse.Namespace) -> int:
    """Trains every combination of settings on one store; the best becomes the model."""
    trials = _trials(arguments)
    say_if_outdated(trials[0][1])
    with folder_lock.experiment(trials[0][1].output):
        return _sweep(trials, arguments)


def _sweep(trials: list[tuple[dict[str, Any], Config]], arguments: argparse.Namespace) -> int:
    from beampose.pipelines.report import sweep_table
    from beampose.trainer import sweeps, task
    from beampose.trainer.dataset import Dataset

    first = trials[0][1]
    results = sweeps.run(
        trials,
        Dataset(first.dataset, first.store, cache_mb=first.train.cache_mb),
        work=files.join(first.output, "train", "sweep"),
        count=arguments.folds or 0,
    )
    file = sweep_table.write(results, first, arguments.folds or 0)
    print(sweep_table.table(results))
    best = results[0]
    if best.score is None:
        print(f"No combination could be scored: {best.failure or 'nothing is held out'}")
        return 1
    # The heads that were scored have learned from a part of the images, the model does from all.
    print(
        model_outcomes.Trained(
            best.config.model, task.run(best.config, task.default_folders(best.config))
        )
    )
    words = " ".join(f"--set {shlex.quote(f'{key}={one}')}" for key, one in best.settings.items())
    print(f"sweep: the model has {words}. 0 images embedded. {file}")
    return 0


def _trials(arguments: argparse.Namespace) -> list[tuple[dict[str, Any], Config]]:
    from beampose.pipelines import search_spec
    from beampose.trainer import sweeps

    if arguments.spec is None:
        return sweeps.combinations(arguments.config, arguments.set)
    chosen = search_spec.settings(search_spec.read(arguments.spec))
    return [(one, search_spec.load(arguments.config, arguments.set, one)) for one in chosen]


def store(arguments: argparse.Namespace) -> int:
    """Lists, verifies or prunes the stores of an experiment. 1 if one of them is damaged."""
    from beampose.pipelines.features import inventory

    config = command_line.config(arguments)
    stores, own = config.store, config.dataset
    if arguments.action == "verify":
        wrong = 0
        for line in inventory.verify(stores, own, arguments.progress):
            print(f"DAMAGED {line}")
            wrong += 1
        print(f"store: {counted(wrong, 'problem')} in {stores}")
        return 1 if wrong else 0
    if arguments.action == "prune":
        pruned = inventory.prune(stores, own, dry=arguments.dry_run)
        done = "would be dropped" if arguments.dry_run else "dropped"
        print(
            f"store: {counted(pruned.records, 'feature')} ({pruned.bytes / 1e6:.1f} MB) no "
            f"dataset refers to and {counted(pruned.files, 'file')} of killed runs {done}. {stores}"
        )
        return 0
    for holding in inventory.listed(stores, own):
        print(inventory.line(holding))
    return 0


def say_if_outdated(config: Config) -> None:
    """Says that a step goes by labels that are not those of the project any more."""
    from beampose.pipelines.features import labeled_source

    if said := labeled_source.outdated(config):
        print(f"NOTE: {said}", file=sys.stderr)


def say_if_random(config: Config) -> None:
    if config.weights.startswith("random:"):
        from beampose.trainer.advice import RANDOM_NOTE

        print(f"NOTE: {RANDOM_NOTE}", file=sys.stderr)
