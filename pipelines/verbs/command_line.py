"""Arguments of the command line: the experiment, its videos, its price table."""

import argparse
from collections.abc import Sequence

from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.pipelines.outcomes import video_outcomes


def config(arguments: argparse.Namespace) -> Config:
    return experiment.load(arguments.config, arguments.set)


def of_results(arguments: argparse.Namespace) -> Config:
    """The experiment of what is done to results, which needs no labels."""
    return experiment.load(arguments.config, arguments.set, labels=False)


def videos(arguments: argparse.Namespace, config: Config) -> Sequence[str]:
    return video_outcomes.chosen(arguments.videos, config)


def predicted(arguments: argparse.Namespace, config: Config) -> Sequence[str]:
    """Videos whose predictions are meant; all that there are where none is named."""
    return video_outcomes.predicted(arguments.videos, config)


def price_table(arguments: argparse.Namespace) -> str:
    from beampose.pipelines import planning

    return arguments.prices or planning.PRICES_FILE
