"""All of an experiment in one go."""

import argparse

from pipelines.verbs import animals, asked, training, video
from pipelines.verbs.verb import Verb
from trainer import artefacts
from trainer.config import Config


def run(arguments: argparse.Namespace) -> int:
    """Features, train, evaluate, predict, track if there are several, render, a report.html."""
    config = asked.config(arguments)
    arguments.folds = arguments.by = arguments.curve = None
    # The model may be new, and then so are its predictions.
    arguments.overwrite = True
    worst = 0
    for step in (training.features, training.train, training.evaluate):
        worst = max(worst, step(arguments))
    if asked.has_videos(arguments, config):
        tracking = (animals.track, animals.reid) if several(config) else ()
        for step in (video.predict, *tracking, video.render):
            worst = max(worst, step(arguments))
    from pipelines.review import report

    print(f"report: {report.write(config)}")
    return worst


def several(config: Config) -> bool:
    """Whether the trained model finds several animals."""
    return bool(artefacts.require(config.model, "train").get("assembly"))


VERBS = {
    "run": Verb(run, "all of these in one go, and a report", videos=True, beam=True),
}
