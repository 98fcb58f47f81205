"""A Beam job on this machine or in the cloud, and what it may cost."""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from beampose.core import files
from beampose.core.settings.experiment import Config
from beampose.pipelines.verbs import command_line

if TYPE_CHECKING:
    from beampose.pipelines.cloud.cloud_settings import Cloud


@contextlib.contextmanager
def beam_job(
    arguments: argparse.Namespace, config: Config, verb: str
) -> Iterator[tuple[Config, list[str]]]:
    """The experiment and the Beam options of a job: with --cloud, in the bucket and on Dataflow."""
    settings = cloud_of(arguments)
    if settings is None:
        for name in ("budget", "prices"):
            if getattr(arguments, name, None) is not None:
                raise ValueError(f"--{name} applies to a job on Google Cloud: give --cloud, too.")
        yield config, arguments.beam
        return
    import tempfile

    from beampose.pipelines.cloud import (
        cloud_settings,
        code_wheel,
        dataflow,
        image_versions,
        staging,
    )

    stand_in = cloud_settings.is_stand_in(settings.dataflow.endpoint)
    if not stand_in and (why := image_versions.mismatch()):
        raise ValueError(why)
    check_budget(arguments, config, settings, verb)
    moved = staging.config(config, settings)
    if verb == "predict" and staging.model(config, moved):
        print(f"{verb}: the model was copied to {moved.output}")
    print(f"{verb}: on Dataflow in {settings.region}, results go to {moved.output}")
    with tempfile.TemporaryDirectory() as folder:
        package = code_wheel.build(folder)
        name = dataflow.job_name(verb, files.name(moved.output))
        words = dataflow.words(settings, name=name, package=str(package))
        yield moved, [*words, *arguments.beam]


def check_budget(
    arguments: argparse.Namespace, config: Config, cloud: "Cloud", step: str, trials: int = 1
) -> None:
    """Refuses a job whose estimate is above the limit, if there is one; --prices alone shows it."""
    if _limit(arguments, cloud) is not None or arguments.prices is not None:
        print(price(arguments, config, cloud, step, trials))


def _limit(arguments: argparse.Namespace, cloud: "Cloud") -> float | None:
    return cloud.max_cost if arguments.budget is None else arguments.budget


def price(
    arguments: argparse.Namespace, config: Config, cloud: "Cloud", step: str, trials: int = 1
) -> str:
    """What a job costs, human-readable.

    Raises:
      ValueError: more than the limit.
    """
    from beampose.pipelines import planning
    from beampose.pipelines.cloud import pricing

    table = planning.read_prices(command_line.price_table(arguments))
    only = step == "predict"
    plan = planning.predicting(config) if only else planning.plan(config, None, films=False)
    found = pricing.costs(plan, cloud, table, trials=trials)
    if step not in found:
        return f"{step}: what it costs cannot be estimated, so no limit is checked."
    pricing.check([found[step]], _limit(arguments, cloud))
    return pricing.describe({step: found[step]}, table)


def dry_run(
    arguments: argparse.Namespace, step: str, config: Callable[[], Config] | None = None
) -> int:
    """Prints what would be sent to Google Cloud. 1 if it would be refused.

    Args:
      config: reads the experiment; None: as its file says.
    """
    from beampose.pipelines.cloud import dry_run

    def priced(found: Config, cloud: "Cloud") -> str:
        from beampose.pipelines import search_spec

        if step != "submit":
            return price(arguments, found, cloud, step)
        spec = None if arguments.spec is None else search_spec.read(arguments.spec)
        return price(arguments, found, cloud, "train", 1 if spec is None else spec.trials)

    return dry_run.run(arguments, step, config or (lambda: command_line.config(arguments)), priced)


def cloud_of(arguments: argparse.Namespace) -> "Cloud | None":
    """The settings of --cloud, once Google has accepted this machine's credentials."""
    if not getattr(arguments, "cloud", None):
        return None
    from beampose.pipelines.cloud import cloud_settings, credentials

    found = cloud_settings.load(arguments.cloud)
    credentials.find(stand_in=cloud_settings.is_stand_in(found.dataflow.endpoint))
    return found


def print_counters(arguments: argparse.Namespace, counters: dict[str, int]) -> None:
    if getattr(arguments, "cloud", None):
        for name, count in sorted(counters.items()):
            print(f"  {name} {count}")
