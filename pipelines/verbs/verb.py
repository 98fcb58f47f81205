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


class _Given(argparse.Action):
    """Takes one value of an option; of one that takes several all, however often it is given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        if isinstance(before, list):
            values = [*before, *values]
        elif before not in (None, values):
            raise argparse.ArgumentError(self, f"is given twice, as {before} and {values}")
        setattr(namespace, self.dest, values)


# Before a word of a verb's actions, where an option has an effect only with that.
_ACTION = "action "


@dataclass(frozen=True)
class Option:
    """An option of a verb; all other fields are argparse's.

    Attributes:
      switch: takes no value and is False unless given.
      only_with: option without which this one has no effect, perhaps with the value it must have,
        such as `--method features`.
      not_with: option with which this one has no effect, likewise.
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
    only_with: str | None = None
    not_with: str | None = None

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        given = {key: value for key, value in vars(self).items() if value is not None}
        for own in ("only_with", "not_with", "default"):
            given.pop(own, None)
        given["action"] = "store_true" if given.pop("switch") else _Given
        given["help"] = "; ".join((self.help, *self.limits("")))
        parser.add_argument(given.pop("flag"), **given)

    def limits(self, mark: str) -> list[str]:
        """With which options it has an effect, and with which it has none.

        Args:
          mark: around each option.
        """
        pairs = (("only with", self.only_with), ("not with", self.not_with))
        return [f"{how} {mark}{other.removeprefix(_ACTION)}{mark}" for how, other in pairs if other]

    def is_given(self, arguments: argparse.Namespace) -> bool:
        """Returns True if the option stands in the command; also before defaults are set."""
        value = _value(self.flag, arguments)
        # A number may be 0, which equals False.
        return value is not None and value is not False


def _attribute(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _value(flag: str, arguments: argparse.Namespace) -> Any:
    return getattr(arguments, _attribute(flag), None)


def _holds(condition: str, arguments: argparse.Namespace) -> bool:
    """Returns True if an option is given, or has the value that follows it."""
    flag, _, wanted = condition.partition(" ")
    value = _value(flag, arguments)
    return str(value) == wanted if wanted else not (value is None or value is False)


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

    def settle(self, arguments: argparse.Namespace) -> None:
        """Sets the defaults of options that were not given.

        Raises:
          ValueError: an option was given that has no effect beside the others.
        """
        given = [option for option in self.options if option.is_given(arguments)]
        for option in self.options:
            if option not in given and option.default is not None:
                setattr(arguments, _attribute(option.flag), option.default)
        for option in given:
            if option.only_with and not _holds(option.only_with, arguments):
                other = option.only_with.removeprefix(_ACTION)
                raise ValueError(
                    f"{option.flag} has an effect only with {other}: add that, or remove "
                    f"{option.flag}."
                )
            if option.not_with and _holds(option.not_with, arguments):
                raise ValueError(
                    f"{option.flag} has no effect with {option.not_with}: remove one of them."
                )

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


def renames(text: str) -> dict[str, str]:
    """New names by old ones, of a list as a=b,c=d."""
    pairs = [word.split("=") for word in words(text)]
    found = {pair[0].strip(): pair[-1].strip() for pair in pairs}
    if len(found) < len(pairs) or not all(
        len(pair) == 2 and all(name.strip() for name in pair) for pair in pairs
    ):
        raise argparse.ArgumentTypeError(f"must be OLD=NEW,…, each OLD once, not {text!r}")
    return found


def positive(text: str, least: int = 1) -> int:
    """A whole number of 1 or more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < least:
        raise argparse.ArgumentTypeError(f"must be a whole number of {least} or more, not {text!r}")
    return number


def port(text: str) -> int:
    """A number of a port, 1 to 65535."""
    number = positive(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"must be 65535 or less, not {text!r}")
    return number


def several(text: str) -> int:
    """A whole number of 2 or more."""
    return positive(text, 2)


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
