"""Results under the name by which DeepLabCut's project functions look for them."""

import glob
import logging
import pickle
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from beampose.core import artefacts, files, storage
from beampose.core.infos import ModelInfo
from beampose.core.names import INFO
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import (
    own_shuffle,
    prediction_tables,
    prediction_writer,
    project_config,
    track_writer,
)
from beampose.pipelines import manifest
from beampose.pipelines.results import result_files, result_names
from beampose.pipelines.results.result_files import PROOFREAD
from beampose.preprocess import unpickle

LOG = logging.getLogger(__name__)
# What is copied as it is: it names no scorer.
_AS_IT_IS = ("_assemblies.pickle", "_full.pickle")
_META = "_meta.pickle"
_FILTERED = "_filtered"


class Exported(NamedTuple):
    """What was written.

    Attributes:
      scorer: of the files.
      shuffle: to be given to DeepLabCut's functions; 0 where a scorer was named.
      videos: of each its path and its files.
      failures: videos without results, and why.
    """

    scorer: str
    shuffle: int
    videos: dict[str, list[str]]
    failures: list[tuple[str, str]]


class Wanted(NamedTuple):
    """What is asked for.

    Attributes:
      project: of DeepLabCut.
      shuffle: number; None: that of the model, or the first that is free.
      scorer: name to be used instead of a shuffle's.
      folder: for the files; None: beside each video, where DeepLabCut looks.
    """

    project: str
    shuffle: int | None = None
    scorer: str = ""
    folder: str | None = None


def run(config: Config, paths: Sequence[str], wanted: Wanted) -> Exported:
    """Writes the results of videos for a project.

    Raises:
      FileNotFoundError: no such project, or no model.
      ValueError: as `own_shuffle.ensure`, or the model finds no keypoints.
    """
    info = artefacts.require(config.model, ModelInfo)
    if not info.bodyparts:
        raise ValueError("Only pose models have results that DeepLabCut takes.")
    # Of a scorer that is named nothing is written there: a folder would not be where files go.
    file = files.join(files.absolute(wanted.project), project_config.CONFIG)
    if not files.exists(file):
        raise FileNotFoundError(
            f"No DeepLabCut project: {file} does not exist. --to names the project, --folder where "
            "the files go, which is else beside each video."
        )
    scorer, number = wanted.scorer, 0
    if not scorer:
        digest = storage.digest([storage.read_json(storage.place(config.model, INFO))])[:32]
        model = own_shuffle.Model(
            digest, tuple(info.bodyparts), _steps(info.dlc_scorer), info.recipe.scale
        )
        made = own_shuffle.ensure(wanted.project, model, wanted.shuffle)
        scorer, number = made.scorer, made.number
    done, failures = {}, []
    taken: dict[str, str] = {}
    for film in result_names.of_experiment(config, manifest.expand(paths)):
        source = f"{config.predictions}/{film.name}{info.dlc_scorer}"
        target = wanted.folder or files.parent(film.path)
        try:
            if film.problem:
                raise ValueError(film.problem)
            if result_files.of_another_model(source, info):
                raise ValueError(
                    f"was predicted by another model than {config.model}: `beampose predict "
                    "--overwrite` predicts it again"
                )
            stem = files.join(target, files.stem(film.path) + scorer)
            if (other := taken.setdefault(stem, film.path)) != film.path:
                raise ValueError(
                    f"has the name of {other}, whose results its own would replace in {target}: "
                    "export it alone, into another --folder"
                )
            done[film.path] = copy(source, stem, scorer)
        except (OSError, ValueError) as error:
            failures.append((film.path, files.why(error)))
    return Exported(scorer, number, done, failures)


def _steps(scorer: str) -> int:
    """Steps of training, with which a scorer of ours ends."""
    last = scorer.rpartition("_")[2]
    return int(last) if last.isdecimal() else 0


def copy(source: str, stem: str, scorer: str) -> list[str]:
    """Files of a video under another scorer; returns their paths."""
    found = files.matching(f"{glob.escape(source)}*")
    # A scorer ends with its steps: those of 400 begin as those of 4000 do.
    there = [file for file in found if file[len(source)] in "._"]
    if not there:
        raise ValueError("has no predictions. Run `beampose predict` first.")
    written = []
    for file in there:
        ending = file[len(source) :]
        if ending.endswith(f"{PROOFREAD}.h5"):
            # DeepLabCut knows no such name: what a person corrected goes under that of the table.
            continue
        if ending.endswith(".h5"):
            written += _table(file, stem + ending.removesuffix(".h5"), scorer)
        elif ending == _META:
            written.append(_pickle(stem + ending, _meta(file, scorer)))
        elif ending in _AS_IT_IS:
            storage.write_bytes(stem + ending, files.read_bytes(file))
            written.append(stem + ending)
        elif ending in {f"{one}.pickle" for one in track_writer.ENDINGS.values()}:
            written.append(_pickle(stem + ending, _tracklets(file, scorer)))
    return written


def _table(file: str, stem: str, scorer: str) -> list[str]:
    """A table, h5 and csv, as a person corrected it, with another first level of its columns."""
    several = any(
        f"{ending}{made}.h5" == file[-len(f"{ending}{made}.h5") :]
        for ending in track_writer.ENDINGS.values()
        for made in ("", _FILTERED)
    )
    frame = (track_writer if several else prediction_writer).read(file)
    corrected = result_files.Found("", file.removesuffix(".h5")).table()
    if corrected != file:
        LOG.info("%s: as a person corrected it, %s.", stem, corrected)
        values = prediction_tables.read(corrected).values
        frame.loc[:, :] = values.reshape(frame.shape)
    old = frame.columns.get_level_values("scorer")[0]
    frame = frame.rename(columns={old: scorer}, level="scorer")
    key = track_writer.KEY if several else prediction_writer.KEY
    with storage.replacing(f"{stem}.h5") as temporary:
        prediction_writer.write_h5(frame, temporary, key)
    with storage.replacing(f"{stem}.csv") as temporary:
        frame.to_csv(temporary)
    return [f"{stem}.h5", f"{stem}.csv"]


def _meta(file: str, scorer: str) -> dict:
    held = unpickle.loads(files.read_bytes(file))
    return {**held, "data": {**held["data"], "Scorer": scorer}}


def _tracklets(file: str, scorer: str) -> dict:
    held = unpickle.loads(files.read_bytes(file))
    names = ["scorer", "bodyparts", "coords"]
    columns = [(scorer, *column[1:]) for column in held["header"]]
    return {**held, "header": pd.MultiIndex.from_tuples(columns, names=names)}


def _pickle(target: str, content: dict) -> str:
    storage.write_bytes(target, pickle.dumps(_plain(content), protocol=4))
    return target


def _plain(value: Any) -> Any:
    """The same of NumPy's own arrays, which can be read where beampose is not installed."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(one) for one in value)
    return np.array(value) if isinstance(value, np.ndarray) else value
