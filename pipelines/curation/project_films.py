"""Which films the folders of labeled frames of a DeepLabCut project belong to."""

import dataclasses
import re
from collections.abc import Iterator, Sequence

from beampose.core import files, fingerprints
from beampose.formats.deeplabcut import project_config, video_links
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines import film_names
from beampose.pipelines.film_names import Film, Owner
from beampose.preprocess import inside
from beampose.preprocess.labels import Labels


def named(labels: Labels, root: str) -> tuple[Labels, list[Film]]:
    """Labels whose frames of films go to the folders that the films have in a project.

    Args:
      root: the project's folder, which may be empty.
    """
    paths = sorted({path for item in labels.items if (path := _film_of(item.image))})
    there = files.exists(files.join(root, project_config.CONFIG))
    films = film_names.assign(paths, ProjectFilms(root) if there else _Nothing())
    names = {film.path: film.name for film in films if film.fingerprint}
    # Folders called trial_2, of films that were imported before November 2026, stay theirs.
    before = {
        item.video
        for item in labels.items
        if re.fullmatch(rf"{re.escape(files.stem(_film_of(item.image)))}_\d+", item.video)
        and files.is_folder(files.join(root, LABELED_DATA, item.video))
    }
    items = tuple(
        dataclasses.replace(item, video=names.get(_film_of(item.image), item.video))
        if item.video not in before
        else item
        for item in labels.items
    )
    return dataclasses.replace(labels, items=items), films


def record(films: Sequence[Film], root: str) -> None:
    """Writes down beside the frames of films which film they are from."""
    for film in films:
        folder = files.join(root, LABELED_DATA, film.name)
        if film.fingerprint and files.is_folder(folder):
            film_names.record(folder, film)
            video_links.make(root, film.path, film.name)


def _film_of(image: str) -> str:
    """The film that an image is a frame of; empty if it is none."""
    place = inside.parse(image)
    return place.file if place and not place.dataset else ""


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
        return files.join(self._above, name)

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
        # Frames that nobody says anything of.
        return [Owner(path) for path in paths] or [Owner("")]

    def names(self, path: str) -> list[str]:
        stem = files.stem(path)
        suffixed = re.compile(rf"{re.escape(stem)}-[0-9a-f]{{8,32}}")
        there = files.children(self._above) if files.is_folder(self._above) else []
        return [stem, *filter(suffixed.fullmatch, map(files.name, there))]

    def everything(self) -> Iterator[tuple[str, Owner]]:
        for folder in files.children(self._above) if files.is_folder(self._above) else ():
            yield from ((files.name(folder), one) for one in film_names.recorded(folder))
