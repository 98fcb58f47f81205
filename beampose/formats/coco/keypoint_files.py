"""COCO's keypoints as a label format."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from beampose.core import files, storage
from beampose.formats.coco import coco_reader, coco_writer
from beampose.formats.label_format import Exported, LabelFormat
from beampose.preprocess.labels import Labels

SUFFIX = ".json"
# What our own export and Roboflow's call the file in a folder of images.
_NAMES = (coco_writer.FILE, "_annotations.coco.json")


def write(
    labels: Labels,
    splits: Sequence[str],
    to: storage.Address,
    *,
    scorer: str | None = None,
    overwrite: bool = False,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Exported:
    """Writes labels and images, see `coco_writer.write`; the scorer is their contributor."""
    labels = dataclasses.replace(labels, scorer=scorer or labels.scorer)
    found = coco_writer.write(labels, splits, to, overwrite=overwrite, progress=progress)
    return Exported(len(found.pictures), found.written, found.problems)


def read(path: str, *, empty: bool = False) -> Labels:
    """Reads a file, or the one in a folder, see `coco_reader.read`.

    Raises:
      FileNotFoundError, ValueError: also of a folder that holds none, or several.
    """
    return coco_reader.read(_file_in(path) if files.is_folder(path) else path, empty=empty)


def _file_in(folder: str) -> str:
    found = [child for child in files.children(folder) if files.suffix(child) == SUFFIX]
    named = [file for file in found if files.name(file) in _NAMES]
    chosen = named if len(named) == 1 else found
    if len(chosen) != 1:
        there = ", ".join(map(files.name, chosen[:5])) or "none"
        raise ValueError(f"{folder} must hold one {SUFFIX}, or name the file. Found: {there}.")
    return chosen[0]


def _recognizes(path: str) -> bool:
    return files.suffix(path) == SUFFIX or any(
        files.exists(files.join(path, name)) for name in _NAMES
    )


FORMAT = LabelFormat(
    name="coco",
    read=read,
    options=("empty",),
    recognizes=_recognizes,
    write=write,
)
