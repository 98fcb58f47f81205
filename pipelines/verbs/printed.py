"""Prints results; says whether all went well."""

from collections.abc import Iterable

from beampose.pipelines.outcome import Outcome, failed


def told(outcome: Outcome) -> int:
    """Prints a result. Returns the exit code."""
    print(outcome)
    return 0 if outcome.passed else 1


def report_failures(failures: Iterable[tuple[str, str]]) -> int:
    """Prints each path that failed, with the reason. Returns the exit code."""
    lines = [*failed(failures)]
    for line in lines:
        print(line)
    return 1 if lines else 0
