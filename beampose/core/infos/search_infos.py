"""What was tried, and what came of it: numbers of steps, combinations of settings."""

from typing import ClassVar

from beampose.core.infos.record import Info, Plain, Record


class Round(Record):
    """The error after so many steps, of images that were not learned from."""

    steps: int
    error: float | None


class ChoiceInfo(Info):
    """The number of steps, as it was found.

    Attributes:
      of: names the settings, features and labels that it belongs to.
      rounds: None where there was nothing to judge.
      judges: images of the training split that judged.
    """

    NAME: ClassVar[str] = "choice of steps"
    VERB: ClassVar[str] = "train"
    KEYS: ClassVar[tuple[str, ...]] = ("of", "steps", "rounds")

    of: str
    steps: int
    why: str
    rounds: list[Round]
    judges: int
    seconds: float


class TrialFigures(Record):
    """A combination of settings; no score if it failed."""

    settings: Plain
    score: float | None
    seconds: float
    failure: str


class SweepInfo(Info):
    """Combinations of settings, best first, and what they are scored by.

    Attributes:
      labels, store: digest of the labels, and the features, that they were tried on.
    """

    NAME: ClassVar[str] = "sweep"
    VERB: ClassVar[str] = "sweep"
    KEYS: ClassVar[tuple[str, ...]] = ("scored_by", "trials")

    unit: str
    scored_by: str
    trials: list[TrialFigures]
    labels: str = ""
    store: str = ""
