"""Readers of a split that DeepLabCut made: files of a training set, of which one is damaged."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes  # pyright: ignore[reportMissingImports]
import numpy as np
from reader import NAMES, Reader, as_yaml

from beampose.formats.deeplabcut import shuffles
from beampose.preprocess.labels import LabeledFrame

DOCUMENTED = "Documentation_data-reach_66shuffle1.pickle"


def _frames() -> list[LabeledFrame]:
    """Frames without files."""
    points = fakes.points()[:1]
    return [
        LabeledFrame(image=name, name=name, video="cam1", file="f", row=i, keypoints=points)
        for i, name in enumerate(NAMES)
    ]


def _with(name: str, more: dict[str, bytes]) -> Callable[[Path], Any]:
    """Reads a training set of which the file `name` is the one that is given."""

    def read(path: Path) -> Any:
        folder = path.parent / "set"
        folder.mkdir(exist_ok=True)
        for other, data in more.items():
            (folder / other).write_bytes(data)
        path.rename(folder / name)
        return shuffles.read(_frames(), str(folder), 1)

    return read


def readers(folder: Path) -> dict[str, Reader]:
    """Readers by name; see `readers.readers`."""
    labels_csv = fakes.csv_text(NAMES, fakes.points()).encode()
    split = [[{"image": f"labeled-data/cam1/img{i}.png"} for i in (0, 2)],
             np.array([0, 2]), np.array([1]), 0.66]  # fmt: skip
    older, newer = pickle.dumps(split, 2), pickle.dumps(split, 4)
    metadata = as_yaml({"shuffles": {"reach-trainset66shuffle1": {"index": 1, "split": 1}}})
    merged = {"CollectedData_Ann.csv": labels_csv}
    return {
        "shuffle": Reader("a", [older, newer], _with(DOCUMENTED, merged)),
        "shuffle metadata": Reader(
            "a", [metadata], _with(shuffles.METADATA, {DOCUMENTED: older, **merged})
        ),
        "shuffle rows": Reader(
            "a", [labels_csv], _with("CollectedData_Ann.csv", {DOCUMENTED: older})
        ),
    }
