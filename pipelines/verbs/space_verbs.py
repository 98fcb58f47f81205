"""Verbs on recordings by several cameras."""

import argparse

from beampose.core import texts
from beampose.core.infos import PointsInfo
from beampose.core.settings import experiment
from beampose.pipelines.verbs import command_line
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
            offsets=dict(arguments.offset or ()),
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


def triangulate(arguments: argparse.Namespace) -> int:
    """Finds points in space and writes them. 1 if none was found."""
    from beampose.pipelines.films import labeled_films
    from beampose.pipelines.space import space_page, triangulation
    from beampose.pipelines.space.recordings import Wanted

    config = command_line.config(arguments)
    edges = labeled_films.skeleton(config)
    wanted = Wanted(
        synchronise=arguments.synchronise,
        offsets=dict(arguments.offset or ()),
        pcutoff=config.predict.pcutoff,
        max_error=arguments.max_error,
        smooth=arguments.smooth,
        bones=arguments.bones,
        edges=tuple((a, b) for a, b in edges),
    )
    done = triangulation.run(
        config,
        arguments.views,
        arguments.calibration,
        wanted,
        to=arguments.to,
        filtered=arguments.filtered,
    )
    made = [*done.files, *space_page.write(done, config)]
    if arguments.film:
        made += space_page.films(done, config, arguments.progress)
    for line in lines(done.info):
        print(texts.printable(line))
    for file in made:
        print(texts.printable(f"triangulate: {file}"))
    return 0 if any(one.found for one in done.info.bodyparts.values()) else 1


def lines(info: PointsInfo) -> list[str]:
    """What a person should know of points in space."""
    found = []
    for one in info.views:
        error = "no error known" if one.error_px is None else f"{one.error_px:.2f} px off"
        counts = f"{one.frames} frames, {one.seen} points, {one.left_out:.1%} left out"
        found.append(f"{one.view}: {counts}, {error}")
    shares = [one.found for one in info.bodyparts.values()]
    radii = [one.radius for one in info.bodyparts.values() if one.radius is not None]
    middle = sorted(radii)[len(radii) // 2] if radii else float("nan")
    found.append(
        f"{info.instants} instants, {sum(shares) / max(len(shares), 1):.1%} of points found, "
        f"radius of nine in ten errors {middle:.3g} (in the unit of the calibration)"
    )
    if info.tied:
        found.append(f"{info.tied} points left open: it is not clear which view is wrong")
    found += [f"NOTE: {remark}" for remark in info.remarks]
    return found
