"""DeepLabCut projects as a label format: read with all their scorers, written with a split."""

from collections.abc import Callable, Iterable, Sequence

from beampose.core import files, storage
from beampose.formats.deeplabcut import (
    project_labels,
    project_writer,
    root_tables,
    scorers,
    shuffle_writer,
)
from beampose.formats.label_format import Exported, LabelFormat
from beampose.preprocess.labels import TRAIN, Labels


def read(
    path: str,
    *,
    scorer: str | Sequence[str] | None = None,
    bodyparts: list[str] | None = None,
    combine: str = scorers.MEAN,
) -> Labels:
    """Reads a project; labels of several scorers are combined. See `project_labels.read`."""
    if scorer is None or isinstance(scorer, str):
        return project_labels.read(path, scorer=scorer, bodyparts=bodyparts)
    return scorers.read(
        lambda name: project_labels.read(
            path, scorer=name, bodyparts=bodyparts, others=[one for one in scorer if one != name]
        ),
        scorer,
        way=combine,
        where=path,
    )


def recognizes(path: str) -> bool:
    """Returns True for a project, its config.yaml, its labeled-data or a table at its root."""
    if files.suffix(path) in (".yaml", ".yml"):
        return True
    if files.exists(files.join(path, "config.yaml")):
        return True
    found = root_tables.choose(path)
    if found.tables or found.wrong:
        return True
    return project_labels.holds_labels(path)


def write(
    labels: Labels,
    splits: Sequence[str],
    to: storage.Address,
    *,
    scorer: str | None = None,
    overwrite: bool = False,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Exported:
    """Writes labels into a project, and their split as a shuffle.

    Raises:
      ValueError: see `project_writer.write` and `shuffle_writer.write`.
    """
    written = project_writer.write(
        labels,
        to,
        scorer=scorer,
        overwrite=overwrite,
        progress=progress,
        fraction=round(splits.count(TRAIN) / len(splits), 2),
    )
    sides = {item.name: side for item, side in zip(labels.items, splits, strict=True)}
    file = shuffle_writer.write(written, labels, sides, overwrite=overwrite)
    remark = f"The split is in {file}."
    return Exported(len(written.pictures), written.changed, written.problems, remark)


FORMAT = LabelFormat(
    name="deeplabcut",
    read=read,
    options=("scorer", "bodyparts", "combine"),
    recognizes=recognizes,
    write=write,
)
