"""Detections of tracklets side by side, as triplets are drawn from them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.pipelines.tracking.tracklets import Tracklet


class Detections(NamedTuple):
    """All that have a keypoint, in the order of their frames.

    Attributes:
      frame, slot, owner: int (n,); owners are numbers of tracklet ids from 0.
      starts: int (n,), how many belong to earlier frames; `stops`, how many up to its frame.
      ids: of each owner.
      keypoints, row: float32 (all, bodyparts, 2), not in that order, and the row of each.
    """

    frame: np.ndarray
    slot: np.ndarray
    owner: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    ids: np.ndarray
    keypoints: np.ndarray
    row: np.ndarray

    def points(self, which: np.ndarray) -> np.ndarray:
        """float32 (n, bodyparts, 2)."""
        return self.keypoints[self.row[which]]


def of_tracklets(tracklets: Sequence[Tracklet]) -> Detections:
    """All detections of some tracklets.

    Raises:
      ValueError: tracklets without `slots`.
    """
    for one in tracklets:
        if one.slots is None:
            raise ValueError(
                f"tracklet {one.id}: it is not known where its detections stood in their frames. "
                "Track the video again instead of reading tracklets from a file."
            )
    ids, owners = np.unique([one.id for one in tracklets], return_inverse=True)
    parts = tracklets[0].keypoints.shape[1] if tracklets else 1
    empty, points = np.zeros(0, int), np.zeros((0, parts, 2), np.float32)
    frame = np.concatenate([empty, *(one.frames for one in tracklets)])
    slot = np.concatenate([empty, *(np.asarray(one.slots) for one in tracklets)])
    owner = np.concatenate(
        [empty, *(np.full(len(t.frames), o) for t, o in zip(tracklets, owners, strict=True))]
    )
    points = np.concatenate(
        [points, *(one.keypoints[..., :2].astype(np.float32) for one in tracklets)]
    )
    points[~np.isfinite(points).all(axis=-1)] = np.nan
    there = np.asarray(~np.isnan(points[..., 0]).all(axis=1))
    order = np.lexsort((slot, frame))
    order = order[there[order]]
    frame = frame[order]
    starts, stops = (np.searchsorted(frame, frame, side=side) for side in ("left", "right"))
    return Detections(frame, slot[order], owner[order], starts, stops, ids, points, order)


def with_neighbours(found: Detections) -> np.ndarray:
    """Detections with a neighbour, of tracklets seen in more than one frame."""
    seen = np.bincount(found.owner, minlength=len(found.ids))
    return np.flatnonzero((found.stops - found.starts > 1) & (seen[found.owner] > 1))
