"""A point in space where the rays of some views meet: linear, then by least reprojection error."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera

# Steps of Gauss and Newton after the linear solution; the third moves points by less than a
# thousandth of their radius.
_STEPS = 3
# Of the trace of a normal matrix: keeps those that can be inverted that rays leave open.
_TINY = 1e-13


class Rays(NamedTuple):
    """What views see of some points.

    Attributes:
      projections: (views, 3, 4).
      places: (points, views, 2), see `Camera.rays`; NaN = not seen.
      scales: (points, views, 2, 2), see `Camera.pixels_per_ray`.
      sigma: (points, views), standard deviation of a coordinate in pixels; finite where seen.
    """

    projections: np.ndarray
    places: np.ndarray
    scales: np.ndarray
    sigma: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """(points, views)."""
        return np.all(np.isfinite(self.places), axis=-1)

    def some(self, points: np.ndarray) -> "Rays":
        """The rays of some points, by a mask or by numbers."""
        return Rays(self.projections, *(part[points] for part in self[1:]))

    def views(self, views: Sequence[int]) -> "Rays":
        """The rays of some views."""
        chosen = list(views)
        return Rays(self.projections[chosen], *(part[:, chosen] for part in self[1:]))


def of_pixels(rig: Sequence[Camera], pixels: np.ndarray, sigma: np.ndarray) -> Rays:
    """Rays of pixels (points, views, 2), one camera a view; NaN = not seen."""
    return Rays(
        cameras.projections(rig),
        cameras.rays(rig, pixels),
        cameras.pixels_per_ray(rig, pixels),
        sigma,
    )


def linear(rays: np.ndarray, projections: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The direct linear transform (Hartley and Zisserman 2004, section 12.2).

    With weights of 1 and two views it is OpenCV's `triangulatePoints`.

    Args:
      rays: (points, views, 2); NaN = not seen.
      projections: (views, 3, 4).
      weights: (points, views); 0 leaves a view out.

    Returns:
      (points, 3); NaN with less than two views.
    """
    weights = np.where(np.all(np.isfinite(rays), axis=-1), weights, 0.0)
    known = np.where(weights[..., None] > 0, rays, 0.0)
    rows = known[..., None] * projections[:, None, 2] - projections[:, :2]
    rows = (rows * weights[..., None, None]).reshape(len(rays), -1, 4)
    enough = (weights > 0).sum(axis=1) >= 2
    found = np.full((len(rays), 3), np.nan)
    if enough.any():
        last = np.linalg.svd(rows[enough], full_matrices=True)[2][:, -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            found[enough] = last[:, :3] / last[:, 3:]
    found[~np.all(np.isfinite(found), axis=1)] = np.nan
    return found


def residuals(points: np.ndarray, rays: Rays) -> np.ndarray:
    """(points, views, 2), pixels from what a view saw to where it would see the point.

    NaN where it saw nothing, and infinite where the point is behind the camera.
    """
    ahead, depth = _seen(points, rays.projections)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = ahead / depth[..., None] - rays.places
    found = _times(rays.scales, apart)
    found[(depth <= 0) & rays.seen] = np.inf
    return found


def fit(rays: Rays, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of least reprojection error, in standard deviations, and their covariances.

    Args:
      used: (points, views), which views count.

    Returns:
      (points, 3) and (points, 3, 3); NaN with less than two views.
    """
    used = used & rays.seen
    weights = np.where(used, 1 / rays.sigma, 0.0)
    points = linear(rays.places, rays.projections, weights)
    covariances = np.full((len(points), 3, 3), np.nan)
    there = np.all(np.isfinite(points), axis=1)
    if not there.any():
        return points, covariances
    part, some = rays.some(there), weights[there]
    found = points[there]
    for _ in range(_STEPS):
        normal, towards = _normal_equations(found, part, some)
        moved = found - np.linalg.solve(normal, towards[..., None])[..., 0]
        better = _cost(moved, part, some) <= _cost(found, part, some)
        found = np.where(better[:, None], moved, found)
    points[there] = found
    covariances[there] = np.linalg.inv(_normal_equations(found, part, some)[0])
    return points, covariances


def surprise(points: np.ndarray, rays: Rays, used: np.ndarray) -> np.ndarray:
    """(points,), sum of squares of the residuals of the views that count, in deviations."""
    squares = (residuals(points, rays) ** 2).sum(axis=-1) / rays.sigma**2
    return np.where(used & rays.seen, squares, 0.0).sum(axis=1)


def _normal_equations(
    points: np.ndarray, rays: Rays, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(points, 3, 3) and the gradients (points, 3)."""
    ahead, depth = _seen(points, rays.projections)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = ahead / depth[..., None]
        turned = rays.projections[:, :2, :3] - at[..., None] * rays.projections[:, None, 2, :3]
        slopes = (rays.scales @ turned) / depth[..., None, None]
    apart = _times(rays.scales, at - rays.places)
    counts = (weights > 0)[..., None]
    slopes = np.where(counts[..., None], slopes * weights[..., None, None], 0.0)
    apart = np.where(counts, apart * weights[..., None], 0.0)
    flat = slopes.reshape(len(points), -1, 3)
    across = np.swapaxes(flat, 1, 2)
    normal = across @ flat
    least = _TINY * np.trace(normal, axis1=1, axis2=2) + np.finfo(float).tiny
    normal += least[:, None, None] * np.eye(3)
    return normal, (across @ apart.reshape(len(points), -1, 1))[..., 0]


def _cost(points: np.ndarray, rays: Rays, weights: np.ndarray) -> np.ndarray:
    return surprise(points, rays, weights > 0)


def _seen(points: np.ndarray, projections: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First two coordinates before each camera (points, views, 2), and depths (points, views)."""
    flat = projections.reshape(-1, 4)
    seen = (points @ flat[:, :3].T + flat[:, 3]).reshape(len(points), -1, 3)
    return seen[..., :2], seen[..., 2]


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(..., 2, 2) times (..., 2)."""
    return (matrices * vectors[..., None, :]).sum(axis=-1)
