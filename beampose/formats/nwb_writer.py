"""Predictions as Neurodata Without Borders: an `ndx-pose` PoseEstimation for each animal.

By pynwb and ndx-pose, the libraries of the format's own makers, which must be installed. The poses
lie in the module `behavior`, where readers of ndx-pose look; sleap-io reads its own files alone.
"""

import datetime
import importlib
import importlib.util
import logging
import re
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import __version__, storage
from beampose.formats.deeplabcut.prediction_tables import Table

LOG = logging.getLogger(__name__)
LIBRARIES = ("pynwb", "ndx_pose")
# What names of objects may not hold: they are paths inside the file.
_NOT_IN_NAMES = re.compile("[/:]")


class Recording(NamedTuple):
    """The video that predictions are of.

    Attributes:
      seconds: float64 (rows,), when each row is; None if it is not known.
      started: when the recording began, with a time zone.
      edges: of the skeleton, pairs of bodyparts.
    """

    path: str
    height: int
    width: int
    seconds: np.ndarray | None
    started: datetime.datetime
    edges: tuple[tuple[str, str], ...] = ()


def check() -> None:
    """Raises ValueError if the libraries are not installed; the text says how to install them."""
    if any(importlib.util.find_spec(name) is None for name in LIBRARIES):
        raise ValueError("Writing NWB needs pynwb and ndx-pose: pip install 'beampose[nwb]'.")


def write(file: storage.Address, table: Table, recording: Recording) -> None:
    """Writes predictions whole or not at all; the video stays where it is.

    Raises:
      ValueError: see `check`; or it is not known when the rows are.
    """
    check()
    if recording.seconds is None:
        raise ValueError("has no frame rate: NWB needs the time of every row.")
    # Any: they may not be installed.
    pynwb: Any = importlib.import_module("pynwb")
    ndx_pose: Any = importlib.import_module("ndx_pose")
    content = pynwb.NWBFile(
        session_description=f"Poses in {recording.path} by {table.scorer}",
        identifier=str(uuid.uuid4()),
        session_start_time=recording.started,
    )
    behavior = content.create_processing_module("behavior", "Poses of animals in videos")
    known = [*table.individuals, *dict.fromkeys(part for _, part in table.points)]
    if odd := [name for name in known if _NOT_IN_NAMES.search(name)]:
        LOG.warning(
            "NOTE NWB has no names with / or :, so %s is called %s; the nodes of the skeleton keep "
            "the names as they are.",
            odd[0],
            _named(odd[0], known),
        )
    skeletons, poses = [], []
    for individual in table.individuals:
        skeleton = _skeleton(ndx_pose, table, individual, recording)
        skeletons.append(skeleton)
        poses.append(_poses(ndx_pose, table, individual, recording, skeleton))
    behavior.add(ndx_pose.Skeletons(skeletons=skeletons))
    for one in poses:
        behavior.add(one)
    with storage.replacing(storage.place(file)) as temporary:
        made = temporary.with_name(f"{temporary.name}.nwb")
        with pynwb.NWBHDF5IO(str(made), "w") as stream:
            stream.write(content)
        made.replace(temporary)


def _of(table: Table, individual: str) -> list[int]:
    return [i for i, (owner, _) in enumerate(table.points) if owner == individual]


def _named(name: str, others: Sequence[str]) -> str:
    """A name as an object of the file may have it, and none of the others has."""
    found = _NOT_IN_NAMES.sub("_", name)
    while found != name and found in others:
        found += "_"
    return found


def _skeleton(library: Any, table: Table, individual: str, recording: Recording) -> Any:
    nodes = [table.points[i][1] for i in _of(table, individual)]
    edges = [(nodes.index(a), nodes.index(b)) for a, b in recording.edges if {a, b} <= {*nodes}]
    return library.Skeleton(
        name=f"{_named(individual, table.individuals) or 'animal'}_skeleton",
        nodes=nodes,
        edges=np.array(edges, np.uint8).reshape(-1, 2),
    )


def _poses(library: Any, table: Table, individual: str, recording: Recording, skeleton: Any) -> Any:
    series = []
    parts = [table.points[place][1] for place in _of(table, individual)]
    for place in _of(table, individual):
        values = table.values[:, place]
        timed = {"timestamps": series[0]} if series else {"timestamps": recording.seconds}
        series.append(
            library.PoseEstimationSeries(
                name=_named(table.points[place][1], parts),
                data=values[:, :2],
                unit="pixels",
                reference_frame="(0,0) is the upper left corner of the video; x, then y",
                confidence=np.nan_to_num(values[:, 2]),
                confidence_definition="likelihood by the score map, 0 to 1; 0 where not found",
                **timed,
            )
        )
    return library.PoseEstimation(
        name=_named(individual, table.individuals) or "PoseEstimation",
        pose_estimation_series=series,
        description=f"Poses of {individual or 'the animal'}",
        original_videos=[recording.path],
        dimensions=np.array([[recording.height, recording.width]], np.uint16),
        scorer=table.scorer,
        source_software="beampose",
        source_software_version=__version__,
        skeleton=skeleton,
    )
