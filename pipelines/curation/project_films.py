"""Which films the folders of labeled frames of a DeepLabCut project belong to."""

import dataclasses
import logging
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from beampose.core import files, fingerprints, wording
from beampose.formats import labeled_images
from beampose.formats.deeplabcut import project_config, video_links
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines import film_names
from beampose.pipelines.film_names import Film, Owner
from beampose.preprocess import inside
from beampose.preprocess.film_paths import FilmPath
from beampose.preprocess.labels import LabeledCrop, LabeledFrame, Labels

LOG = logging.getLogger(__name__)
# Films that a line names.
_TOLD = 5


class Imported(NamedTuple):
    """A film of labels with its name in a project, and how the labels name it."""

    film: Film
    named: FilmPath | None


def named(labels: Labels, root: str) -> tuple[Labels, list[Imported]]:
    """Labels whose frames of films go to the folders that the films have in a project.

    Args:
      root: the project's folder, which may be empty.
    """
    there = files.exists(files.join(root, project_config.CONFIG))
    others = _OtherProjects(root)
    films_of = [_film_of(item) or others.film_of(item) for item in labels.items]
    wanted = {_place(one): one for one in films_of if one is not None}
    known = ProjectFilms(root) if there else _Nothing()
    others.tell()
    films = film_names.assign([wanted[path] for path in sorted(wanted)], known)
    told = {path: one if isinstance(one, FilmPath) else None for path, one in wanted.items()}
    found = [Imported(film, told[film.path]) for film in films]
    names = {one.film.path: one.film.name for one in found if one.film.fingerprint or one.named}
    items = tuple(
        dataclasses.replace(item, video=names.get(_place(film), item.video))
        if film is not None and not _is_from_before(item.video, _place(film), root)
        else item
        for item, film in zip(labels.items, films_of, strict=True)
    )
    return dataclasses.replace(labels, items=items), found


def _is_from_before(video: str, path: str, root: str) -> bool:
    """Whether a film was imported before November 2026 to a folder called trial_2, which stays."""
    folder = files.join(root, LABELED_DATA, video)
    numbered = re.fullmatch(rf"{re.escape(files.stem(path))}_\d+", video)
    return bool(numbered) and files.is_folder(folder) and not film_names.recorded(folder)


def record(films: Sequence[Imported], root: str) -> None:
    """Writes down beside the frames of films which film they are from."""
    for film, told in films:
        folder = _folder(files.join(root, LABELED_DATA), film.name)
        if (film.fingerprint or told) and files.is_folder(folder):
            film_names.record(folder, film, told)
            if film.fingerprint:
                video_links.make(root, film.path, film.name)


def _film_of(item: LabeledFrame | LabeledCrop) -> str | FilmPath | None:
    """The film that an image was taken from; None if it is not known."""
    if isinstance(item, LabeledFrame) and item.film is not None:
        return item.film
    place = inside.parse(item.image)
    return place.file if place and not place.dataset else None


