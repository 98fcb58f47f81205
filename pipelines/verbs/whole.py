"""All of an experiment in one go."""

import argparse

from pipelines.verbs import asked, training, video
from pipelines.verbs.verb import Verb


def run(arguments: argparse.Namespace) -> int:
    """Features, train, evaluate, predict, render, and one report.html."""
    config = asked.config(arguments)
    arguments.folds = arguments.by = None
    # The model may be new, and then so are its predictions.
    arguments.overwrite = True
    worst = 0
    for step in (training.features, training.train, training.evaluate):
        worst = max(worst, step(arguments))
    if asked.has_videos(arguments, config):
        for step in (video.predict, video.render):
            worst = max(worst, step(arguments))
    from pipelines.review import report

    print(f"report: {report.write(config)}")
    return worst


VERBS = {
    "run": Verb(run, "all of these in one go, and a report", videos=True, beam=True),
}
