"""Videos whose individuals are known, which `beampose predict` left, one after the other."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from beampose.core import artefacts, files
from beampose.core.infos import ModelInfo, PredictionInfo
from beampose.core.settings.experiment import Config
from beampose.pipelines import manifest
from beampose.pipelines.results import result_names

T = TypeVar("T")


class Video(NamedTuple):
    """A video whose individuals are known.

    Attributes:
      name: as predictions are called; may have a folder.
      path: of the file.
      stem: what the files of its predictions begin with.
      summary: what `predict` said.
    """

    name: str
    path: str
    stem: str
    summary: PredictionInfo


def each(
    config: Config, paths: Sequence[str], work: Callable[[Video], T]
) -> tuple[list[T], list[tuple[str, str]]]:
    """Calls `work` with each video whose individuals are known; continues after a failure.

    Returns:
      What came of the videos, and failures (path, reason).

    Raises:
      FileNotFoundError: there is no model, or a path matches nothing.
      ValueError: the model finds one animal.
    """
    info = artefacts.require(config.model, ModelInfo)
    if not info.assembly:
        raise ValueError(
            f"The model in {config.model} finds one animal at most: there is nothing to track. Its "
            "predictions are its track."
        )
    done, failures = [], []
    for film in result_names.of_experiment(config, manifest.expand(paths)):
        try:
            if film.problem:
                raise ValueError(film.problem)
            stem = f"{config.predictions}/{film.name}{info.dlc_scorer}"
            done.append(work(_predicted(film.name, film.path, stem)))
        except (OSError, ValueError) as error:
            failures.append((film.path, files.why(error)))
    return done, failures


def _predicted(name: str, path: str, stem: str) -> Video:
    summary = artefacts.find_info(f"{stem}.json", PredictionInfo)
    if summary is None:
        raise FileNotFoundError("has no predictions. Run `beampose predict` first.")
    return Video(name, path, stem, summary)
