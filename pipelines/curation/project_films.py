"""Which films the folders of labeled frames of a DeepLabCut project belong to."""

import re

from beampose.core import files
from beampose.formats.deeplabcut import project_config
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines import film_names
from beampose.pipelines.film_names import Owner


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
        self._sets = project_config.video_sets(text)

    def folder(self, name: str) -> str:
        """Where the frames of a film of this name are, or will be."""
        return files.join(self._above, name)

    def owners(self, name: str) -> list[Owner]:
        folder = self.folder(name)
        there = files.is_folder(folder)
        if there and (written := film_names.recorded(folder)):
            return written
        told = [Owner(path) for path in self._sets if files.stem(path) == name]
        # Frames that nobody says anything of.
        return told or ([Owner("")] if there and files.children(folder) else [])

    def names(self, path: str) -> list[str]:
        stem = files.stem(path)
        suffixed = re.compile(rf"{re.escape(stem)}-[0-9a-f]{{8,32}}")
        there = files.children(self._above) if files.is_folder(self._above) else []
        return [stem, *filter(suffixed.fullmatch, map(files.name, there))]
