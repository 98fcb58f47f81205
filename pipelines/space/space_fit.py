"""From what views saw to points in space with radii: arrays in, arrays out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.pipelines.space import noise, point_fit, radii, robust_points
from beampose.pipelines.space.noise import Agreement
from beampose.pipelines.space.point_fit import Rays
from beampose.pipelines.space.robust_points import Fitted
from beampose.pipelines.space.view_points import Seen
from beampose.preprocess.cameras import Camera

# Instants whose points tell how far off views are.
_JUDGED = 800
# Instants that are fitted at once.
_AT_ONCE = 1000
# A camera is wrong if the deviations are this many times smaller without it.
_SPOILT = 2.0
# Its predictions are trusted this much beside those of others.
_DOUBTED = 0.1


class Fit(NamedTuple):
    """Points of a recording; arrays are (instants, individuals, bodyparts, ...).

    Attributes:
      places: (..., 3); covariances: (..., 3, 3), stretched as the views' disagreement asks.
      used, errors: (..., views). tied: (...).
      score: (...), mean likelihood of the views used.
      factors: (bodyparts,) on the deviations that the models told, or on `UNKNOWN`.
      agreement: of each bodypart, after that.
      doubted: the camera without which all others agree far better; None if there is none such.
    """

    places: np.ndarray
    covariances: np.ndarray
    used: np.ndarray
    errors: np.ndarray
    tied: np.ndarray
    score: np.ndarray
    factors: np.ndarray
    agreement: tuple[Agreement, ...]
    doubted: int | None = None

    @property
    def radius(self) -> np.ndarray:
        """(instants, individuals, bodyparts), see `radii.of_covariances`."""
        flat = radii.of_covariances(self.covariances.reshape(-1, 3, 3))
        return flat.reshape(self.places.shape[:3])

    @property
    def error(self) -> np.ndarray:
        """(instants, individuals, bodyparts), mean over the views used."""
        count = self.used.sum(axis=-1)
        total = np.where(self.used, self.errors, 0.0).sum(axis=-1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def fit(rig: Sequence[Camera], seen: Seen, *, max_error: float | None = None) -> Fit:
    """Finds the points of all instants.

    Args:
      max_error: pixels from which a view is left out; None: as the deviations say.
    """
    factors, doubted = _factors(rig, seen)
    trust = np.nan_to_num(seen.likelihood)
    if doubted is not None:
        trust[..., doubted] *= _DOUBTED
    parts = []
    for start in range(0, len(seen.pixels), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        parts.append(_some(rig, seen.some(rows), factors, trust[rows], max_error))
    places, covariances, used, errors, tied = (np.concatenate(p) for p in zip(*parts, strict=True))
    stretches, agreement = _judged(rig, seen, factors, used)
    covariances *= stretches[:, None, None] ** 2
    count = used.sum(axis=-1)
    total = np.where(used, np.nan_to_num(seen.likelihood), 0.0).sum(axis=-1)
    score = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return Fit(places, covariances, used, errors, tied, score, factors, agreement, doubted)


def _some(
    rig: Sequence[Camera],
    seen: Seen,
    factors: np.ndarray,
    trust: np.ndarray,
    max_error: float | None,
) -> Fitted:
    shape = seen.pixels.shape
    views = shape[3]
    found = robust_points.triangulate(
        rig,
        seen.pixels.reshape(-1, views, 2),
        seen.deviations(factors).reshape(-1, views),
        trust=trust.reshape(-1, views),
        max_error=max_error,
    )
    return Fitted(*(part.reshape(*shape[:3], *part.shape[1:]) for part in found))


def _thin(seen: Seen) -> slice:
    return slice(None, None, max(-(-len(seen.pixels) // _JUDGED), 1))


def _factors(rig: Sequence[Camera], seen: Seen) -> tuple[np.ndarray, int | None]:
    """(bodyparts,); of those that cannot be judged the middle of the others.

    Where the views agree far better without one camera, that camera is wrong, not the predictions:
    it is named.
    """
    every = range(len(rig))
    alike = np.ones(len(seen.bodyparts))
    rays = [_rays(rig, seen, alike, part) for part in range(len(seen.bodyparts))]
    found = _factors_of(rays, seen.known)
    # Deviations that models told are never made smaller: without reason to doubt nobody is asked.
    if len(rig) >= 3 and (np.median(found) > _SPOILT or not seen.known.all()):
        others = [[one for one in every if one != left_out] for left_out in every]
        without = [_factors_of([one.views(some) for one in rays], seen.known) for some in others]
        best = min(every, key=lambda left_out: float(np.median(without[left_out])))
        if np.median(found) > _SPOILT * np.median(without[best]):
            return without[best], best
    return found, None


def _factors_of(rays: Sequence[Rays], told: np.ndarray) -> np.ndarray:
    """By what the views saw of each bodypart, and whether a model told its deviations."""
    each = zip(rays, told, strict=True)
    found = np.array([noise.deviations(one, known=bool(known)) for one, known in each])
    for known in (True, False):
        lacking = ~np.isfinite(found) & (told == known)
        others = found[np.isfinite(found) & (told == known)]
        found[lacking] = np.median(others) if len(others) else 1.0
    return found


def _judged(
    rig: Sequence[Camera], seen: Seen, factors: np.ndarray, used: np.ndarray
) -> tuple[np.ndarray, tuple[Agreement, ...]]:
    stretches, agreement = [], []
    for part in range(len(seen.bodyparts)):
        rays = _rays(rig, seen, factors, part)
        mine = used[_thin(seen), :, part].reshape(-1, used.shape[-1])
        factor = noise.stretch(rays, mine)
        stretches.append(max(factor, 1.0) if np.isfinite(factor) else 1.0)
        agreement.append(noise.agreement(rays, mine))
    return np.array(stretches), tuple(agreement)


def _rays(rig: Sequence[Camera], seen: Seen, factors: np.ndarray, part: int) -> Rays:
    """What views saw of a bodypart in some of the instants."""
    thin = seen.some(_thin(seen))
    views = seen.pixels.shape[3]
    pixels = thin.pixels[:, :, part].reshape(-1, views, 2)
    return point_fit.of_pixels(rig, pixels, thin.deviations(factors)[:, :, part].reshape(-1, views))
