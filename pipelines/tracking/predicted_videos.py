"""Videos whose individuals are known, which `beampose predict` left, one after the other."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from beampose.core import artefacts, files, task_kinds
from beampose.core.infos import ModelInfo, PredictionInfo
from beampose.core.settings.experiment import Config
from beampose.pipelines import manifest
from beampose.pipelines.results import result_names

T = TypeVar("T")
OF_CROPS = "`beampose render` without options draws every box that is left, with its class."
NO_TRACKS = "There is nothing to track: its predictions are its track."


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
    config: Config, paths: Sequence[str], work: Callable[[Video], T], *, instead: str
) -> tuple[list[T], list[tuple[str, str]]]:
    """Calls `work` with each video whose individuals are known; continues after a failure.

    Args:
      instead: what to do with a model of one animal, a sentence.

    Returns:
      What came of the videos, and failures (path, reason).

    Raises:
      FileNotFoundError: there is no model, or a path matches nothing.
      ValueError: the model finds one animal, or classifies crops.
    """
    info = artefacts.require(config.model, ModelInfo)
    if not task_kinds.of_info(info).points:
        raise ValueError(
            f"The model in {config.model} classifies crops: this step takes models that find "
            f"several animals by their bodyparts. {OF_CROPS}"
        )
    if not info.assembly:
        raise ValueError(f"The model in {config.model} finds one animal at most. {instead}")
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
