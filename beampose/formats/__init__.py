"""Label formats by name: those in this folder, and those that other packages add."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import EntryPoint

import numpy as np

from beampose.core import files, format_names, task_kinds, texts
from beampose.core.wording import agreed, counted
from beampose.formats.label_format import Exported, LabelFormat
from beampose.preprocess.labels import (
    ERROR,
    WARNING,
    LabeledFrame,
    Labels,
    Problem,
    check_each_once,
    choose_bodyparts,
)

__all__ = ["Exported", "LabelFormat", "find", "guess", "read"]

LOG = logging.getLogger(__name__)
# Imported when they are asked for, as those of other packages are.
_OWN = {
    "deeplabcut": "beampose.formats.deeplabcut.projects:FORMAT",
    "imagej": "beampose.formats.imagej.imagej_reader:FORMAT",
    "sleap": "beampose.formats.sleap.slp_reader:FORMAT",
    "coco": "beampose.formats.coco.keypoint_files:FORMAT",
    "crops": "beampose.formats.crop_folders:FORMAT",
    "csv": "beampose.formats.crop_lists:FORMAT",
}
# Format of labels that no other format recognizes.
_OTHERWISE = "imagej"
# Folder of a project of DeepLabCut.
_FRAMES = "labeled-data"
# Folders of a folder that is none of labels.
_TRIED = 20


def find(name: str) -> LabelFormat:
    """The format of a name.

    Raises:
      ValueError: there is none, or the package that adds it is broken; the text names it.
    """
    if name in _OWN:
        return EntryPoint(name, _OWN[name], format_names.GROUP).load()
    added = format_names.added()
    if name not in added:
        known = ", ".join((*_OWN, *added))
        raise ValueError(f"format must be one of {known}. Received: {name!r}.")
    package = added[name].dist
    which = f"the package {package.name}" if package else added[name].value
    try:
        found = added[name].load()
    except Exception as error:  # Whatever a foreign module raises when it is imported.
        raise ValueError(
            f"The label format {name!r} of {which} cannot be loaded: {type(error).__name__}: "
            f"{error}. Update that package or uninstall it."
        ) from error
    if not isinstance(found, LabelFormat):
        raise ValueError(
            f"The label format {name!r} of {which} must be a beampose.formats.LabelFormat. "
            f"Received: {type(found).__name__}."
        )
    return found


def read(
    format: str,
    path: str,
    *,
    task: str | None = None,
    scorer: str | Sequence[str] | None = None,
    bodyparts: list[str] | None = None,
    combine: str | None = None,
    empty: bool = False,
) -> Labels:
    """Reads a source.

    Args:
      format: the name of a format.
      path: project folder, crop folder or file, local or an address.
      task: what the labels shall be for, `pose` or `crops`; None if that does not matter.
      scorer: whose labels, where a project has several; several names are combined.
      bodyparts: which bodyparts and in what order; the project's own if None.
      combine: how several scorers become one: `mean` or `first`; mean if None.
      empty: images without any label are negatives.

    Raises:
      FileNotFoundError, ValueError: the source as a whole cannot be read; what is wrong with
        single files and rows is in `Labels.problems` instead.
    """
    found = find(format)
    if task not in (None, found.task):
        raise ValueError(f"source.format {format!r} does not hold labels for task {task!r}.")
    check_each_once(bodyparts or ())
    asked = {"scorer": scorer, "bodyparts": bodyparts, "combine": combine}
    options = {name: value for name, value in asked.items() if value}
    chosen = None
    if "bodyparts" not in found.options and task_kinds.of_setting(found.task).points:
        chosen = options.pop("bodyparts", None)
    for name in options:
        if name not in found.options:
            raise ValueError(f"source.{name} does not apply to format {format!r}.")
    if empty and "empty" in found.options:
        options["empty"] = True
    try:
        labels = found.read(path, **options)
    except (FileNotFoundError, ValueError) as error:
        what = _hint(error, format, path)
        if not what:
            raise
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(f"{error} {what}") from error
    labels = _with_names_as_text(labels)
    if empty:
        labels = _with_negatives(labels, path)
    return choose_bodyparts(labels, bodyparts, path) if chosen and bodyparts else labels


def _hint(error: Exception, format: str, path: str) -> str:
    """Says what to name instead of a path that cannot be read; "" if that is not known."""
    if isinstance(error, FileNotFoundError):
        return _below(path) or (_as_crops(path) if format == _OTHERWISE else "")
    above = files.parent(path.rstrip("/"))
    if format == _OTHERWISE and files.name(above) == _FRAMES:
        return f"Name the project, {files.parent(above)}, whose folders are read together."
    return ""


def _below(path: str) -> str:
    """Says what inside a folder holds labels, as where a zip is unpacked into its name."""
    if not files.is_folder(path):
        return ""
    inner = [child for child, is_folder in files.listed(path) if is_folder][:_TRIED]
    for child in inner:
        format = guess(child)
        # Folders called train and the like are only the beginning of crops.
        if format not in (_OTHERWISE, "crops"):
            return f"But {child} holds labels, of format {format}: name that folder."
    tables = [file for folder in (path, *inner) for file in files.of_suffix(folder, ".csv")]
    for file in tables[:_TRIED]:
        format = guess(file)
        if format not in (_OTHERWISE, "csv"):
            return f"But {file} holds labels, of format {format}: name that file."
    for file in files.of_suffix(path, ".json")[:1]:
        try:
            find("coco").read(file)
        except (OSError, ValueError) as error:
            return f"In it {error}"
    return ""


def _as_crops(path: str) -> str:
    """Says that folders are classes of crops, as any two folders of images may be."""
    try:
        classes = find("crops").read(path).classes
    except (OSError, ValueError):
        return ""
    return f"As crops it has the classes {', '.join(classes)}: format crops reads them."


def _with_names_as_text(labels: Labels) -> Labels:
    """Labels without images whose names are bytes in no encoding: they cannot be written down."""
    lost = {item.name: item for item in labels.items if not texts.is_text(item.name)}
    if not lost:
        return labels
    folders = Counter(files.parent(item.image) for item in lost.values())
    problems = [
        Problem(
            ERROR,
            folder,
            0,
            "",
            f"{counted(count, 'image')} {agreed(count, 'have')} a name in no encoding that is "
            "known (UTF-8): rename the file, or its folder; not used",
        )
        for folder, count in folders.items()
    ]
    items = tuple(item for item in labels.items if item.name not in lost)
    return dataclasses.replace(labels, items=items, problems=(*labels.problems, *problems))


def _with_negatives(labels: Labels, path: str) -> Labels:
    """Labels whose images without any label are negatives, which a problem counts."""
    items = [
        dataclasses.replace(item, negative=True)
        if isinstance(item, LabeledFrame) and np.isnan(item.keypoints).all()
        else item
        for item in labels.items
    ]
    count = sum(isinstance(item, LabeledFrame) and item.negative for item in items)
    what = (
        f"{count} of {len(items)} images {agreed(count, 'have')} no label: negatives (source.empty)"
    )
    problem = Problem(WARNING, path, 0, "", what)
    return dataclasses.replace(labels, items=tuple(items), problems=(*labels.problems, problem))


def guess(path: str) -> str:
    """The format of labels, by what lies at a path."""
    for name in (*_OWN, *format_names.added()):
        try:
            found = find(name)
        except ValueError as error:
            LOG.warning("%s", error)
            continue
        if found.recognizes and found.recognizes(path):
            return name
    return _OTHERWISE
