"""Says what a path is that was given where something else is read, and what reads it: for errors.

Only paths of this machine are looked at: in a bucket every look is a request.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from beampose.core import file_kinds
from beampose.core.names import COMPLETED, INFO, SAVED_MODEL

EXPERIMENT, LABELS, PREDICTIONS = "an experiment", "a source of labels", "predictions"
MODEL, CALIBRATION, POINTS = "a model", "a calibration", "points"
_PROJECT, _OUTPUT = "a DeepLabCut project", "what an experiment wrote"
_CONFIG, _TABLE = "the config of a DeepLabCut project", "a label file of a DeepLabCut project"
_POINTED, _SLEAP, _NWB = "a table of labels", "a file of SLEAP", "a file of NWB"
_BY_SUFFIX = {".slp": _SLEAP, ".nwb": _NWB}
_GRAPH, _PART, _FOLDER = "the graph of a model", "a part of a model", "a folder"
# What to do with each of them.
_USE = {
    EXPERIMENT: "beampose.Experiment opens it, and load_labels reads what its source.path names",
    _PROJECT: "load_labels reads its labels, and an experiment names it as source.path",
    _CONFIG: "load_labels reads the labels of its folder, and an experiment names that folder as "
    "source.path",
    _TABLE: "load_labels reads the project, which is the folder with config.yaml",
    _POINTED: "load_labels reads it",
    _SLEAP: "load_labels reads it, and movement writes its predictions as DeepLabCut does "
    "(load_poses.from_sleap_file, save_poses.to_dlc_file)",
    _NWB: "movement writes its poses as DeepLabCut does (load_poses.from_nwb_file, "
    "save_poses.to_dlc_file), and load_predictions reads that",
    file_kinds.MATLAB: "sleap-io makes a .slp of LEAP's labels (load_leap, save_slp)",
    _OUTPUT: "load_model reads the folder model in it, load_predictions the files in predictions",
    MODEL: "load_model reads it",
    _GRAPH: "load_model reads the folder that it lies in",
    _PART: "load_model reads the whole folder, the one in which info.json and saved_model are",
    PREDICTIONS: "load_predictions reads it",
    CALIBRATION: "load_calibration reads it",
}
# What may be meant rightly, so that what is wrong with it is the error.
_RIGHT = {
    EXPERIMENT: (EXPERIMENT,),
    LABELS: (_PROJECT, _CONFIG, _FOLDER, _POINTED, _SLEAP),
    PREDICTIONS: (PREDICTIONS,),
    MODEL: (MODEL, _FOLDER),
    CALIBRATION: (CALIBRATION, _FOLDER, _PROJECT),
    # Those have the names of predictions.
    POINTS: (PREDICTIONS, _POINTED),
}
# What an experiment's first keys and those of a DeepLabCut project are, at the beginning of a line.
_OURS = re.compile(rb"^(task|source|output|predict|features|train) *:", re.MULTILINE)
_THEIRS = re.compile(rb"^(Task|scorer|bodyparts|multianimalbodyparts|video_sets) *:", re.MULTILINE)
# Of a table of points, whose readers say what is wrong with it.
_IN_SPACE = re.compile(rb"^coords.*,z\b", re.MULTILINE)
_LONGEST = 1 << 20
# Folders from a file of a model up to the model's: saved_model/variables.
_DEEP = 3


@contextlib.contextmanager
def told(path: str | os.PathLike, wanted: str) -> Iterator[None]:
    """Errors of the block say what a path is, where that is known and cannot be meant.

    Args:
      wanted: one of the kinds above.

    Raises:
      ValueError: it is something else; what the block raises otherwise.
    """
    try:
        yield
    except (OSError, ValueError):
        try:
            found = name(Path(os.fspath(path)))
        except (OSError, ValueError):
            found = ""
        if not found or found in _RIGHT[wanted]:
            raise
        if found in _USE:
            raise ValueError(f"{path} is {found}, not {wanted}: {_USE[found]}.") from None
        what = f"is {found}, not {wanted}" if found == _FOLDER else f"is not {wanted}, but {found}"
        raise ValueError(f"{path} {what}.") from None


def name(path: Path) -> str:
    """What a path is; "" if that is not known.

    Raises:
      OSError, ValueError: it cannot be read, or is no path of this machine.
    """
    if path.is_dir() or path.is_file():
        found = _folder(path) if path.is_dir() else _file(path)
        part = found in ("", _FOLDER) and any(map(_is_model, [*path.absolute().parents][:_DEEP]))
        return _PART if part else found
    return ""


def _file(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(_LONGEST)
    if path.suffix in (".yaml", ".yml"):
        return _CONFIG if _THEIRS.search(start) else EXPERIMENT if _OURS.search(start) else ""
    if path.suffix in (".h5", ".csv") and path.stem.startswith("CollectedData_"):
        return _TABLE
    if path.suffix in (".h5", ".hdf5", ".csv") and "DLC_" in path.stem:
        return PREDICTIONS
    if path.suffix == ".csv" and start.startswith(b"scorer") and not _IN_SPACE.search(start):
        return PREDICTIONS if b"likelihood" in start else _POINTED
    if path.name == "calibration.toml":
        return CALIBRATION
    kind = file_kinds.name(start[: file_kinds.BEGINNING])
    # Which of the tables in h5 it may be, the readers say.
    return _BY_SUFFIX.get(path.suffix, "") if kind == file_kinds.H5 else kind


def _folder(path: Path) -> str:
    if (path / "config.yaml").is_file() and (path / "labeled-data").is_dir():
        return _PROJECT
    if (path / "saved_model.pb").is_file():
        return _GRAPH
    if _is_model(path):
        return MODEL
    if any((path / one / COMPLETED).is_file() for one in ("model", "dataset", "predictions")):
        return _OUTPUT
    return _FOLDER


def _is_model(path: Path) -> bool:
    return (path / SAVED_MODEL).is_dir() and (path / INFO).is_file()
