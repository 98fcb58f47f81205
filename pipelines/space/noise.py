"""How far off views are: by the radii of their model, and by how well they agree."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from beampose.pipelines.space import point_fit
from beampose.pipelines.space.point_fit import Rays
from beampose.pipelines.space.radii import LEVEL

# Points of a bodypart that are looked at, and the fewest that say something.
_MOST, FEWEST = 250, 20
# Below this no prediction is: pixels.
_LEAST = 0.05


class Agreement(NamedTuple):
    """How well the views of a bodypart agree.

    Attributes:
      factor: deviations times this are those seen, by the middle point; NaN if too few points.
      inside: share of points whose views differ by no more than the 90 % that the radii promise.
      points: that were looked at.
    """

    factor: float
    inside: float
    points: int


def agreement(rays: Rays, used: np.ndarray) -> Agreement:
    """By the views that are used; one point that all see tells 2 x views - 3 numbers."""
    places, _ = point_fit.fit(rays, used)
    squares = point_fit.surprise(places, rays, used)
    degrees = 2 * (used & rays.seen).sum(axis=1) - 3
    there = np.isfinite(squares) & (degrees > 0)
    if there.sum() < FEWEST:
        return Agreement(np.nan, np.nan, int(there.sum()))
    squares, degrees = squares[there], degrees[there]
    middle = np.median(squares / stats.chi2.ppf(0.5, degrees))
    inside = float((squares <= stats.chi2.ppf(LEVEL, degrees)).mean())
    return Agreement(float(np.sqrt(middle)), inside, int(there.sum()))


def learned(rays: Rays) -> float:
    """The factor on deviations that makes the middle point as large as it should be.

    Views that are wrong take no part: those of a point that fits worst are left out in turn, as
    long as three are left.
    """
    rows = np.flatnonzero(rays.seen.sum(axis=1) >= 2)
    if len(rows) < FEWEST:
        return np.nan
    part = rays.some(rows[:: -(-len(rows) // _MOST)])
    return agreement(part, _without_worst(part)).factor


def stretch(rays: Rays, used: np.ndarray) -> float:
    """The factor on radii of the views used after which 90 % of points agree as they should."""
    places, _ = point_fit.fit(rays, used)
    squares = point_fit.surprise(places, rays, used)
    degrees = 2 * (used & rays.seen).sum(axis=1) - 3
    there = np.isfinite(squares) & (degrees > 0)
    if there.sum() < FEWEST:
        return np.nan
    share = squares[there] / stats.chi2.ppf(LEVEL, degrees[there])
    return float(np.sqrt(np.quantile(share, LEVEL)))


def deviations(rays: Rays, *, known: bool) -> float:
    """The factor on the deviations of a bodypart.

    Args:
      known: they come from a model's radii, which are obeyed unless the views agree less.
    """
    # Where points lie does not change with all deviations together: once is enough.
    scale = learned(rays)
    if not np.isfinite(scale):
        return 1.0 if known else np.nan
    scale = max(scale, _LEAST / float(np.nanmedian(rays.sigma)))
    return max(scale, 1.0) if known else scale


def _without_worst(rays: Rays) -> np.ndarray:
    """(points, views), all views but the worst of each point that has four or more."""
    used = rays.seen.copy()
    many = used.sum(axis=1) >= 4
    if not many.any():
        return used
    places, _ = point_fit.fit(rays, used)
    apart = np.linalg.norm(point_fit.residuals(places, rays), axis=-1) / rays.sigma
    middle = np.nanmedian(np.where(used, apart, np.nan), axis=1)
    worst = np.where(used, np.nan_to_num(apart, nan=-1.0, posinf=np.inf), -1).argmax(axis=1)
    odd = many & (apart[np.arange(len(used)), worst] > 3 * middle)
    used[odd, worst[odd]] = False
    return used
