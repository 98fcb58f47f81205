"""Folders of labeled frames without a config.yaml: what it would say stands in their headers.

Scorer, bodyparts and individuals are named by every `CollectedData_<scorer>` file. Bodyparts and
individuals keep the order in which the files name them first.
"""

from collections import Counter
from typing import Any

from beampose.core import files, texts
from beampose.formats.deeplabcut import collected_data, columns
from beampose.formats.deeplabcut.columns import Column
from beampose.preprocess.labels import SINGLE, WARNING, Problem

_BEGINNING = "CollectedData_"
_SHOWN = 5


def label_files(folders: list[str]) -> list[str]:
    """The label files in some folders, h5 before the csv that says the same."""
    found = [child for folder in folders for child in files.children(folder) if _is_labels(child)]
    return sorted(found, key=lambda file: (files.parent(file), files.suffix(file) != ".h5", file))


def like_them(folders: list[str]) -> str:
    """Says which file of some folders may be meant for a label file; "" if none may."""
    found = ((folder, collected_data.like_it(files.children(folder))) for folder in folders)
    return next((f" In {folder}{what[1:]}." for folder, what in found if what), "")


def _is_labels(file: str) -> bool:
    return files.name(file).startswith(_BEGINNING) and files.suffix(file) in (".h5", ".csv")


def config(
    folders: list[str], scorer: str, root: str, problems: list[Problem]
) -> dict[str, Any] | None:
    """What a config.yaml would say; None if no file in the folders says anything.

    Args:
      scorer: whose labels are asked for; "" for those of the one with the most files.
      problems: gets a line that says whose labels are read, and whose not.
    """
    owners: Counter[str] = Counter()
    named: dict[Column, None] = {}
    every = label_files(folders)
    for file in every:
        own = files.stem(file).removeprefix(_BEGINNING)
        if found := columns_of(file):
            owners[own] += 1
            named |= dict.fromkeys(found)
    if not named:
        return None
    chosen = scorer or owners.most_common(1)[0][0]
    others = [name for name in owners if name != chosen]
    what = f"has no config.yaml: read by the headers of its label files, labels of {chosen}"
    if others:
        what += f"; those of {', '.join(others)} need source.scorer"
    problems.append(Problem(WARNING, root, 0, "", what))
    return {"scorer": chosen, **names(list(named))}


def unread(folders: list[str], scorer: str) -> list[Problem]:
    """Says whose label files are not read where a scorer has some."""
    every = {file.rpartition(".")[0]: file for file in label_files(folders)}
    own = {files.parent(stem) for stem in every if files.name(stem) == _BEGINNING + scorer}
    others = {
        stem: files.name(stem).removeprefix(_BEGINNING)
        for stem in every
        if files.parent(stem) in own and files.name(stem) != _BEGINNING + scorer
    }
    if not others:
        return []
    owners = Counter(others.values()).most_common(_SHOWN)
    shown = ", ".join(f"{name} ({count})" for name, count in owners)
    what = f"label files of {shown} are there and not read: source.scorer: [{scorer}, …] adds them"
    return [Problem(WARNING, every[next(iter(others))], 0, "", what)]


def names(named: list[Column]) -> dict[str, Any]:
    """Bodyparts and individuals of some columns, as a config.yaml lists them."""
    common = dict.fromkeys(column.bodypart for column in named if column.individual != SINGLE)
    unique = dict.fromkeys(column.bodypart for column in named if column.individual == SINGLE)
    animals = dict.fromkeys(c.individual for c in named if c.individual not in ("", SINGLE))
    if not animals:
        return {"bodyparts": [*common, *unique]}
    return {
        "multianimalproject": True,
        "individuals": [*animals],
        "multianimalbodyparts": [*common],
        "uniquebodyparts": [*unique],
    }


def columns_of(file: str) -> list[Column]:
    """The columns of a file; none of one that cannot be read, which is told where it is used."""
    try:
        data = files.read_bytes(file)
        if files.suffix(file) == ".h5":
            found = columns.read_h5(data)[0]
        else:
            found = collected_data.header(texts.decode(data, texts.WINDOWS)).columns
    except (OSError, ValueError):
        return []
    return [column for column in found if any(column)]