class _OtherProjects:
    """Films of frames that come from another DeepLabCut project than the one they go to.

    Args:
      root: the project they go to.
    """

    def __init__(self, root: str):
        self._above = files.join(root, LABELED_DATA)
        # By folder of frames the film, and frames there that may be of another one.
        self._known: dict[str, tuple[str | None, frozenset[str]]] = {}
        # By their folders.
        self._projects: dict[str, ProjectFilms | None] = {}
        # Folders that may hold frames of two films from now on.
        self._mixed: set[str] = set()

    def film_of(self, item: LabeledFrame | LabeledCrop) -> str | None:
        """The film that an image was taken from; None if it is not known."""
        folder = files.parent(item.image)
        if folder not in self._known:
            self._known[folder] = self._found(folder)
        film, beside = self._known[folder]
        if beside and files.name(item.image) not in beside:
            self._mixed.add(files.name(folder))
        return film

    def tell(self) -> None:
        """Says which films may be mixed, if any."""
        if self._mixed:
            LOG.warning(
                "NOTE %s: has frames of films called %s, too. Whether these are the same films "
                "cannot be told, as none is where video_sets of config.yaml says; the frames go to "
                "one folder. If they are others, rename folders and films of one project first",
                self._above,
                wording.listed(sorted(self._mixed), _TOLD),
            )

    def _found(self, folder: str) -> tuple[str | None, frozenset[str]]:
        above, name = files.parent(folder), files.name(folder)
        is_other = files.name(above) == LABELED_DATA and above != self._above
        project = self._project(files.parent(above)) if is_other else None
        if project is None:
            return None, frozenset()
        own = _folder(self._above, name)
        beside = frozenset(map(files.name, files.children(own)) if files.is_folder(own) else ())
        told = [owner.video for owner in project.owners(name) if owner.video]
        videos = files.join(files.parent(above), video_links.VIDEOS)
        moved = [files.join(videos, files.name(film)) for film in told]
        found = next((film for film in [*told, *moved] if files.exists(film)), None)
        if found and (beside or files.stem(found) == name):
            return found, frozenset()
        return None, beside

    def _project(self, root: str) -> "ProjectFilms | None":
        if root not in self._projects:
            there = files.exists(files.join(root, project_config.CONFIG))
            self._projects[root] = ProjectFilms(root) if there else None
        return self._projects[root]


def _place(film: str | FilmPath) -> str:
    """The path by which a film has its name, see `film_names.assign`."""
    return film if isinstance(film, str) else film.found or film.told


def _folder(above: str, name: str) -> str:
    """The folder of a name in a project; one that labels cannot have is another for them."""
    folder = files.join(above, name)
    written = files.join(above, labeled_images.folder(name))
    return written if not files.is_folder(folder) and files.is_folder(written) else folder


def _content(path: str) -> str:
    """The fingerprint of a film; empty if it is not there, or cannot be read."""
    if not files.sizes([path])[path]:
        return ""
    try:
        return fingerprints.of_file(path)
    except OSError:
        return ""


class _Nothing:
    """Names where no project is yet."""

    def owners(self, name: str) -> list[Owner]:
        return []

    def names(self, path: str) -> list[str]:
        return []

    def everything(self) -> list[tuple[str, Owner]]:
        return []


class ProjectFilms:
    """Names in a project; see `film_names.Known`.

    DeepLabCut knows a film by the stem of a path in `video_sets` alone. Beside the frames lies what
    film they are from; before November 2026 only that path said so.

    Args:
      root: the project's folder, which has a config.yaml.

    Raises:
      ValueError: its config.yaml cannot be read.
    """

    def __init__(self, root: str):
        text, _ = project_config.read(files.join(root, project_config.CONFIG))
        self._above = files.join(root, LABELED_DATA)
        self._sets = project_config.films(root, text)

    def folder(self, name: str) -> str:
        """Where the frames of a film of this name are, or will be."""
        return _folder(self._above, name)

    def owners(self, name: str) -> list[Owner]:
        folder = self.folder(name)
        there = files.is_folder(folder)
        if there and (written := film_names.recorded(folder)):
            return written
        frames = there and bool(files.children(folder))
        paths = [path for path in self._sets if files.stem(path) == name]
        if not frames:
            # Nothing was made of them yet: those that are there now are meant.
            return [Owner(path, _content(path)) for path in paths]
        # Frames that nobody says anything of. A film in the project's own folder that is not there
        # is an entry that was made for them.
        own = files.join(files.parent(self._above), video_links.VIDEOS)
        made = [path for path in paths if files.parent(path) == own and not files.exists(path)]
        return [Owner("" if path in made else path) for path in paths] or [Owner("")]

    def names(self, path: str) -> list[str]:
        stem = files.stem(path)
        suffixed = re.compile(rf"{re.escape(stem)}-[0-9a-f]{{8,32}}")
        there = files.children(self._above) if files.is_folder(self._above) else []
        return [stem, *filter(suffixed.fullmatch, map(files.name, there))]

    def everything(self) -> Iterator[tuple[str, Owner]]:
        for folder in files.children(self._above) if files.is_folder(self._above) else ():
            yield from ((files.name(folder), one) for one in film_names.recorded(folder))
