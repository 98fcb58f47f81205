"""An evaluation as DeepLabCut leaves it: evaluation-results/iteration-n/…/<scorer>-snapshot-*.h5.

It is laid out below our own evaluation, to be copied into the project by who wants it there.
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from upath import UPath

from beampose.core import files, storage
from beampose.core.infos import ModelInfo
from beampose.core.name_parts import safe
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import prediction_writer, project_config

FOLDER = "evaluation-results"
_SCORER = re.compile(r".*shuffle(\d+)_(\d+)")


class Judged(NamedTuple):
    """Labeled images with the predictions of a model; of several animals with an axis for them.

    Attributes:
      images: their names, such as `labeled-data/video/img001.png`.
      train: (images,) whether each is one of the training split.
      bodyparts: their names.
      predicted: (images, bodyparts, 3) x, y in source pixels, likelihood.
      errors: (images, bodyparts) distances in source pixels, NaN where not labeled.
    """

    images: Sequence[str]
    train: np.ndarray
    bodyparts: Sequence[str]
    predicted: np.ndarray
    errors: np.ndarray


def write(result: Judged, config: Config, info: ModelInfo, folder: UPath) -> UPath | None:
    """Writes the predictions and the table of errors. Returns the folder of the shuffle.

    None where there is nothing of the kind: no DeepLabCut project, or several animals, of whom
    DeepLabCut keeps other files.

    Args:
      info: of the model.
      folder: below which `evaluation-results` begins.
    """
    named = _SCORER.fullmatch(info.dlc_scorer)
    several = result.errors.ndim > 2
    if config.source.format != "deeplabcut" or several or named is None or not result.images:
        return None
    scorer, shuffle, steps = named.group(), *map(int, named.groups())
    percent = int(100 * round(float(result.train.mean()), 2))
    iteration = storage.place(folder, FOLDER, f"iteration-{_iteration(config.source.path)}")
    place = iteration / f"{safe(info.project)}-trainset{percent}shuffle{shuffle}"
    names = [tuple(name.split("/")[-3:]) for name in result.images]
    table = prediction_writer.table(result.predicted, scorer, list(result.bodyparts))
    table.index = pd.MultiIndex.from_tuples(names)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, "evaluation.h5")
        table.sort_index().to_hdf(str(made), key=prediction_writer.KEY, mode="w")
        target = place / f"{scorer}-snapshot-{steps}.h5"
        storage.write_bytes(target, made.read_bytes())
    row = _row(result, config.predict.pcutoff)
    row = {
        "Training iterations:": steps,
        "%Training dataset": percent,
        "Shuffle number": shuffle,
        **row,
    }
    text = pd.DataFrame([row]).to_csv(lineterminator="\n")
    storage.write_text(place / f"{scorer}-results.csv", text)
    storage.write_text(iteration / "CombinedEvaluation-results.csv", text)
    return place


def _row(result: Judged, pcutoff: float) -> dict[str, float]:
    """Mean distances in pixels, under DeepLabCut's names; the spaces are its own."""
    distance, train = result.errors, result.train
    sure = np.where(result.predicted[..., 2] >= pcutoff, distance, np.nan)
    return {
        " Train error(px)": _mean(distance[train]),
        " Test error(px)": _mean(distance[~train]),
        "p-cutoff used": pcutoff,
        "Train error with p-cutoff": _mean(sure[train]),
        "Test error with p-cutoff": _mean(sure[~train]),
    }


def _mean(distance: np.ndarray) -> float:
    known = distance[np.isfinite(distance)]
    return round(float(known.mean()), 2) if len(known) else float("nan")


def _iteration(source: str) -> int:
    """Of the project; 0 if its config.yaml is gone since it was read."""
    named = files.suffix(source) in (".yaml", ".yml")
    file = source if named else files.join(source, project_config.CONFIG)
    try:
        return project_config.iteration(project_config.read(file)[0])
    except (OSError, ValueError):
        return 0
