"""Problems of labels."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from beampose.core.settings.experiment import Config
from beampose.pipelines.outcome import Outcome, Rows
from beampose.preprocess.labels import ERROR, TEST, WARNING, Labels, Problem


@dataclasses.dataclass(frozen=True, repr=False)
class Checked(Outcome):
    """Labels and what is wrong with them.

    Attributes:
      labels: of the source.
      splits: train or test, of each labeled image.
      problems: of the files, rows and images; each has level, file, row, image, what.
    """

    labels: Labels
    splits: list[str]
    problems: list[Problem]

    @property
    def errors(self) -> int:
        """Problems for which an image is not used."""
        return sum(problem.level == ERROR for problem in self.problems)

    @property
    def warnings(self) -> int:
        return sum(problem.level == WARNING for problem in self.problems)

    @property
    def passed(self) -> bool:
        return bool(self.labels.items) and not self.errors

    def lines(self) -> Iterator[str]:
        yield from problem_lines(self.problems)
        held_out = self.splits.count(TEST)
        yield (
            f"{len(self.splits)} labeled images ({len(self.splits) - held_out} train, {held_out} "
            f"test): {self.errors} errors, {self.warnings} warnings."
        )

    def tables(self) -> Iterator[Rows]:
        if self.problems:
            yield Rows(("level", "place", "image", "problem"), map(_cells, _sorted(self.problems)))


def check(config: Config, progress: Callable[..., Iterable]) -> Checked:
    """Reads the labels and every image.

    Raises:
      OSError, ValueError: the source cannot be read or split.
    """
    from beampose.pipelines.features import labeled_source
    from beampose.preprocess import validate

    labels, splits = labeled_source.read(config, even_if_empty=True)
    problems = validate.report(
        labels, splits, lambda items: progress(items, len(labels.items), "images")
    )
    return Checked(labels, splits, problems)


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """A line a problem, in columns, the errors first."""
    if not problems:
        return
    columns = zip(*map(_cells, problems), strict=True)
    widths = [max(len(str(cell)) for cell in column) for column in columns]
    for problem in _sorted(problems):
        level, place, image, what = _cells(problem)
        yield f"{level:<{widths[0]}}  {place:<{widths[1]}}  {image:<{widths[2]}}  {what}"


def _sorted(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda p: (p.level, p.file, p.row))


def _cells(problem: Problem) -> tuple[str, str, str, str]:
    place = f"{problem.file}:{problem.row}" if problem.row else problem.file
    return problem.level, place, Path(problem.image).name, problem.what
