"""A search over settings from a spec file: the same file here and as a Vertex AI study."""

import itertools
import math
import random
from typing import Any, ClassVar, Literal

import yaml
from pydantic import Field, model_validator

from beampose.core import yaml_files
from beampose.core.settings import experiment
from beampose.core.settings.section import Number, Section, from_dict, setting

GRID, RANDOM, BAYESIAN = "grid", "random", "bayesian"


class Parameter(Section):
    """Values of a setting: `values`, or from `min` to `max`."""

    values: list[Any] | None = setting(None, "What to choose from.")
    min: Number | None = setting(None, "The least value.")
    max: Number | None = setting(None, "The greatest value.")
    scale: Literal["linear", "log"] = setting("linear", "How values are spread.")
    integer: bool = setting(False, "Whole numbers only.")

    def check(self, name: str) -> None:
        """Raises ValueError naming the setting if there is nothing to choose from."""
        if not name.startswith("train."):
            raise ValueError(
                f"parameters.{name}: a search varies settings below `train.`; the others decide "
                "what is embedded."
            )
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


class Spec(Section):
    """A search over settings below `train.`, here or as a study of Vertex AI."""

    whole_file: ClassVar[bool] = True

    parameters: dict[str, Parameter] = Field(description="By setting, such as train.learning_rate.")
    algorithm: Literal["grid", "random", "bayesian"] = setting(
        "random", "How values are chosen; bayesian only on Vertex AI."
    )
    trials: int = setting(16, "How many are tried.", ge=1)
    parallel: int = setting(2, "Trials at once on Vertex AI; here one follows the other.", ge=1)
    seed: int = setting(0, "Of random choices.", ge=0)

    @model_validator(mode="after")
    def _check(self) -> "Spec":
        if not self.parameters:
            raise ValueError("parameters must name settings, such as train.learning_rate.")
        for name, parameter in self.parameters.items():
            parameter.check(name)
        if self.algorithm == GRID and any(p.values is None for p in self.parameters.values()):
            raise ValueError("algorithm: grid needs `values` for every parameter.")
        return self


def read(path: str) -> Spec:
    """Reads a spec file.

    Raises:
      FileNotFoundError: no such file; configs/search.yaml is an example.
      ValueError: it is not a spec; the text names what is wrong.
    """
    values = yaml_files.read(path, "search spec (as configs/search.yaml)")
    try:
        return from_dict(Spec, values)
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


def words(chosen: dict[str, Any]) -> list[str]:
    """Settings as `--set` takes them."""
    return [
        f"{key}={yaml.safe_dump(value, default_flow_style=True).split(chr(10))[0]}"
        for key, value in chosen.items()
    ]


def load(config: str, overrides: list[str], chosen: dict[str, Any]) -> experiment.Config:
    """The experiment of a trial."""
    return experiment.load(config, [*overrides, *words(chosen)])
