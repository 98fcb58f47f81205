"""A project to label from films alone: its config, its first frames, an experiment of it."""

import getpass
import shlex
from collections.abc import Sequence

import yaml

from beampose.core import files, storage
from beampose.core.name_parts import safe
from beampose.formats.deeplabcut import project_config, project_labels
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines.curation import frame_extraction
from beampose.pipelines.curation.frame_files import Progress
from beampose.preprocess import videos
from beampose.preprocess.labels import SINGLE

EXPERIMENT = "experiment.yaml"
# Frames of a film that are looked at to choose the first ones.
_LOOKED_AT = 300
FIRST = 20


def default_folder(film: str) -> str:
    """Where the project of a film is made if nobody says where."""
    return files.absolute(f"{safe(files.stem(film))}-labels")


def make(
    films: Sequence[str],
    root: str,
    bodyparts: Sequence[str],
    *,
    individuals: Sequence[str] = (),
    scorer: str | None = None,
    count: int = FIRST,
    progress: Progress = lambda items, total, what: items,
) -> list[str]:
    """Makes a project with frames of films, or goes on with the one that is there.

    Args:
      individuals: of a new project of several animals.
      count: frames of each film, those that are there included.

    Returns:
      Sentences on films that could not be used.

    Raises:
      FileNotFoundError: no film.
      ValueError: no bodyparts are named, other ones are there, or no film can be used.
    """
    for film in films:
        files.require(film, "film")
    file = files.join(root, project_config.CONFIG)
    if files.exists(file):
        _check(file, bodyparts, scorer)
        _check_individuals(root, individuals)
    else:
        if not bodyparts:
            raise ValueError(
                "Name what is to be labeled: "
                f"`beampose label {shlex.quote(films[0])} --bodyparts nose,tail`."
            )
        # Before anything is written: a film that is none makes no project.
        for film in films:
            videos.index(film)
        text = project_config.create(
            root, scorer=scorer or _person(), bodyparts=bodyparts, individuals=individuals
        )
        storage.write_text(file, text, durable=True)
    settings = frame_extraction.Settings(method="kmeans", count=count, every=_step(films, count))
    done, failures = frame_extraction.run(films, root, settings, progress=progress)
    if not done and not files.is_folder(files.join(root, LABELED_DATA)):
        raise ValueError("; ".join(f"{film} {why}" for film, why in failures))
    write_experiment(root, films)
    return [f"{film} {why}" for film, why in failures]


def _step(films: Sequence[str], count: int) -> int:
    """Step between the frames that are looked at: evenly, through the longest film."""
    longest = 0
    for film in films:
        try:
            longest = max(longest, videos.index(film).count)
        except ValueError:
            continue
    return max(longest // max(_LOOKED_AT, 2 * count), 1)


def _check(file: str, bodyparts: Sequence[str], scorer: str | None) -> None:
    text, _ = project_config.read(file)
    try:
        known, by = project_config.bodyparts(text), project_config.scorer(text)
    except ValueError as error:
        raise ValueError(f"{file} {error}") from None
    if (bodyparts and list(bodyparts) != known) or scorer not in (None, by):
        raise ValueError(
            f"{file} exists, with the bodyparts {','.join(known)} of the scorer {by}: change them "
            "there, or name another folder with --to."
        )


def _check_individuals(root: str, individuals: Sequence[str]) -> None:
    names, _, _ = project_labels.names(root)
    known = [one for one in names.individuals if one != SINGLE] if names.several else []
    if individuals and list(individuals) != known:
        raise ValueError(
            f"{root} has {'the individuals ' + ','.join(known) if known else 'one animal'}: change "
            "that in its config.yaml, or name another folder with --to."
        )


def _person() -> str:
    try:
        return safe(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return "me"


def write_experiment(root: str, films: Sequence[str]) -> str:
    """Writes the experiment of a project, where there is none. Returns its file."""
    file = files.join(root, EXPERIMENT)
    if files.exists(file):
        return file
    lines = {
        "task": "pose",
        "source": {"format": "deeplabcut", "path": "."},
        "split": {"by": "image", "test": 0.1},
        "predict": {"videos": [files.absolute(film) for film in films]},
        "output": "results",
    }
    text = "".join(
        f"{key}: {yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)}"
        for key, value in lines.items()
    ).replace("\n...\n", "\n")
    storage.write_text(file, text)
    return file
