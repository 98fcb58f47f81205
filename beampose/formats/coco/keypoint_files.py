"""COCO's keypoints as a label format."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from beampose.core import files, storage
from beampose.formats.coco import coco_reader, coco_writer
from beampose.formats.label_format import Exported, LabelFormat
from beampose.preprocess.labels import Labels


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


FORMAT = LabelFormat(
    name="coco",
    read=coco_reader.read,
    recognizes=lambda path: files.suffix(path) == ".json",
    write=write,
)
