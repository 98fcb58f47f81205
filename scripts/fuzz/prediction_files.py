"""Readers of predictions, DeepLabCut's and ours, and of what stands beside them."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from reader import Reader

from beampose.formats import individuals_file
from beampose.formats.deeplabcut import machine_labels, prediction_tables
from beampose.pipelines.results import result_files


def _predictions(folder: Path) -> tuple[bytes, bytes]:
    columns = pd.MultiIndex.from_product(
        [["DLC_x"], ["nose", "tail"], ["x", "y", "likelihood"]],
        names=["scorer", "bodyparts", "coords"],
    )
    frame = pd.DataFrame(np.arange(24.0).reshape(4, 6), columns=columns)
    frame.to_hdf(str(folder / "p.h5"), key="k", mode="w", format="table")
    return (folder / "p.h5").read_bytes(), frame.to_csv().encode()


def _individuals(folder: Path) -> bytes:
    head = individuals_file.Head("s", ["a"], ["nose", "tail"], [], False, "d", 3, 10.0, 40, 60)
    piece = {
        "frames": np.arange(3),
        "keypoints": np.zeros((3, 1, 2, 3), np.float32),
        "peaks": np.zeros((3, 2, 4, 3), np.float32),
        "descriptors": np.zeros((3, 1, 2, 4), np.float16),
    }
    individuals_file.write(folder / "film", head, [piece])
    return (folder / f"film{individuals_file.ENDING}").read_bytes()


def _read_individuals(path: Path) -> None:
    with individuals_file.read(str(path).removesuffix(individuals_file.ENDING)) as found:
        for piece in found.each("frames", "keypoints"):
            piece["keypoints"].sum()


def _machine(path: Path) -> Any:
    return machine_labels.read(str(path), [("", part) for part in ("nose", "tail")])


def _meta(path: Path) -> Any:
    return result_files.offset(result_files.Found("a", str(path).removesuffix("_meta.pickle")))


def readers(folder: Path) -> dict[str, Reader]:
    """Readers by name; see `readers.readers`."""
    h5, csv = _predictions(folder)
    individuals = f"film{individuals_file.ENDING}"
    meta = {"data": {"cropping": True, "cropping_parameters": [1, 2, 3, 4]}}
    return {
        "predictions csv": Reader("aDLC_x.csv", [csv], lambda p: prediction_tables.read(str(p))),
        "predictions h5": Reader("aDLC_x.h5", [h5], lambda p: prediction_tables.read(str(p))),
        "machine labels": Reader("machinelabels-iter0.h5", [h5], _machine),
        "individuals": Reader(individuals, [_individuals(folder)], _read_individuals),
        "meta pickle": Reader("a_meta.pickle", [pickle.dumps(meta, 4)], _meta),
    }
