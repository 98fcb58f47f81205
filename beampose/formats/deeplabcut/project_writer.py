"""A DeepLabCut project from labels: config.yaml, labeled-data/<video>/ with images and
CollectedData_<scorer>.csv and .h5, as DeepLabCut itself writes them."""

import datetime
import io
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from upath import UPath

from beampose.core import storage, writing_lock
from beampose.core.name_parts import safe
from beampose.formats import kept_files, labeled_images
from beampose.formats.deeplabcut import config_writer, label_merging
from beampose.formats.deeplabcut.prediction_writer import KEY
from beampose.formats.deeplabcut.project_config import MULTI
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.formats.labeled_images import Picture
from beampose.preprocess import bodypart_names
from beampose.preprocess.labels import SINGLE, WARNING, LabeledFrame, Labels, Problem

LEVELS = ["scorer", "individuals", "bodyparts", "coords"]
CONFIG = "config.yaml"
_NAMED = re.compile(r"(.*?)([A-Z][a-z]{2}\d{1,2})")


class Written(NamedTuple):
    """Content of a project after writing: scorer and pictures; `changed` files were written."""

    folder: UPath
    config: dict[str, Any]
    pictures: list[Picture]
    problems: list[Problem]
    changed: int


def write(
    labels: Labels,
    folder: storage.Address,
    *,
    scorer: str | None = None,
    overwrite: bool = False,
    progress: Callable[[Iterable], Iterable] = iter,
    fraction: float = 0.95,
    merge: bool = False,
) -> Written:
    """Writes labels into a project, which may exist.

    Args:
      scorer: under whose name; the project's own, else the labels', if None.
      fraction: the TrainingFraction of a new project.
      merge: rows of other images stay beside the new ones; else other rows are refused.

    Raises:
      PermissionError: another program writes labels there.
      ValueError: a project of other bodyparts or individuals, or other labels of this scorer are
        there and `overwrite` is not set; or no image can be read.
    """
    with writing_lock.alone(str(folder)):
        return _write(labels, storage.place(folder), scorer, overwrite, progress, fraction, merge)


def _write(
    labels: Labels,
    root: UPath,
    scorer: str | None,
    overwrite: bool,
    progress: Callable[[Iterable], Iterable],
    fraction: float,
    merge: bool,
) -> Written:
    existing = config_writer.read(root / CONFIG)
    scorer = safe(scorer or str(existing.get("scorer") or "") or labels.scorer or "imported")
    problems = _fits(existing, labels, scorer, root)
    if merge:
        # Before any picture is written.
        _merged(
            labels,
            labeled_images.by_video(labeled_images.planned(_frames(labels))),
            scorer,
            root,
            overwrite,
        )
    copied = labeled_images.copy(
        _frames(labels),
        root / LABELED_DATA,
        overwrite=overwrite,
        progress=progress,
    )
    labeled_images.refuse_none(copied, len(labels.items))
    videos = labeled_images.by_video(copied.pictures)
    config = existing or _config(labels, scorer, root, fraction)
    tables = {video: table(labels, own, scorer) for video, own in videos.items()}
    if merge:
        tables = _merged(labels, videos, scorer, root, overwrite)
    stem = f"CollectedData_{scorer}"
    of_labels = [
        file
        for video, own in tables.items()
        for file in table_files(own, root / LABELED_DATA / video / stem)
    ]
    written = [
        *(label_merging.grown(of_labels) if merge else of_labels),
        config_writer.with_videos(config, existing, videos, root),
    ]
    if not overwrite:
        kept_files.refuse(kept_files.conflicts(written[:-1]))
    changed = copied.written + sum(kept_files.write(file) for file in written)
    return Written(root, config, copied.pictures, [*problems, *copied.problems], changed)


def fitted(labels: Labels, folder: storage.Address) -> Labels:
    """Labels with the bodyparts of a project that is there, in its order, where it has them all."""
    existing = config_writer.read(storage.place(folder) / CONFIG)
    keys = ("multianimalbodyparts", "uniquebodyparts") if is_several(labels) else ("bodyparts",)
    lists = [existing.get(key) or [] for key in keys]
    names = [str(name) for one in lists if isinstance(one, list) for name in one]
    return bodypart_names.fitted(labels, names, str(storage.place(folder) / CONFIG))


def table(labels: Labels, found: Sequence[Picture], scorer: str) -> pd.DataFrame:
    """The labels of some pictures as DeepLabCut keeps them, NaN = not labeled.

    Rows are (labeled-data, video, image); columns (scorer, bodypart, coord), with the individual
    after the scorer where there are several.
    """
    several = is_several(labels)
    places = _columns(labels)
    columns = [
        (scorer, *([labels.individuals[i]] if several else []), labels.bodyparts[j], "xy"[axis])
        for i, j, axis in places
    ]
    values = np.array(
        [[one.frame.keypoints[place] for place in places] for one in found], np.float64
    )
    levels = LEVELS if several else [level for level in LEVELS if level != "individuals"]
    return pd.DataFrame(
        values.reshape(len(found), len(places)),
        index=pd.MultiIndex.from_tuples([(LABELED_DATA, one.video, one.name) for one in found]),
        columns=pd.MultiIndex.from_tuples(columns, names=levels),
    )


