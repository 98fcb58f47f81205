"""COCO's keypoints as a label format."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from beampose.core import files, storage
from beampose.formats.coco import coco_reader, coco_writer
from beampose.formats.crop_folders import SPLITS
from beampose.formats.label_format import Exported, LabelFormat
from beampose.preprocess.labels import Labels

SUFFIX = ".json"
# What our own export, Roboflow's and Label Studio's call the file in a folder of images.
_NAMES = (coco_writer.FILE, "_annotations.coco.json", "result.json")
# Where CVAT's export keeps it.
_INNER = "annotations"


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
    found = files.of_suffix(folder, SUFFIX)
    named = [file for file in found if files.name(file) in _NAMES]
    chosen = (
        named if len(named) == 1 else found or files.of_suffix(files.join(folder, _INNER), SUFFIX)
    )
    if len(chosen) == 1:
        return chosen[0]
    below = [] if chosen else _below(folder)
    there = ", ".join(file[len(folder.rstrip("/")) + 1 :] for file in (chosen or below)[:5])
    more = ". Name one; split.test_from may name the one to test on" if below else ""
    raise ValueError(
        f"{folder} must hold one {SUFFIX}, or name the file. Found: {there or 'none'}{more}."
    )


def _below(folder: str) -> list[str]:
    """Files in the folders `train`, `valid` and `test`, as Roboflow's export has them."""
    inner = [child for child in files.children(folder) if files.name(child).lower() in SPLITS]
    found = [file for child in inner for file in files.of_suffix(child, SUFFIX)]
    return [file for file in found if files.name(file) in _NAMES]


def _recognizes(path: str) -> bool:
    if files.suffix(path) == SUFFIX:
        return True
    if not files.is_folder(path):
        return False
    return any(files.exists(files.join(path, name)) for name in _NAMES) or bool(_below(path))


FORMAT = LabelFormat(
    name="coco",
    read=read,
    options=("empty",),
    recognizes=_recognizes,
    write=write,
)
