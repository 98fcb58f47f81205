"""What a verb is."""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple


class Positional(NamedTuple):
    """What stands after a verb; `nargs` as argparse knows it."""

    name: str
    help: str
    nargs: str | None = None


CONFIG = Positional("config", "the experiment's YAML file")


class Verb(NamedTuple):
    """A verb.

    Attributes:
      positional: what it works on.
      settings: takes --set, as what reads an experiment does.
      videos: takes videos after the config.
      beam: takes Beam options after --.
      cloud: takes --cloud.
      actions: words of which one stands before the config.
      options: of its own: the flag, and what argparse shall know of it.
    """

    run: Callable[[argparse.Namespace], int]
    help: str
    videos: bool = False
    beam: bool = False
    cloud: bool = False
    tensorflow: bool = True
    actions: tuple[str, ...] = ()
    options: tuple[tuple[str, dict[str, Any]], ...] = ()
    positional: Positional = CONFIG
    settings: bool = True


MONEY = (
    ("--budget", {"type": float, "metavar": "AMOUNT", "help": "refuse a job that costs more"}),
    ("--prices", {"metavar": "FILE", "help": "default: configs/prices.yaml"}),
)
