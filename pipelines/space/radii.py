"""Radii: how far a point in space is off, from how far the views are off."""

import numpy as np
from scipy import special, stats

# The share of errors that a radius of two coordinates holds, as `Uncertainty.level` has it.
LEVEL = 0.9


def deviation(radius: np.ndarray | float, level: float = LEVEL) -> np.ndarray | float:
    """Standard deviation of a coordinate whose errors in two stay within a radius."""
    return radius / np.sqrt(stats.chi2.ppf(level, 2))


def of_covariances(covariances: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """(points,), the radius of the ball that holds an error with a probability.

    The squared length is a sum of three squares of unequal size, here taken as one gamma
    distribution of the same mean and variance (Satterthwaite 1946): within 2 % for any covariance.
    """
    found = np.full(len(covariances), np.nan)
    there = np.isfinite(covariances).all(axis=(1, 2))
    some = covariances[there]
    mean = np.trace(some, axis1=1, axis2=2)
    variance = 2 * (some**2).sum(axis=(1, 2))
    shape, scale = mean**2 / variance, variance / mean
    found[there] = np.sqrt(scale * special.gammaincinv(shape, level))
    return found
