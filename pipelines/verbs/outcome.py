"""Prints what several verbs say at their end."""

from collections.abc import Iterable


def report(verb: str, done: Iterable[object], failures: Iterable[tuple[str, str]]) -> int:
    """Prints the files that were written and what failed. Returns the exit code."""
    for path in done:
        print(f"{verb}: {path}")
    return report_failures(failures)


def report_failures(failures: Iterable[tuple[str, str]]) -> int:
    """Prints each path that failed, with the reason. Returns the exit code."""
    code = 0
    for path, why in failures:
        print(f"FAILED {path}: {why}")
        code = 1
    return code
