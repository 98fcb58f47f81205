"""Arguments of the command line: the experiment, its videos, its price table."""

import argparse
from collections.abc import Sequence

from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config


def config(arguments: argparse.Namespace) -> Config:
    return experiment.load(arguments.config, arguments.set)


def has_videos(arguments: argparse.Namespace, config: Config) -> bool:
    return bool(arguments.videos or config.predict.videos)


def videos(arguments: argparse.Namespace, config: Config) -> Sequence[str]:
    if not has_videos(arguments, config):
        raise ValueError("No videos: name some after the config, or set predict.videos.")
    return arguments.videos or config.predict.videos


def price_table(arguments: argparse.Namespace) -> str:
    from beampose.pipelines import planning

    return arguments.prices or planning.PRICES_FILE
