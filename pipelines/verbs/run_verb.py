"""All of an experiment in one go."""

import argparse

from beampose.pipelines.outcomes import whole_run
from beampose.pipelines.verbs import command_line, training_verbs
from beampose.pipelines.verbs.printed import told


def run(arguments: argparse.Namespace) -> int:
    """Features, train, evaluate, predict, track if there are several, render, a report.html."""
    config = command_line.config(arguments)
    training_verbs.say_if_random(config)
    videos = arguments.videos or config.predict.videos
    return max(map(told, whole_run.each(config, videos, arguments.progress, arguments.beam)))
