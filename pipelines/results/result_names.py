"""Which films the names in a folder of predictions belong to, by the summaries there."""

import bisect
import csv
import functools
import glob
import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence

from upath import UPath

from beampose.core import artefacts, csv_cells, files, storage, task_kinds
from beampose.core.answering import Unanswered
from beampose.core.infos import ModelInfo, PredictionInfo, TracksInfo
from beampose.core.names import INFO
from beampose.core.settings.experiment import Config
from beampose.pipelines import still_sets
from beampose.pipelines.film_names import Film, Owner, assign

LOG = logging.getLogger(__name__)
CROPS = "_crops"
# Of a set of photographs, a row an image.
IMAGES = "_images.csv"
# Names of files go on after the film's with DeepLabCut's scorer, or with what crops are called.
_AFTER = re.compile(r"(DLC|_crops\.json$)")


class Predictions:
    """Names in a folder of predictions; see `film_names.Known`.

    Args:
      label: of the model's files, after the name. What they say counts before what the files of
        other models say of a name.
    """

    def __init__(self, folder: str, label: str = ""):
        self._folder, self._label = folder, label
        self._files: dict[str, list[str]] = {}
        self._top: set[str] | None = None
        self._read = functools.cache(self._summary)

    def owners(self, name: str) -> list[Owner]:
        own = f"{name}{self._label}.json"
        there = self._summaries(name)
        if self._label and own in there:
            # A damaged summary is refused, or replaced, where it is read for what it says.
            return [self._owner(own, name) or Owner("")]
        return [owner for file in there if (owner := self._owner(file, name))]

    def names(self, path: str) -> list[str]:
        stem = files.stem(path)
        # Films of one name in one call had folders of their own before November 2026.
        code = hashlib.sha256(os.fsencode(path)).hexdigest()[:6]
        before = f"{files.name(files.parent(path))}-{code}/{stem}"
        suffixed = re.compile(rf"{re.escape(stem)}-[0-9a-f]{{8,32}}(?={_AFTER.pattern})")
        ours = [
            found[0] for file in self._beginning("", f"{stem}-") if (found := suffixed.match(file))
        ]
        return list(dict.fromkeys([stem, before, *ours]))

    def everything(self) -> Iterator[tuple[str, Owner]]:
        for file in self._listed(""):
            said = self._read(file)
            if said is not None and said.name and (owner := self._owner(file, said.name)):
                yield said.name, owner

    def _summaries(self, name: str) -> list[str]:
        folder, _, last = name.rpartition("/")
        above = f"{folder}/" if folder else ""
        return [above + file for file in self._of(folder, last)]

    def _of(self, folder: str, name: str) -> Iterator[str]:
        for file in self._beginning(folder, name):
            if _AFTER.match(file, len(name)):
                yield file

    def _beginning(self, folder: str, start: str) -> Iterator[str]:
        there = self._listed(folder)
        for i in range(bisect.bisect_left(there, start), len(there)):
            if not there[i].startswith(start):
                return
            yield there[i]

    def _listed(self, folder: str) -> list[str]:
        """Names of summaries in a folder, sorted; it is listed once."""
        if folder not in self._files:
            found = self._children(folder)
            self._files[folder] = sorted(name for name in found if files.suffix(name) == ".json")
        return self._files[folder]

    def _children(self, folder: str) -> set[str]:
        """Names in a folder; of one that the folder above does not list nobody asks."""
        if not folder:
            if self._top is None:
                self._top = storage.names(self._folder)
            return self._top
        if folder.partition("/")[0] not in self._children(""):
            return set()
        return storage.names(files.join(self._folder, folder))

    def _owner(self, file: str, name: str) -> Owner | None:
        """The film of a summary; None of a file that is none, or of another film."""
        said = self._read(file)
        if said is None or said.name != name:
            return None
        if not isinstance(said, PredictionInfo):
            return Owner(said.video, said.video_fingerprint)
        owner = Owner(said.video, said.video_fingerprint, said.video_bytes)
        if not said.images:
            return owner
        table = storage.place(self._folder, f"{file.removesuffix('.json')}{IMAGES}")
        return owner._replace(lies_there=functools.partial(_lie_there, said, table))

    def _summary(self, file: str) -> PredictionInfo | TracksInfo | None:
        return _read_summary(storage.place(self._folder, file))


