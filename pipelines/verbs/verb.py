"""Verbs of the command line: how they and their arguments are declared."""

import argparse
import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Positional:
    """The argument that follows a verb; `nargs` as in argparse."""

    name: str
    help: str
    nargs: str | None = None


@dataclass(frozen=True)
class Option:
    """An option of a verb; all fields but `switch` are argparse's.

    Attributes:
      switch: takes no value and is False unless given.
    """

    flag: str
    help: str
    metavar: str | None = None
    type: Callable[[str], Any] | None = None
    default: Any = None
    choices: tuple[str, ...] | None = None
    required: bool = False
    nargs: str | None = None
    const: Any = None
    switch: bool = False

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        given = {key: value for key, value in vars(self).items() if value is not None}
        if given.pop("switch"):
            given["action"] = "store_true"
        parser.add_argument(given.pop("flag"), **given)


CONFIG = Positional("config", "the experiment's YAML file")


@dataclass(frozen=True)
class Verb:
    """A verb.

    Attributes:
      code: `module.function` in this package, imported only when the verb runs.
      help: one sentence.
      options: the verb's own options.
      positional: the argument it works on, if any.
      actions: words, one of which precedes the positional argument.
      settings: takes --set, as all verbs that read an experiment do.
      videos: help of the videos that it takes after the config; empty: it takes none.
      beam: runs a Beam job, and takes Beam options after --.
      cloud: takes --cloud.
      tensorflow: imports TensorFlow.
    """

    name: str
    code: str
    help: str
    options: tuple[Option, ...] = ()
    positional: Positional | None = CONFIG
    actions: tuple[str, ...] = ()
    settings: bool = True
    videos: str = ""
    beam: bool = False
    cloud: bool = False
    tensorflow: bool = True

    def run(self, arguments: argparse.Namespace) -> int:
        """Runs the verb and returns its exit code."""
        module, function = self.code.split(".")
        return getattr(importlib.import_module(f"{__package__}.{module}"), function)(arguments)


@dataclass(frozen=True)
class Group:
    """Verbs that `beampose --help` lists under one heading."""

    title: str
    verbs: tuple[Verb, ...]


def words(text: str) -> list[str]:
    """The words of a comma-separated list."""
    return [word.strip() for word in text.split(",") if word.strip()]


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def amount(text: str) -> float:
    """A number of 0 or more; neither NaN nor infinite, with which no comparison holds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of 0 or more, not {text!r}")
    return number


def rectangle(text: str) -> tuple[int, ...]:
    """x1, x2, y1, y2 in pixels."""
    try:
        x1, x2, y1, y2 = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be x1,x2,y1,y2 in pixels, not {text!r}") from None
    return x1, x2, y1, y2
