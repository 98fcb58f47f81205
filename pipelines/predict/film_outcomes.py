"""What became of each film of a job: written by its workers into a few files, read at its end.

To ask for each film would take the launcher some requests a film.
"""

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from beampose.core import storage
from beampose.core.infos import PredictionInfo
from beampose.core.infos.record import parse
from beampose.pipelines import item_files
from beampose.pipelines.film_names import Film
from beampose.preprocess.stills import Stills

# In the folder of predictions, while a job runs.
FILMS, OUTCOMES = ".films", ".outcomes"
_FILMS_A_FILE = 2048


class Refused(NamedTuple):
    """The path of a film that cannot be predicted, and why."""

    path: str
    why: str


def of_summary(name: str, summary: PredictionInfo) -> tuple[str, dict[str, Any]]:
    """The outcome of a film that has its results."""
    return name, {"summary": summary.plain()}


def of_refusal(name: str, path: str, why: str) -> tuple[str, dict[str, Any]]:
    """The outcome of a film that cannot be predicted."""
    return name, {"refused": [path, why]}


def files_for(films: int) -> int:
    """Into how many files the outcomes of films are written."""
    return -(-max(films, 1) // _FILMS_A_FILE)


def by_file(outcome: tuple[str, dict[str, Any]], count: int) -> tuple[int, Any]:
    """The number of the file that an outcome is written to, and the outcome as JSON has it."""
    return zlib.crc32(os.fsencode(outcome[0])) % count, list(outcome)


def write(element: tuple[int, Iterable[Any]], folder: str) -> int:
    """Writes the outcomes of a file. Returns their number."""
    found = sorted(element[1], key=lambda one: one[0])
    file = storage.place(folder, OUTCOMES, f"{element[0]:05d}{item_files.SUFFIX}")
    storage.write_bytes(file, item_files.packed(found))
    return len(found)


def clear(folder: str) -> None:
    """Takes away what a job left that did not come to its end."""
    for name in (FILMS, OUTCOMES, ".refused"):
        storage.remove(storage.place(folder, name))


def read(folder: str, films: Sequence[Film]) -> Iterator[PredictionInfo | Refused]:
    """The outcome of each film, in their order.

    Raises:
      FileNotFoundError: a film has none: the folder changed meanwhile, or the runner lost it.
    """
    place = storage.place(folder, OUTCOMES)
    known: dict[str, Any] = {}
    for name in sorted(storage.names(place)):
        if name.endswith(item_files.SUFFIX) and not name.startswith("."):
            known.update(item_files.read(str(place / name), tuple))
    for film in films:
        if film.name not in known:
            raise FileNotFoundError(
                f"{film.path} has neither a result nor a reason: {folder} changed while the "
                "job ran, or the runner lost it. Run the same command again; if it says so again, "
                "please report this."
            )
        yield parsed(film, known[film.name])


def parsed(film: Film, said: dict[str, Any]) -> PredictionInfo | Refused:
    """An outcome as `of_summary` and `of_refusal` say it."""
    if "refused" in said:
        return Refused(*said["refused"])
    return parse(said["summary"], film.name, PredictionInfo)


def plain(film: Film) -> list[Any]:
    """A film as JSON has it; of a set of images, its listing."""
    sets = None if film.stills is None else [*film.stills._replace(images=(), first=0)]
    return [*film._replace(stills=None), sets]


def film(values: list[Any]) -> Film:
    """What `plain` made."""
    *known, _, sets = values
    return Film(*known, stills=None if sets is None else Stills(*sets[:-1], images=()))
