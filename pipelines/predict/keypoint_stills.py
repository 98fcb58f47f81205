"""Keypoints of photographs: a table of a set, rows by image, as by DeepLabCut's analyze_images."""

import numpy as np
import pandas as pd
from upath import UPath

from beampose.core import storage
from beampose.core.names import SPREAD
from beampose.formats.deeplabcut import prediction_writer, track_writer
from beampose.formats.deeplabcut.track_writer import Names
from beampose.pipelines.predict.predictor import Results
from beampose.preprocess import stills
from beampose.preprocess.stills import Stills

# Of the table, h5 and csv.
ENDINGS = (".h5", ".csv")


def write_one(stem: UPath, source: Stills, keypoints: np.ndarray, names: Names) -> None:
    """Table of one animal, (images, bodyparts, 3)."""
    table = prediction_writer.table(keypoints, names.scorer, names.bodyparts)
    prediction_writer.write(_by_image(table, source), stem)


def write_several(
    stem: UPath, source: Stills, results: Results, individuals: list[str], names: Names
) -> np.ndarray:
    """Table of several animals. Returns how many there are in each image, (images,)."""
    found = results.joined("keypoints", "single")
    single = found["single"] if names.unique else None
    table = track_writer.table(found["keypoints"], individuals, names, single)
    prediction_writer.write(_by_image(table, source), stem)
    return (~np.isnan(found["keypoints"][..., 0]).all(axis=-1)).sum(axis=1)


def write_spread(stem: UPath, source: Stills, spread: np.ndarray, names: Names) -> None:
    """`<stem>_spread.csv`: pixels by which the model's heads disagree, a row for each image."""
    frame = pd.DataFrame(spread, columns=pd.Index(names.bodyparts))
    with storage.replacing(stem.with_name(stem.name + SPREAD)) as temporary:
        _by_image(frame, source).to_csv(temporary, index_label="image", float_format="%.3f")


def _by_image(table: pd.DataFrame, source: Stills) -> pd.DataFrame:
    table.index = pd.Index([still.name for still in stills.listed(source.listing)])
    return table
