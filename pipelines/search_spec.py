"""A search over settings from a spec file: the same file here and as a Vertex AI study."""

import dataclasses
import itertools
import math
import random
from typing import Any, NamedTuple

import yaml

from beampose.core import files
from beampose.core.settings import experiment

GRID, RANDOM, BAYESIAN = "grid", "random", "bayesian"
ALGORITHMS = (GRID, RANDOM, BAYESIAN)
SCALES = ("linear", "log")
# Held-out figures by task, and whether less is better.
GOALS = {"pose": ("mean_error_px", "minimize"), "crops": ("accuracy", "maximize")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """Values of a setting: `values`, or from `min` to `max`, whole numbers with `integer`."""

    values: list[Any] | None = None
    min: float | None = None
    max: float | None = None
    scale: str = "linear"
    integer: bool = False

    def check(self, name: str) -> None:
        """Raises ValueError naming the setting if there is nothing to choose from."""
        if not name.startswith("train."):
            raise ValueError(
                f"parameters.{name}: a search varies settings below `train.`; the others decide "
                "what is embedded."
            )
        if self.scale not in SCALES:
            raise ValueError(f"parameters.{name}.scale must be linear or log.")
        if (self.values is None) == (self.min is None or self.max is None):
            raise ValueError(f"parameters.{name} needs either values, or min and max.")
        if self.values is not None and not self.values:
            raise ValueError(f"parameters.{name}.values is empty.")
        if self.min is not None and self.max is not None:
            if not self.min < self.max:
                raise ValueError(f"parameters.{name}: min must be below max.")
            if self.scale == "log" and self.min <= 0:
                raise ValueError(f"parameters.{name}: min must be above 0 for scale log.")

    def draw(self, rng: random.Random) -> Any:
        if self.values is not None:
            return rng.choice(self.values)
        assert self.min is not None and self.max is not None
        if self.scale == "log":
            value = math.exp(rng.uniform(math.log(self.min), math.log(self.max)))
        else:
            value = rng.uniform(self.min, self.max)
        return round(value) if self.integer else value


class Spec(NamedTuple):
    """A search. `parallel` trials run at once on Vertex AI; here one follows the other."""

    parameters: dict[str, Parameter]
    algorithm: str
    trials: int
    parallel: int
    seed: int


def read(path: str) -> Spec:
    """Reads a spec file.

    Raises:
      FileNotFoundError: no such file.
      ValueError: it is not a spec; the text names what is wrong.
    """
    if not files.exists(path):
        raise FileNotFoundError(f"No search spec {path}. configs/search.yaml is an example.")
    try:
        values = yaml.safe_load(files.read_bytes(path).decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a YAML file: {error}") from error
    try:
        return _spec(values if isinstance(values, dict) else {})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def settings(spec: Spec) -> list[dict[str, Any]]:
    """The settings of each trial, the same for the same spec.

    Raises:
      ValueError: the algorithm is one only Vertex AI has.
    """
    if spec.algorithm == BAYESIAN:
        raise ValueError(
            "algorithm: bayesian chooses each trial by the ones before, which Vertex AI does "
            "(beampose submit). Here take grid or random."
        )
    if spec.algorithm == RANDOM:
        rng = random.Random(spec.seed)  # noqa: S311
        return [
            {name: parameter.draw(rng) for name, parameter in spec.parameters.items()}
            for _ in range(spec.trials)
        ]
    choices = [parameter.values or [] for parameter in spec.parameters.values()]
    every = itertools.product(*choices)
    return [dict(zip(spec.parameters, chosen, strict=True)) for chosen in every][: spec.trials]


def _spec(values: dict[str, Any]) -> Spec:
    known = {"parameters", "algorithm", "trials", "parallel", "seed"}
    if set(values) - known:
        raise ValueError(f"There is no setting {sorted(set(values) - known)[0]!r}.")
    found = values.get("parameters")
    if not isinstance(found, dict) or not found:
        raise ValueError("parameters must be a section of settings, such as train.learning_rate.")
    parameters = {}
    for name, one in found.items():
        if not isinstance(one, dict) or set(one) - {f.name for f in dataclasses.fields(Parameter)}:
            raise ValueError(f"parameters.{name} must hold values, or min, max, scale, integer.")
        parameters[name] = Parameter(**one)
        parameters[name].check(name)
    algorithm = values.get("algorithm", RANDOM)
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}.")
    if algorithm == GRID and any(p.values is None for p in parameters.values()):
        raise ValueError("algorithm: grid needs `values` for every parameter.")
    for name in ("trials", "parallel", "seed"):
        if type(values.get(name, 1)) is not int or values.get(name, 1) < (name != "seed"):
            raise ValueError(f"{name} must be a whole number above 0.")
    return Spec(
        parameters,
        algorithm,
        values.get("trials", 16),
        values.get("parallel", 2),
        values.get("seed", 0),
    )


def words(chosen: dict[str, Any]) -> list[str]:
    """Settings as `--set` takes them."""
    return [
        f"{key}={yaml.safe_dump(value, default_flow_style=True).split(chr(10))[0]}"
        for key, value in chosen.items()
    ]


def load(config: str, overrides: list[str], chosen: dict[str, Any]) -> experiment.Config:
    """The experiment of a trial."""
    return experiment.load(config, [*overrides, *words(chosen)])
