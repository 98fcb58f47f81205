"""Points in space from predictions in memory."""

import logging
import os
from collections.abc import Mapping

import numpy as np

from beampose.core import files
from beampose.core.infos import Uncertainty
from beampose.formats import anipose_csv, calibrations
from beampose.formats.deeplabcut import space_tables
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines.space import radii, recordings
from beampose.pipelines.space.recordings import Wanted
from beampose.pipelines.space.view_tables import View
from beampose.preprocess.cameras import Rig
from beampose.preprocess.points import Points
from beampose.public import given_paths
from beampose.public.predictions import Predictions

LOG = logging.getLogger(__name__)


def load(path: str) -> Points:
    """See `beampose.load_points`."""
    files.require(path, "file")
    return (space_tables if files.suffix(path) == ".h5" else anipose_csv).read(path)


def triangulate(
    calibration: Rig | str | os.PathLike,
    views: Mapping[str, Predictions],
    *,
    pcutoff: float,
    radius: Mapping[str, float] | None,
    max_error: float | None,
) -> Points:
    """See `beampose.triangulate`."""
    if isinstance(calibration, Rig):
        rig = calibration
    else:
        rig = calibrations.read(given_paths.text(calibration, "a calibration"))
    if len(views) < 2:
        raise ValueError(f"views must hold two cameras at least. Received: {len(views)}.")
    told = None
    if radius is not None:
        told = Uncertainty(level=radii.LEVEL, radius_px=dict(radius), coverage=None)
    tables = [_view(name, found, told) for name, found in views.items()]
    wanted = Wanted(pcutoff=pcutoff, max_error=max_error)
    found = recordings.of_views(rig.chosen(list(views)), tables, wanted)
    for remark in found.remarks:
        LOG.warning("NOTE: %s", remark)
    return found.points


def _view(name: str, found: Predictions, told: Uncertainty | None) -> View:
    if not len(found):
        raise ValueError(f"The view {name} has no frame.")
    points = tuple(
        (individual if found.several else "", part)
        for individual in found.individuals
        for part in found.bodyparts
        if (part in found.unique_bodyparts) == (individual == "single")
    )
    values = np.concatenate([found.keypoints, found.likelihood[..., None]], axis=-1)
    at = [
        (found.individuals.index(one) if found.several else 0, found.bodyparts.index(part))
        for one, part in points
    ]
    values = values[:, [i for i, _ in at], [b for _, b in at]]
    table = Table("", found.scorer, points, found.frames, values)
    return View(name, "", "", "", values, table, None, told)
