"""Which of the named paths are sets of photographs with results, and which are films."""

import glob
from collections.abc import Sequence
from typing import NamedTuple

from beampose.core import files, storage
from beampose.core.infos import PredictionInfo
from beampose.core.settings.experiment import Config
from beampose.pipelines import manifest, still_sets
from beampose.pipelines.results import result_files, result_names
from beampose.pipelines.still_sets import StillSet
from beampose.preprocess import gifs, images, videos


class Named(NamedTuple):
    """What paths mean.

    Attributes:
      sets: results of sets of photographs, by path.
      films: paths that mean videos, and files of predictions.
      lost: sets without results, and why.
    """

    sets: dict[str, PredictionInfo]
    films: list[str]
    lost: list[tuple[str, str]]


def apart(config: Config, paths: Sequence[str]) -> Named:
    """Tells sets of photographs from films, as `predict` takes them.

    A set is found by its path, and where it was moved since by its images, as a film is.

    Raises:
      FileNotFoundError: a glob, a folder or a list of which nothing is taken.
      ValueError: a list that is no text.
    """
    # Every summary is read for the sets: not where films alone are named.
    if all(map(_is_film, paths)):
        return Named({}, list(paths), [])
    known, filmed = result_names.present_stills(config), result_names.predicted(config)
    found: dict[str, PredictionInfo] = {}
    films: list[str] = []
    others: list[str] = []
    for path in paths:
        whole = files.absolute(path)
        if whole in known:
            found[whole] = known[whole]
            films += [film for film in filmed if _inside(film, whole)]
        else:
            (others if _may_hold_photographs(path) else films).append(path)
    lost: list[tuple[str, str]] = []
    if others:
        sources = still_sets.expand(others, config.output)
        films += sources.videos
        for one in sources.sets:
            said = known.get(one.path) or _moved(one, known)
            if said is None:
                lost.append((one.path, _why(one.path, known)))
            else:
                found[one.path] = said
    return Named(found, list(dict.fromkeys(films)), lost)


def stem(config: Config, said: PredictionInfo) -> str:
    """What the files of a set's keypoints begin with."""
    return str(storage.place(config.predictions, f"{said.name}{said.scorer}"))


def _is_film(path: str) -> bool:
    """Returns True for a video or a file of predictions, which no set is called after."""
    suffix = files.suffix(path)
    known = suffix in videos.SUFFIXES and not gifs.is_photo(path)
    return result_files.is_table(path) or (known and not files.is_folder(path))


def _may_hold_photographs(path: str) -> bool:
    if files.is_folder(path) or files.suffix(path) in (*images.SUFFIXES, ".gif"):
        return True
    if glob.has_magic(path) and not files.exists(path):
        return True
    return files.suffix(path) in manifest.LISTS and not result_files.is_table(path)


def _moved(one: StillSet, known: dict[str, PredictionInfo]) -> PredictionInfo | None:
    """Results of the same images, which lay elsewhere."""
    try:
        code = still_sets.fingerprint(one)
    except (OSError, ValueError):
        return None
    return next((said for said in known.values() if said.video_fingerprint == code), None)


def _why(path: str, known: dict[str, PredictionInfo]) -> str:
    if above := next((other for other in known if _inside(path, other)), ""):
        return f"has no results of its own: it was predicted as a part of {above}. Name that"
    return "has no results. Run `beampose predict` first"


def _inside(path: str, folder: str) -> bool:
    return path.startswith(f"{folder.rstrip('/')}/")
