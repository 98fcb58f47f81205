"""Short gaps in tracks, filled."""

import numpy as np


def fill(keypoints: np.ndarray, most: int) -> np.ndarray:
    """Keypoints with straight lines in gaps of `most` frames at most, each bodypart for itself.

    What is filled in has the likelihood 0: it was not seen. Before the first and after the last
    frame a bodypart was seen in nothing is.

    Args:
      keypoints: (frames, tracks, bodyparts, 3).
    """
    found = keypoints.copy()
    columns = found.reshape(len(found), -1, 3)
    for points in np.moveaxis(columns, 1, 0):
        seen = np.flatnonzero(~np.isnan(points[:, :2]).any(axis=1))
        gaps = np.diff(seen) - 1
        for before in np.flatnonzero((gaps > 0) & (gaps <= most)):
            first, last = seen[before], seen[before + 1]
            part = np.arange(1, last - first)[:, None] / (last - first)
            line = points[first, :2] + part * (points[last, :2] - points[first, :2])
            points[first + 1 : last] = np.concatenate([line, np.zeros_like(part)], axis=1)
    return found
