"""Points in space from views of which some may be wrong: those are left out.

All views of a point are tried first. Where they contradict one another by more than their
uncertainty allows, the two views are found with which most others agree (as in MSAC: Torr and
Zisserman 2000), and whatever agrees with these is used.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import stats

from beampose.pipelines.space import point_fit
from beampose.pipelines.space.point_fit import Rays
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera

# Views that are right are believed to contradict one another once in this many points.
_ONCE = 10_000
# A view agrees with two others from which it is this many deviations or less.
_REACH = 4.0
# Two ways to leave views out that differ by less than this share of a view cannot be told apart.
_TIED = 0.15
# Points that are fitted at once.
_AT_ONCE = 20_000


class Fitted(NamedTuple):
    """Points in space.

    Attributes:
      places: (points, 3); NaN where fewer than two views hold.
      covariances: (points, 3, 3), by the deviations of the views that were used.
      used: (points, views), which were.
      errors: (points, views), pixels from what a view saw to where it would see the point.
      tied: (points,), left open because two choices of views explain them alike.
    """

    places: np.ndarray
    covariances: np.ndarray
    used: np.ndarray
    errors: np.ndarray
    tied: np.ndarray


def triangulate(
    rig: Sequence[Camera],
    pixels: np.ndarray,
    sigma: np.ndarray,
    *,
    trust: np.ndarray | None = None,
    max_error: float | None = None,
) -> Fitted:
    """Finds points in space.

    Args:
      rig: a camera a view.
      pixels: (points, views, 2); NaN = not seen.
      sigma: (points, views), standard deviation of each coordinate in pixels.
      trust: (points, views), 0 to 1, decides which of two contradicting views is left out.
      max_error: pixels from which a view is left out; None: as its deviation says.
    """
    parts = []
    for start in range(0, max(len(pixels), 1), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        believed = np.ones(sigma[rows].shape) if trust is None else trust[rows]
        parts.append(_some(rig, pixels[rows], sigma[rows], believed, max_error))
    return Fitted(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def allowed(views: int) -> np.ndarray:
    """By number of views used: the sum of squared residuals, in deviations, that they may have."""
    degrees = 2.0 * np.arange(views + 1) - 3
    return np.where(degrees > 0, stats.chi2.ppf(1 - 1 / _ONCE, np.maximum(degrees, 1)), np.inf)


def _some(
    rig: Sequence[Camera],
    pixels: np.ndarray,
    sigma: np.ndarray,
    trust: np.ndarray,
    max_error: float | None,
) -> Fitted:
    rays = point_fit.of_pixels(rig, pixels, sigma)
    used, tied = rays.seen, np.zeros(len(pixels), bool)
    places, covariances = point_fit.fit(rays, used)
    doubtful = ~_holds(places, rays, used, max_error) & (used.sum(axis=1) >= 2)
    if doubtful.any():
        part = rays.some(doubtful)
        used[doubtful], tied[doubtful] = _agreeing(part, trust[doubtful], max_error)
        places[doubtful], covariances[doubtful] = point_fit.fit(part, used[doubtful])
    lost = tied | (used.sum(axis=1) < 2)
    places[lost], covariances[lost], used[lost] = np.nan, np.nan, False
    errors = np.linalg.norm(cameras.project(rig, places) - pixels, axis=-1)
    return Fitted(places, covariances, used, errors, tied)


def _holds(places: np.ndarray, rays: Rays, used: np.ndarray, max_error: float | None) -> np.ndarray:
    """(points,): the views that count agree on a point before all of them."""
    if max_error is None:
        with np.errstate(invalid="ignore"):
            return point_fit.surprise(places, rays, used) <= allowed(used.shape[1])[used.sum(1)]
    apart = np.linalg.norm(point_fit.residuals(places, rays), axis=-1)
    return np.all(np.where(used, apart <= max_error, True), axis=1)


def _agreeing(
    rays: Rays, trust: np.ndarray, max_error: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Which views to use of points whose views contradict one another, and which are tied."""
    limits = _REACH * rays.sigma if max_error is None else np.full_like(rays.sigma, max_error)
    count = len(limits)
    costs, chosen = np.full((2, count), np.inf), np.zeros((2, count, limits.shape[1]), bool)
    for pair in combinations(range(limits.shape[1]), 2):
        cost, agree = _by_pair(rays, pair, trust, limits)
        # A hypothesis that leaves the same views out is the same one.
        again = (agree == chosen[0]).all(axis=1)
        first = cost < costs[0]
        second = ~first & ~again & (cost < costs[1])
        moved = first & ~again
        costs[1] = np.where(moved, costs[0], np.where(second, cost, costs[1]))
        chosen[1] = np.where(moved[:, None], chosen[0], np.where(second[:, None], agree, chosen[1]))
        costs[0] = np.where(first, cost, costs[0])
        chosen[0] = np.where(first[:, None], agree, chosen[0])
    used = _settled(rays, chosen[0], max_error)
    # Two views in common put the point in one place either way.
    shared = (chosen[0] & chosen[1]).sum(axis=1) >= 2
    tied = np.isfinite(costs[1]) & (costs[1] < costs[0] + _TIED) & ~shared
    return used, tied & (used.sum(axis=1) >= 2)


def _by_pair(
    rays: Rays, pair: tuple[int, int], trust: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What it costs to believe two views, and which agree with them."""
    some = rays.views(pair)
    places = point_fit.linear(some.places, some.projections, 1 / some.sigma)
    with np.errstate(invalid="ignore"):
        apart = np.linalg.norm(point_fit.residuals(places, rays), axis=-1) / limits
        agree = rays.seen & (apart <= 1)
    lost = np.where(rays.seen, np.where(agree, apart**2, 1.0) * (0.1 + trust), 0.0)
    cost = lost.sum(axis=1)
    both = agree[:, list(pair)].all(axis=1)
    return np.where(both, cost, np.inf), agree & both[:, None]


def _settled(rays: Rays, used: np.ndarray, max_error: float | None) -> np.ndarray:
    """Leaves out the worst view of those that agreed with two, until the rest hold together."""
    used = used.copy()
    for _ in range(used.shape[1] - 1):
        places, _ = point_fit.fit(rays, used)
        bad = ~_holds(places, rays, used, max_error) & (used.sum(axis=1) >= 2)
        if not bad.any():
            break
        apart = np.linalg.norm(point_fit.residuals(places, rays), axis=-1) / rays.sigma
        worst = np.where(used, np.nan_to_num(apart, nan=-1, posinf=np.inf), -1).argmax(axis=1)
        used[bad, worst[bad]] = False
    used[used.sum(axis=1) < 2] = False
    return used
