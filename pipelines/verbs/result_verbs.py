"""Verbs on predictions that exist."""

import argparse

from beampose.pipelines.verbs import command_line
from beampose.pipelines.verbs.verb import Verb
from beampose.pipelines.verbs.video_verbs import FILTERED


def filter_(arguments: argparse.Namespace) -> int:
    """Smooths predictions. 1 if those of a video could not be."""
    from beampose.pipelines.results import filtering

    config = command_line.config(arguments)
    done, failures = filtering.run(config, command_line.videos(arguments, config))
    for one in done:
        print(f"filter: {one.stem}.h5")
    print_failures(failures)
    print(filtering.describe(done))
    return 1 if failures else 0


def plot(arguments: argparse.Namespace) -> int:
    """Plots predictions. 1 if those of a video could not be."""
    from beampose.pipelines.report import trajectories

    config = command_line.config(arguments)
    done, failures = trajectories.run(
        config, command_line.videos(arguments, config), filtered=arguments.filtered
    )
    for path in done:
        if path.suffix == ".png":
            print(f"plot: {path}")
    print_failures(failures)
    return 1 if failures else 0


def outliers(arguments: argparse.Namespace) -> int:
    """Writes badly predicted frames into a project, to be corrected. 1 if a video could not be."""
    from beampose.pipelines.curation import refinement

    config = command_line.config(arguments)
    paths = command_line.videos(arguments, config)
    done, failures = refinement.run(config, paths, arguments.to, arguments.progress)
    for one in done:
        known = f", {one.known} are in the project" if one.known else ""
        print(
            f"{one.video}: {len(one.written)} of {one.candidates} frames by "
            f"{config.outliers.method}{known}. {one.folder}"
        )
        for remark in one.remarks:
            print(f"  NOTE: {remark}")
    print_failures(failures)
    print(f"outliers: {sum(len(one.written) for one in done)} frames to correct in {arguments.to}")
    return 1 if failures else 0


def print_failures(failures: list[tuple[str, str]]) -> None:
    for path, why in failures:
        print(f"FAILED {path}: {why}")


VERBS = {
    "filter": Verb(filter_, "smooth predictions, bridge gaps", videos=True, tensorflow=False),
    "plot": Verb(
        plot,
        "plot predictions: where, over time, how sure, how far they jump",
        videos=True,
        tensorflow=False,
        options=(FILTERED,),
    ),
    "outliers": Verb(
        outliers,
        "choose badly predicted frames, and write them into a DeepLabCut project to be corrected",
        videos=True,
        tensorflow=False,
        options=(("--to", {"metavar": "PROJECT", "required": True, "help": "with a config.yaml"}),),
    ),
}
