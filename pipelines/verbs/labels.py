"""Verbs on labels."""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pipelines.verbs import asked
from pipelines.verbs.verb import Verb
from preprocess.labels import ERROR, Problem


def check(arguments: argparse.Namespace) -> int:
    """Lists every problem of the labels. 1 if one of them is an error."""
    from pipelines.features import source
    from preprocess import validate

    config = asked.config(arguments)
    labels, splits = source.read(config, even_if_empty=True)

    def watched(items: Iterable) -> Iterable:
        return arguments.progress(items, len(labels.items), "images")

    problems = validate.report(labels, splits, watched)
    _print_problems(problems)
    levels = Counter(problem.level for problem in problems)
    held_out = splits.count("test")
    print(
        f"{len(labels.items)} labeled images ({len(splits) - held_out} train, {held_out} test): "
        f"{levels[ERROR]} errors, {levels['warning']} warnings."
    )
    return 1 if levels[ERROR] or not labels.items else 0


def _print_problems(problems: list[Problem]) -> None:
    if not problems:
        return
    columns = zip(*map(_cells, problems), strict=True)
    widths = [max(len(str(cell)) for cell in column) for column in columns]
    for problem in sorted(problems, key=lambda p: (p.level, p.file, p.row)):
        level, place, image, what = _cells(problem)
        print(f"{level:<{widths[0]}}  {place:<{widths[1]}}  {image:<{widths[2]}}  {what}")


def _cells(problem: Problem) -> tuple[str, str, str, str]:
    place = f"{problem.file}:{problem.row}" if problem.row else problem.file
    return problem.level, place, Path(problem.image).name, problem.what


VERBS = {
    "check": Verb(check, "list every problem of the labels", tensorflow=False),
}
