"""Finds the one project, of whatever format, in a folder that a stranger has filled."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from beampose.core import zips
from beampose.formats import crop_folders
from beampose.formats.deeplabcut import project_labels, projects
from beampose.preprocess import images


def find_project(folder: str | os.PathLike) -> tuple[str, str]:
    """The format and the path of the one project in a local folder, at any depth.

    A DeepLabCut project is a config.yaml with labeled-data/ beside it, or a table as of
    `root_tables`. Crops are class folders of images, inside Training and Testing or not. Any two
    folders of images would be crops, so those without one of the known names count only where
    nothing else is found. Folders that begin with a dot, and Apple's shadows, are ignored.

    Raises:
      ValueError: there is no project or there are several; the text says where.
    """
    root = Path(folder)
    found = list(_projects(root, known_names=True)) or list(_projects(root, known_names=False))
    if len(found) == 1:
        return found[0][0], str(found[0][1])
    if found:
        places = ", ".join(f"{path.relative_to(root)} ({kind})" for kind, path in sorted(found))
        raise ValueError(f"holds {len(found)} projects: {places}. Upload one zip for each")
    alone = sorted(p.parent for p in root.rglob("config.yaml") if p.is_file())
    hint = f" {alone[0].relative_to(root)} has a config.yaml only." if alone else ""
    raise ValueError(
        "holds no project: neither a DeepLabCut project (config.yaml or CollectedData.csv with "
        f"{project_labels.LABELED_DATA}/ beside it) nor folders of crops (such as "
        f"Training/Positive and Training/Negative).{hint}"
    )


def _projects(folder: Path, *, known_names: bool) -> Iterator[tuple[str, Path]]:
    """Projects from the top down; what lies inside one is part of it."""
    if _is_project(folder):
        yield "deeplabcut", folder
        return
    below = _folders(folder)
    if _holds_crops(below, known_names):
        yield "crops", folder
        return
    for child in below:
        yield from _projects(child, known_names=known_names)


def _is_project(folder: Path) -> bool:
    if not (folder / project_labels.LABELED_DATA).is_dir():
        return False
    return (folder / "config.yaml").is_file() or projects.recognizes(str(folder))


def _holds_crops(below: list[Path], known_names: bool) -> bool:
    classes = [child for child in below if _has_images(child)]
    for child in below:
        if child.name.lower() in crop_folders.SPLITS:
            classes += [inner for inner in _folders(child) if _has_images(inner)]
    names = {child.name.lower() for child in classes}
    if len({crop_folders.CLASSES.get(name, name) for name in names}) < 2:
        return False
    splits = any(child.name.lower() in crop_folders.SPLITS for child in below)
    return not known_names or splits or bool(names & crop_folders.CLASSES.keys())


def _folders(folder: Path) -> list[Path]:
    return sorted(
        child
        for child in folder.iterdir()
        if child.is_dir() and not child.name.startswith(".") and child.name != zips.SHADOWS
    )


def _has_images(folder: Path) -> bool:
    return any(
        PurePosixPath(child.name).suffix.lower() in images.SUFFIXES
        for child in folder.iterdir()
        if not child.name.startswith(".") and child.is_file()
    )