def table_files(frame: pd.DataFrame, stem: UPath) -> list[kept_files.File]:
    """`<stem>.csv` and `<stem>.h5` of a table; those that say the same already stay."""
    csv = stem.parent / f"{stem.name}.csv"
    h5 = stem.parent / f"{stem.name}.h5"
    same = csv.is_file() and _says(csv, frame)
    text = io.StringIO()
    frame.to_csv(text, lineterminator="\n")
    found = [kept_files.File(csv, text.getvalue().encode(), same)]
    if same and h5.is_file():
        return found
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "labels.h5")
        frame.to_hdf(str(file), key=KEY, mode="w")
        return [*found, kept_files.File(h5, file.read_bytes())]


def is_several(labels: Labels) -> bool:
    """Returns True if DeepLabCut would call it a multi-animal project."""
    return len(labels.individuals) > 1


def _columns(labels: Labels) -> list[tuple[int, int, int]]:
    """(individual, bodypart, axis) of each column; a scene's bodyparts are `single`'s only."""
    return [
        (i, j, axis)
        for i, individual in enumerate(labels.individuals)
        for j, bodypart in enumerate(labels.bodyparts)
        if (individual == SINGLE) == (bodypart in labels.unique_bodyparts)
        for axis in (0, 1)
    ]


def _merged(
    labels: Labels,
    videos: dict[str, list[Picture]],
    scorer: str,
    root: UPath,
    overwrite: bool,
) -> dict[str, pd.DataFrame]:
    return {
        video: label_merging.merge(
            table(labels, own, scorer), root / LABELED_DATA / video, overwrite=overwrite
        )
        for video, own in videos.items()
    }


def _frames(labels: Labels) -> list[LabeledFrame]:
    return [item for item in labels.items if isinstance(item, LabeledFrame)]


def _says(csv: UPath, frame: pd.DataFrame) -> bool:
    """Returns True if a csv holds the numbers of a table, in any order of rows."""
    width, levels = frame.index.nlevels, frame.columns.nlevels
    try:
        with csv.open("rb") as stream:
            there = pd.read_csv(
                stream, header=list(range(levels)), index_col=list(range(width)), dtype=str
            )
        there = there.astype(np.float64).reindex(columns=frame.columns)
        return len(there) == len(frame) and there.reindex(frame.index).equals(frame)
    except (ValueError, KeyError, TypeError, IndexError):
        return False


def _names(labels: Labels) -> dict[str, list[str]]:
    """Entries of a config.yaml that hold names."""
    if not is_several(labels):
        return {"bodyparts": list(labels.bodyparts)}
    common = [name for name in labels.bodyparts if name not in labels.unique_bodyparts]
    return {
        "individuals": [name for name in labels.individuals if name != SINGLE],
        "uniquebodyparts": list(labels.unique_bodyparts),
        "multianimalbodyparts": common,
    }


def _fits(existing: dict[str, Any], labels: Labels, scorer: str, root: UPath) -> list[Problem]:
    """Refuses a project of other names; another scorer is a warning."""
    if not existing:
        return []
    for key, names in _names(labels).items():
        there = [str(name) for name in existing.get(key) or []]
        if there != names:
            raise ValueError(
                f"{root / CONFIG} has {key} {there}, the labels have {names}. Choose and order "
                "them with --bodyparts, rename them with --rename OLD=NEW, or import into another "
                "project."
            )
    if str(existing.get("scorer")) == scorer:
        return []
    what = f"scorer is {existing.get('scorer')!r}: labels of {scorer!r} need source.scorer"
    return [Problem(WARNING, str(root / CONFIG), 0, "", what)]


def _config(labels: Labels, scorer: str, root: UPath, fraction: float) -> dict[str, Any]:
    """A config.yaml with DeepLabCut's keys, in its order, at its defaults."""
    several = is_several(labels)
    named = _NAMED.fullmatch(labels.project)
    today = datetime.date.today()
    names = _names(labels)
    parts = {**names, "bodyparts": MULTI} if several else names
    return {
        "Task": safe(named.group(1) if named else root.name.split("-")[0]),
        "scorer": scorer,
        "date": named.group(2) if named else f"{today:%b}{today.day}",
        "multianimalproject": several,
        "identity": False,
        "project_path": str(root),
        "video_sets": {},
        **parts,
        "start": 0,
        "stop": 1,
        "numframes2pick": 20,
        "skeleton": [list(edge) for edge in labels.edges],
        "skeleton_color": "black",
        "pcutoff": 0.6,
        "dotsize": 12,
        "alphavalue": 0.7,
        "colormap": "rainbow",
        "TrainingFraction": [fraction],
        "iteration": 0,
        "default_net_type": "dlcrnet_ms5" if several else "resnet_50",
        "default_augmenter": "multi-animal-imgaug" if several else "default",
        **({"default_track_method": "ellipse"} if several else {}),
        "snapshotindex": -1,
        "batch_size": 8,
        "cropping": False,
        **{"x1": 0, "x2": 640, "y1": 277, "y2": 624},
        "corner2move2": [50, 50],
        "move2corner": True,
    }
