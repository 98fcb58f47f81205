"""All of an experiment in one go."""

import argparse

from beampose.core import storage
from beampose.core.settings.experiment import Config
from beampose.pipelines.verbs import animal_verbs, command_line, training_verbs, video_verbs


def run(arguments: argparse.Namespace) -> int:
    """Features, train, evaluate, predict, track if there are several, render, a report.html."""
    config = command_line.config(arguments)
    arguments.folds = arguments.by = arguments.curve = None
    # The model may be new, and then so are its predictions.
    arguments.overwrite = True
    worst = 0
    for step in (training_verbs.features, training_verbs.train, training_verbs.evaluate):
        worst = max(worst, step(arguments))
    if command_line.has_videos(arguments, config):
        tracking = (animal_verbs.track, animal_verbs.reid) if several(config) else ()
        for step in (video_verbs.predict, *tracking, video_verbs.render):
            worst = max(worst, step(arguments))
    from beampose.pipelines.report import report_page

    print(f"report: {report_page.write(config)}")
    return worst


def several(config: Config) -> bool:
    """Returns True if the trained model finds several animals."""
    return bool(storage.require(config.model, "train").get("assembly"))
