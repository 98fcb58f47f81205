"""Verbs on recordings by several cameras."""

import argparse

from beampose.core import texts
from beampose.core.settings import experiment
from beampose.pipelines.verbs import command_line
from beampose.pipelines.verbs.printed import told
from beampose.pipelines.verbs.verb import words


def calibrate(arguments: argparse.Namespace) -> int:
    """Calibrates cameras and writes the calibration."""
    from beampose.pipelines.space import affine_views, calibration_files

    if arguments.affine is not None:
        if len(arguments.videos) != 1:
            raise ValueError(f"--affine takes one config. Received: {' '.join(arguments.videos)}.")
        config = experiment.load(arguments.videos[0], ())
        said = affine_views.calibrate(config, words(arguments.affine), arguments.to)
    elif arguments.board is None:
        raise ValueError("calibrate needs --board, or --affine with a config: see --help.")
    else:
        made = calibration_files.of_boards(
            arguments.videos,
            arguments.board,
            arguments.to,
            frames=arguments.frames,
            offsets=_offsets(arguments),
            progress=arguments.progress,
        )
        said = [
            *calibration_files.lines(made),
            f"calibrate: {made.file}",
            f"calibrate: {made.page}",
        ]
    for line in said:
        print(texts.printable(line))
    return 0


def _offsets(arguments: argparse.Namespace) -> dict[str, int]:
    given = arguments.offset or ()
    found = dict(given)
    if len(found) < len(given):
        raise ValueError("--offset names a view twice: a view has one offset.")
    return found


def triangulate(arguments: argparse.Namespace) -> int:
    """Finds points in space and writes them. 1 if none was found."""
    from beampose.pipelines.outcomes import space_outcomes
    from beampose.pipelines.space import view_tables

    return told(
        space_outcomes.triangulate(
            command_line.config(arguments),
            view_tables.parse(arguments.views),
            arguments.calibration,
            arguments.progress,
            film=arguments.film,
            to=arguments.to,
            filtered=arguments.filtered,
            synchronise=arguments.synchronise,
            offsets=_offsets(arguments),
            max_error=arguments.max_error,
            smooth=arguments.smooth,
            bones=arguments.bones,
        )
    )
