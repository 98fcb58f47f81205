"""Verbs on videos of several animals."""

import argparse
from collections.abc import Callable

from beampose.pipelines.outcome import Outcome
from beampose.pipelines.outcomes import video_outcomes
from beampose.pipelines.verbs import command_line
from beampose.pipelines.verbs.printed import told


def track(arguments: argparse.Namespace) -> int:
    """Joins predicted animals into tracks. 1 if a video could not be tracked."""
    return _tracks(arguments, video_outcomes.track)


def reid(arguments: argparse.Namespace) -> int:
    """Learns to tell animals apart and tracks them by it. 1 if a video could not be tracked."""
    return _tracks(arguments, video_outcomes.reid)


def _tracks(arguments: argparse.Namespace, step: Callable[..., Outcome]) -> int:
    config = command_line.config(arguments)
    paths = command_line.predicted(arguments, config)
    made = step(config, paths, arguments.progress, labels=arguments.labels, slp=arguments.slp)
    return told(made)
