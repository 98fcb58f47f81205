"""Metrics of identity, where identities are known: IDF1, MOTA, switches."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from beampose.pipelines.tracking import similarity

# Of the median size of the labeled animals: a track farther from one is not on it.
_REACH = 0.5
# Costs more than all pairs that are near enough together.
_NEVER = 1e9


def figures(
    truth: np.ndarray, tracks: np.ndarray, *, reach: float | None = None
) -> dict[str, float | int]:
    """Figures of tracks against labeled ones.

    In each frame animals keep the track they had while it is within reach; the others are matched
    so that the sum of distances is least (CLEAR MOT, Bernardin and Stiefelhagen 2008). IDF1 matches
    whole tracks to whole animals (Ristani et al. 2016).

    Args:
      truth: (frames, animals, bodyparts, 2 or 3), NaN = not there.
      tracks: (frames, tracks, bodyparts, 2 or 3).
      reach: mean distance of the bodyparts both have, in pixels, up to which a track is on an
        animal; None: half the median size of the labeled animals.

    Returns:
      `idf1`, `idp`, `idr`, `mota` (no more than 1; NaN without any label), `detection_rate`,
      `switches`, `misses`, `false`, `labeled`, `reach_px`.

    Raises:
      ValueError: shapes do not fit.
    """
    if truth.ndim != 4 or tracks.ndim != 4 or not _fit(truth.shape, tracks.shape):
        raise ValueError(
            "truth and tracks must be (frames, individuals, bodyparts, 2 or 3) of the same frames "
            f"and bodyparts. Received: {truth.shape} and {tracks.shape}"
        )
    reach = reach if reach is not None else _reach(truth)
    near = np.zeros((truth.shape[1], tracks.shape[1]), int)
    counts = {"switches": 0, "misses": 0, "false": 0}
    labeled = shown = 0
    had = np.full(truth.shape[1], -1)
    for one, two in zip(truth[..., :2], tracks[..., :2], strict=True):
        apart = _distances(one, two)
        apart[~(apart <= reach)] = np.nan
        near += ~np.isnan(apart)
        here, there = ((~np.isnan(e).any(axis=-1)).any(axis=-1) for e in (one, two))
        rows, columns = _matched(apart, had)
        counts["switches"] += int(((had[rows] >= 0) & (had[rows] != columns)).sum())
        had[rows] = columns
        counts["misses"] += int(here.sum()) - len(rows)
        counts["false"] += int(there.sum()) - len(rows)
        labeled, shown = labeled + int(here.sum()), shown + int(there.sum())
    rows, columns = linear_sum_assignment(near, maximize=True)
    right = int(near[rows, columns].sum())
    return {
        "idf1": _share(2 * right, labeled + shown),
        "idp": _share(right, shown),
        "idr": _share(right, labeled),
        "mota": 1 - _share(sum(counts.values()), labeled),
        "detection_rate": _share(labeled - counts["misses"], labeled),
        **counts,
        "labeled": labeled,
        "reach_px": reach,
    }


def _fit(one: tuple[int, ...], two: tuple[int, ...]) -> bool:
    return one[0] == two[0] and one[2] == two[2] and {one[3], two[3]} <= {2, 3}


def _reach(truth: np.ndarray) -> float:
    points = truth[..., :2].reshape(-1, *truth.shape[2:3], 2)
    points = points[~np.isnan(points).any(axis=-1).all(axis=-1)]
    middle = float(np.median(similarity.sizes(points))) if len(points) else 0.0
    return _REACH * (middle or similarity.ONE_POINT)


def _distances(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Mean distances of shared bodyparts, (animals, tracks); NaN where there is none."""
    apart = np.linalg.norm(one[:, None] - two, axis=-1)
    both = ~np.isnan(apart)
    count = both.sum(axis=-1)
    total = np.where(both, apart, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _matched(apart: np.ndarray, had: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Animals and their tracks, those that continue first."""
    stay = [row for row in np.flatnonzero(had >= 0) if not np.isnan(apart[row, had[row]])]
    # Two animals may have had the same track, one after the other: the first keeps it.
    kept: dict[int, int] = {}
    for row in stay:
        kept.setdefault(int(had[row]), int(row))
    cost = np.where(np.isnan(apart), _NEVER, apart)
    cost[list(kept.values())], cost[:, list(kept)] = _NEVER, _NEVER
    rows, columns = linear_sum_assignment(cost)
    fits = cost[rows, columns] < _NEVER
    return (
        np.concatenate([list(kept.values()), rows[fits]]).astype(int),
        np.concatenate([list(kept), columns[fits]]).astype(int),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else np.nan
