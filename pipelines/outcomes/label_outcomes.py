"""Problems of labels."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from beampose.core import texts
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.outcome import Outcome, Rows
from beampose.preprocess.labels import ERROR, TEST, WARNING, Labels, Problem

# Equal problems of a file that still are a line each.
_ALONE = 3


@dataclasses.dataclass(frozen=True, repr=False)
class Checked(Outcome):
    """Labels and what is wrong with them.

    Attributes:
      labels: of the source.
      splits: train or test, of each labeled image.
      problems: of the files, rows and images; each has level, file, row, image, what.
      usable: of each labeled image whether it can be used.
    """

    labels: Labels
    splits: list[str]
    problems: list[Problem]
    usable: list[bool]

    @property
    def errors(self) -> int:
        """Problems for which an image is not used."""
        return sum(problem.level == ERROR for problem in self.problems)

    @property
    def warnings(self) -> int:
        return sum(problem.level == WARNING for problem in self.problems)

    @property
    def passed(self) -> bool:
        return any(self.usable) and not self.errors

    def lines(self) -> Iterator[str]:
        yield from problem_lines(self.problems)
        used = [own for own, use in zip(self.splits, self.usable, strict=True) if use]
        held_out = used.count(TEST)
        images = counted(len(self.splits), "labeled image")
        some = images if len(used) == len(self.splits) else f"{len(used)} of {images} can be used"
        yield (
            f"{some} ({len(used) - held_out} train, {held_out} "
            f"test): {counted(self.errors, 'error')}, {counted(self.warnings, 'warning')}."
        )

    def tables(self) -> Iterator[Rows]:
        if self.problems:
            yield Rows(("level", "place", "image", "problem"), map(_cells, _sorted(self.problems)))


def check(config: Config, progress: Callable[..., Iterable]) -> Checked:
    """Reads the labels and every image.

    Raises:
      OSError, ValueError: the source cannot be read.
    """
    from beampose.pipelines.features import labeled_source
    from beampose.preprocess import validate

    labels, splits = labeled_source.read_all(config)
    problems, usable = validate.report(
        labels, splits, lambda items: progress(items, len(labels.items), "images")
    )
    if not labels.items and not any(problem.level == ERROR for problem in problems):
        what = "holds no labels"
        if config.kind.points:
            what += ": label frames in the browser with `beampose label`"
        problems.append(Problem(ERROR, config.source.path, 0, "", what))
    return Checked(labels, splits, problems, usable)


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """A line a problem, in columns, the errors first.

    Where many rows of a file have the same, they are one line.
    """
    if not problems:
        return
    cells = [[*map(texts.printable, _together(alike))] for alike in _alike(problems)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    for level, place, image, what in cells:
        yield f"{level:<{widths[0]}}  {place:<{widths[1]}}  {image:<{widths[2]}}  {what}"


def _alike(problems: Sequence[Problem]) -> Iterator[list[Problem]]:
    """Problems of one file in the same words, if they are many; else each alone."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in _sorted(problems):
        groups.setdefault((problem.level, problem.file, problem.what), []).append(problem)
    for group in groups.values():
        yield from [group] if len(group) > _ALONE else ([one] for one in group)


def _together(alike: list[Problem]) -> tuple[str, str, str, str]:
    level, place, image, what = _cells(alike[0])
    if len(alike) == 1:
        return level, place, image, what
    rows = [problem.row for problem in alike]
    place = f"{alike[0].file}:{rows[0]}-{rows[-1]}" if rows[0] else alike[0].file
    return level, place, f"{image} ...", f"{what} ({counted(len(alike), 'row')})"


def _sorted(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda p: (p.level, p.file, p.row))


def _cells(problem: Problem) -> tuple[str, str, str, str]:
    place = f"{problem.file}:{problem.row}" if problem.row else problem.file
    return problem.level, place, Path(problem.image).name, problem.what
