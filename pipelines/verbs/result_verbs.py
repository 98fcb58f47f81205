"""Verbs on predictions that exist."""

import argparse

from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.outcomes import video_outcomes
from beampose.pipelines.verbs import command_line
from beampose.pipelines.verbs.printed import report_failures, told


def filter_(arguments: argparse.Namespace) -> int:
    """Smooths predictions. 1 if those of a video could not be."""
    config = command_line.of_results(arguments)
    return told(video_outcomes.smooth(config, command_line.predicted(arguments, config)))


def plot(arguments: argparse.Namespace) -> int:
    """Plots predictions. 1 if those of a video could not be."""
    config = command_line.of_results(arguments)
    paths = command_line.predicted(arguments, config)
    return told(video_outcomes.plot(config, paths, filtered=arguments.filtered))


def outliers(arguments: argparse.Namespace) -> int:
    """Writes badly predicted frames into a project, to be corrected. 1 if a video could not be."""
    from beampose.pipelines.curation import refinement

    config = command_line.of_results(arguments)
    paths = command_line.predicted(arguments, config)
    done, failures = refinement.run(config, paths, arguments.to, arguments.progress)
    for one in done:
        known = f", {one.known} are in the project" if one.known else ""
        print(
            f"{one.video}: {len(one.written)} of {counted(one.candidates, 'frame')} by "
            f"{config.outliers.method}{known}. {one.folder}"
        )
        for remark in one.remarks:
            print(f"  NOTE: {remark}")
    code = report_failures(failures)
    print(
        f"outliers: {counted(sum(len(one.written) for one in done), 'frame')} to correct in "
        f"{arguments.to}"
    )
    return code


def export_results(arguments: argparse.Namespace) -> int:
    """Writes results where another program looks for them. 1 if a video has none."""
    from beampose.pipelines.results import program_export, project_export

    config = command_line.of_results(arguments)
    if vars(arguments)["for"] in program_export.PROGRAMS:
        return _to_program(arguments, config)
    wanted = project_export.Wanted(
        arguments.to, arguments.shuffle, arguments.scorer or "", arguments.folder
    )
    done = project_export.run(config, command_line.predicted(arguments, config), wanted)
    for path, written in done.videos.items():
        print(f"{path}: {counted(len(written), 'file')}, such as {written[0]}")
    code = report_failures(done.failures)
    number = f"; give DeepLabCut's functions shuffle={done.shuffle}" if done.shuffle else ""
    print(
        f"export-results: {counted(len(done.videos), 'video')} under the scorer "
        f"{done.scorer}{number}"
    )
    return code


def _to_program(arguments: argparse.Namespace, config: Config) -> int:
    """Writes results as files of another program."""
    from beampose.core import files
    from beampose.pipelines.results import program_export, result_names

    to = files.absolute(arguments.to)
    program = vars(arguments)["for"]
    named = arguments.videos or config.predict.videos
    if named:
        paths = named
    elif program in program_export.OF_VIDEOS:
        paths = command_line.predicted(arguments, config)
    else:
        paths = [*result_names.predicted(config), *result_names.present_stills(config)]
        paths = paths or command_line.videos(arguments, config)
    done = program_export.run(config, paths, program, to, arguments.images or "", named=bool(named))
    for path, written in done.files.items():
        print(f"{path}: {', '.join(written)}")
    for note in done.notes:
        print(f"NOTE: {note}")
    code = report_failures(done.failures)
    # A folder that was named is many films; some of those that nobody named are left out.
    every = max(len(done.files) + len(done.failures), len(paths))
    print(f"export-results: {len(done.files)} of {every} for {program} in {to}")
    return code
