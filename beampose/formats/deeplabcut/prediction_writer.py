"""Predictions as DeepLabCut writes them: h5 (key df_with_missing), csv and the metadata pickle."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from upath import UPath

from beampose.core import csv_cells, number_tables, storage

KEY = "df_with_missing"


def table(
    keypoints: np.ndarray,
    scorer: str,
    bodyparts: Sequence[str],
    frames: np.ndarray | None = None,
) -> pd.DataFrame:
    """One row a frame, columns (scorer, bodyparts, coords).

    Args:
      keypoints: (frames, bodyparts, 3), x, y in pixels, likelihood; NaN where a frame failed.
      frames: (frames,), their numbers; None: from 0 on.
    """
    columns = pd.MultiIndex.from_product(
        [[scorer], list(bodyparts), ["x", "y", "likelihood"]],
        names=["scorer", "bodyparts", "coords"],
    )
    values = keypoints.reshape(len(keypoints), -1).astype(np.float64)
    return pd.DataFrame(values, columns=columns, index=frames)


def write(frame: pd.DataFrame, stem: storage.Address) -> None:
    """Writes `<stem>.h5` and `<stem>.csv`, each whole or not at all."""
    with storage.replacing(_with(stem, ".h5")) as temporary:
        write_h5(frame, temporary, KEY)
    with storage.replacing(_with(stem, ".csv")) as temporary:
        frame.to_csv(temporary)


def write_h5(frame: pd.DataFrame, file: Path, key: str) -> None:
    """Writes a table whose bytes depend on nothing but what it says: not on the time of day."""
    with pd.HDFStore(str(file), mode="w") as store:
        # The index for searches within the file keeps its time; whole tables are read without it.
        store.put(key, frame, format="table", track_times=False, index=False)


def read(file: storage.Address) -> pd.DataFrame:
    """Reads what `write` wrote; of an h5 the csv beside it, which runs nothing."""
    table = storage.place(file).with_suffix(".csv")
    frame = number_tables.read(table, header=[0, 1, 2], index_col=0)
    with csv_cells.reading(table):
        frame.columns.names = ["scorer", "bodyparts", "coords"]
        parts = dict.fromkeys(frame.columns.get_level_values("bodyparts"))
        if frame.shape[1] != 3 * len(parts):
            raise ValueError("every bodypart must have x, y and likelihood")
        return frame.astype(np.float64)


def keypoints(frame: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """(frames, bodyparts, 3) x, y, likelihood, and the bodyparts."""
    bodyparts = list(dict.fromkeys(frame.columns.get_level_values("bodyparts")))
    return frame.to_numpy().reshape(len(frame), len(bodyparts), 3), bodyparts


def write_meta(
    stem: storage.Address,
    *,
    scorer: str,
    fps: float,
    size: tuple[int, int],
    frames: int,
    config: dict[str, Any],
) -> None:
    """Writes `<stem>_meta.pickle`, which DeepLabCut's video and outlier tools ask for.

    Args:
      size: height and width of a frame.
    """
    data = {
        "start": 0.0,
        "stop": 0.0,
        "run_duration": 0.0,
        "Scorer": scorer,
        "DLC-model-config file": config,
        "fps": fps,
        "batch_size": config.get("batch_size", 1),
        "frame_dimensions": tuple(size),
        "nframes": frames,
        "iteration (active-learning)": 0,
        "training set fraction": config.get("train_fraction", 0.95),
        # Coordinates are the frame's own, whatever part of it was analysed: nothing to shift.
        "cropping": False,
        "cropping_parameters": [0, size[1], 0, size[0]],
    }
    storage.write_bytes(_with(stem, "_meta.pickle"), pickle.dumps({"data": data}, protocol=4))


def _with(stem: storage.Address, ending: str) -> UPath:
    # A scorer or a video may hold dots: with_suffix would cut them.
    return storage.place(f"{stem}{ending}")
