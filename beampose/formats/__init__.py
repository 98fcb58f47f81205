"""Label formats, one file each: `read(path, ...) -> Labels`. A new format: a file, a line here."""

from collections.abc import Callable, Sequence

from beampose.core import files
from beampose.formats import crop_folders, crop_lists
from beampose.formats.coco import coco_reader
from beampose.formats.deeplabcut import project_labels, scorers
from beampose.formats.imagej import imagej_reader
from beampose.formats.sleap import slp_reader
from beampose.preprocess.labels import Labels, choose_bodyparts

READERS: dict[str, Callable[..., Labels]] = {
    "deeplabcut": project_labels.read,
    "imagej": imagej_reader.read,
    "sleap": slp_reader.read,
    "coco": coco_reader.read,
    "crops": crop_folders.read,
    "csv": crop_lists.read,
}
POSE = ("deeplabcut", "imagej", "sleap", "coco")


def read(
    format: str,
    path: str,
    *,
    scorer: str | Sequence[str] | None = None,
    bodyparts: list[str] | None = None,
    combine: str | None = None,
) -> Labels:
    """Reads a source.

    Args:
      format: a key of `READERS`.
      path: project folder, crop folder or file, local or an address.
      scorer: whose labels, where a project has several; several names are combined.
      bodyparts: which bodyparts and in what order; the project's own if None.
      combine: how several scorers become one, of `scorers.WAYS`; mean if None.

    Raises:
      FileNotFoundError, ValueError: the source as a whole cannot be read; what is wrong with
        single files and rows is in `Labels.problems` instead.
    """
    if format not in READERS:
        raise ValueError(f"format must be one of {', '.join(READERS)}. Received: {format!r}.")
    if scorer and format != "deeplabcut":
        raise ValueError(f"source.scorer does not apply to format {format!r}.")
    if bodyparts and format not in POSE:
        raise ValueError(f"source.bodyparts does not apply to format {format!r}.")
    if format == "deeplabcut":
        return _projects(path, scorer, bodyparts, combine)
    if format == "imagej":
        return imagej_reader.read(path, bodyparts=bodyparts)
    labels = READERS[format](path)
    return choose_bodyparts(labels, bodyparts, path) if bodyparts else labels


def guess(path: str) -> str:
    """The format of labels for poses, by what lies at a path."""
    if files.suffix(path) == ".slp":
        return "sleap"
    if files.suffix(path) == ".json":
        return "coco"
    if files.suffix(path) in (".yaml", ".yml"):
        return "deeplabcut"
    config = files.exists(files.join(path, "config.yaml"))
    return "deeplabcut" if config else "imagej"


def _projects(
    path: str,
    scorer: str | Sequence[str] | None,
    bodyparts: list[str] | None,
    combine: str | None,
) -> Labels:
    if scorer is None or isinstance(scorer, str):
        return project_labels.read(path, scorer=scorer, bodyparts=bodyparts)
    return scorers.read(
        lambda name: project_labels.read(path, scorer=name, bodyparts=bodyparts),
        scorer,
        way=combine or scorers.MEAN,
        where=path,
    )