def image_rows(file: storage.Address) -> Iterator[dict[str, str]]:
    """What is known of each image of a set, by column; nothing if there is no such file."""
    place = storage.place(file)
    if place.is_file():
        # Ends of lines in the name of an image are its own.
        with place.open("r", encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                yield {**row, "image": csv_cells.plain(row["image"])}


def _lie_there(said: PredictionInfo, table: storage.Address) -> bool:
    """Whether the images of a set are where they were predicted, by their bytes."""
    # Images that were sent to a bucket stay there when those of this machine are moved.
    sent = files.is_address(said.images_root) != files.is_address(said.video)
    root = said.video if sent else said.images_root
    try:
        before = {
            files.join(root, row["image"]) if root else row["image"]: int(row["bytes"])
            for row in image_rows(table)
            if not row["failure"]
        }
    except (OSError, ValueError, KeyError):
        return False
    return bool(before) and files.sizes(list(before)) == before


def predicted(config: Config) -> list[str]:
    """Videos that the experiment's model has predicted, by the summaries of its predictions."""
    return sorted({said.video for said in _predictions(config) if not said.images})


def predicted_stills(config: Config) -> list[PredictionInfo]:
    """Sets of photographs that the experiment's model has predicted, by name."""
    return sorted((s for s in _predictions(config) if s.images), key=lambda said: said.name)


def present_stills(config: Config) -> dict[str, PredictionInfo]:
    """Sets of photographs that were predicted, by their paths.

    Of a path of which several were, since images of it changed, that of the images which lie there
    now; if none is, the last one, which is said.
    """
    sets: dict[str, list[PredictionInfo]] = {}
    for one in predicted_stills(config):
        sets.setdefault(one.video, []).append(one)
    return {path: _present(own, config) for path, own in sets.items()}


def _present(sets: Sequence[PredictionInfo], config: Config) -> PredictionInfo:
    if len(sets) == 1:
        return sets[0]
    code = still_sets.lies_there(sets[0].video, config.output)
    if same := [one for one in sets if one.video_fingerprint == code]:
        return same[-1]
    last = max(sets, key=lambda one: one.finished)
    LOG.warning(
        "NOTE %s: changed since it was predicted; the last results of it, %s, are taken",
        last.video,
        last.name,
    )
    return last


def _predictions(config: Config) -> Iterator[PredictionInfo]:
    folder = storage.place(config.predictions)
    model = artefacts.find_info(storage.place(config.model, INFO), ModelInfo)
    if model is None or not folder.is_dir():
        return
    for file in storage.whole_below(folder, f"*{glob.escape(_label(model))}.json"):
        said = _read_summary(file)
        if isinstance(said, PredictionInfo):
            yield said


def of_experiment(config: Config, paths: Sequence[str]) -> list[Film]:
    """Films with the names of their predictions by the experiment's model.

    Args:
      paths: absolute.
    """
    model = artefacts.find_info(storage.place(config.model, INFO), ModelInfo)
    label = "" if model is None else _label(model)
    return assign(paths, Predictions(config.predictions, label))


def _label(model: ModelInfo) -> str:
    return model.dlc_scorer if task_kinds.of_info(model).points else CROPS


def _read_summary(file: UPath) -> PredictionInfo | TracksInfo | None:
    """What a file says of a video; None if it is none."""
    try:
        return artefacts.read_info(file, PredictionInfo, TracksInfo)
    except Unanswered:
        raise
    except (OSError, ValueError):
        return None
