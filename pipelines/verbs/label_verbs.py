"""Verbs on labels."""

import argparse

from beampose.core import storage
from beampose.core.names import REJECTS
from beampose.core.wording import counted
from beampose.pipelines.outcomes import label_outcomes
from beampose.pipelines.verbs import command_line
from beampose.preprocess import bodypart_names, missing_images, reject_paths
from beampose.preprocess.labels import ERROR, Problem, choose_bodyparts


def check(arguments: argparse.Namespace) -> int:
    """Lists every problem of the labels. 1 if one of them is an error."""
    config = command_line.config(arguments)
    storage.check_folder(config.output)
    found = label_outcomes.check(config, arguments.progress)
    print(found)
    if arguments.html is not None:
        from beampose.pipelines.report import label_overview

        target = arguments.html or f"{config.output}/{label_overview.FILE}"
        count = len(found.splits)
        label_overview.write(
            target,
            found.labels,
            found.splits,
            found.problems,
            lambda items: arguments.progress(items, count, "images"),
        )
        print(f"check: {target}")
    return 0 if found.passed else 1


def import_labels(arguments: argparse.Namespace) -> int:
    """Writes labels of any format into a DeepLabCut project. 1 if some could not be written."""
    import json

    from beampose import formats
    from beampose.core import files, mistaken_paths, task_kinds
    from beampose.formats.deeplabcut import project_writer
    from beampose.pipelines.curation import project_films

    path = files.absolute(arguments.source)
    format = arguments.format or formats.guess(path)
    with mistaken_paths.told(path, mistaken_paths.LABELS):
        task = formats.find(format).task
        if not arguments.format and not task_kinds.of_setting(task).points:
            classes = ", ".join(formats.read(format, path).classes)
            raise ValueError(f"{path} holds crops of classes ({classes}), and no poses.")
        labels = formats.read(
            format,
            path,
            task="pose",
            scorer=arguments.labels_by,
            bodyparts=None if arguments.rename else arguments.bodyparts,
            combine=arguments.combine,
        )
    if arguments.rename:
        labels = bodypart_names.renamed(labels, arguments.rename)
        if arguments.bodyparts:
            labels = choose_bodyparts(labels, arguments.bodyparts, path)
    if not labels.items:
        _print_problems(list(labels.problems))
        raise ValueError(f"{path} holds no labels that can be used.")
    to = arguments.to if files.is_address(arguments.to) else files.absolute(arguments.to)
    labels = project_writer.fitted(labels, to)
    labels, films = project_films.named(labels, to)
    written = project_writer.write(
        labels,
        to,
        scorer=arguments.scorer,
        overwrite=arguments.overwrite,
        merge=True,
        progress=lambda items: arguments.progress(items, len(labels.items), "images"),
    )
    project_films.record(films, to)
    problems = [*labels.problems, *written.problems]
    _print_problems(missing_images.together(problems, len(labels.items)))
    rejects = storage.place(to, REJECTS)
    if problems or rejects.is_file():
        roots = reject_paths.roots(path, to)
        records = [reject_paths.relative(problem._asdict(), roots) for problem in problems]
        storage.write_text(rejects, "".join(json.dumps(one) + "\n" for one in records))
    _print_written(written.folder, len(written.pictures), len(labels.items), written.changed)
    return _code(problems, rejects)


def export_labels(arguments: argparse.Namespace) -> int:
    """Writes the labels of an experiment for other tools. 1 if some could not be written."""
    from beampose import formats
    from beampose.core import files
    from beampose.pipelines.features import labeled_source

    write = formats.find(arguments.format).write
    if write is None:
        raise ValueError(f"Labels of format {arguments.format!r} are only read, not written.")

    config = command_line.config(arguments)
    if not config.kind.points:
        raise ValueError("export-labels writes keypoints: task must be pose.")
    labels, splits = labeled_source.read(config)
    to = arguments.to if files.is_address(arguments.to) else files.absolute(arguments.to)

    exported = write(
        labels,
        splits,
        to,
        scorer=arguments.scorer,
        overwrite=arguments.overwrite,
        progress=lambda items: arguments.progress(items, len(labels.items), "images"),
    )
    if exported.remark:
        print(exported.remark)
    problems = [*labels.problems, *exported.problems]
    _print_problems(missing_images.together(problems, len(labels.items)))
    _print_written(to, exported.images, len(labels.items), exported.changed)
    return _code(problems)


def _print_written(folder: object, images: int, items: int, changed: int) -> None:
    news = f"{counted(changed, 'file')} written" if changed else "everything was there already"
    print(f"{folder}: {images} of {counted(items, 'labeled image')}; {news}.")


def _code(problems: list[Problem], listed: object = None) -> int:
    """The exit code; says that labels are missing from what was written, and where they are listed.

    As `check`, which exits with 1 for the same problems.
    """
    errors = sum(problem.level == ERROR for problem in problems)
    if errors:
        they, verb, them = ("it", "names", "it") if errors == 1 else ("they", "name", "them")
        where = f" {listed} lists {them}." if listed else ""
        print(f"{counted(errors, 'error')} above: what {they} {verb} was not written.{where}")
    return 1 if errors else 0


def _print_problems(problems: list[Problem]) -> None:
    for line in label_outcomes.problem_lines(problems):
        print(line)
