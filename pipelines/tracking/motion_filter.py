"""Kalman filter of constant velocity, which predicts the places of many animals at once."""

from typing import NamedTuple

import numpy as np

# A target that is not seen slows down: an animal behind something seldom moves on as it did.
_DAMPING = 0.9


class Noise(NamedTuple):
    """Standard deviations, (coordinates,), in multiples of a target's scale.

    Attributes:
      measured: of an observation.
      accelerated: of the change of velocity from one frame to the next.
      speed: of the velocity of a target that was seen once.
    """

    measured: np.ndarray
    accelerated: np.ndarray
    speed: np.ndarray


class Kalman:
    """Filters of independent coordinates, (targets, coordinates).

    With noise of its own for every coordinate, as in SORT and DeepLabCut, the covariance falls into
    one 2 x 2 matrix of place and velocity for each: three numbers, no matrix is inverted. What was
    never observed is NaN.
    """

    def __init__(self, noise: Noise):
        self._noise = noise
        empty = np.zeros((0, len(noise.measured)))
        self.place, self._speed = empty, empty
        self._place_var, self._both, self._speed_var = empty, empty, empty
        self._scale = empty

    def add(self, observed: np.ndarray, scale: np.ndarray) -> None:
        """New targets.

        Args:
          observed: (targets, coordinates), NaN = not observed.
          scale: (targets, coordinates), what noise is a multiple of.
        """
        zero = np.zeros_like(observed)
        self._scale = np.concatenate([self._scale, scale])
        self.place = np.concatenate([self.place, observed])
        self._speed = np.concatenate([self._speed, zero])
        self._place_var = np.concatenate([self._place_var, (scale * self._noise.measured) ** 2])
        self._both = np.concatenate([self._both, zero])
        self._speed_var = np.concatenate([self._speed_var, (scale * self._noise.speed) ** 2])

    def keep(self, which: np.ndarray) -> None:
        """Forgets all targets but those, (targets,) bool."""
        for name in ("place", "_speed", "_place_var", "_both", "_speed_var", "_scale"):
            setattr(self, name, getattr(self, name)[which])

    def predict(self, unseen: np.ndarray) -> None:
        """One frame on.

        Args:
          unseen: (targets,) bool, those not seen in the frame before.
        """
        slower = np.where(unseen, _DAMPING, 1.0)[:, None]
        self._speed *= slower
        self._both *= slower
        self._speed_var *= slower**2
        change = (self._scale * self._noise.accelerated) ** 2
        self.place = self.place + self._speed
        self._place_var = self._place_var + 2 * self._both + self._speed_var + change / 4
        self._both = self._both + self._speed_var + change / 2
        self._speed_var = self._speed_var + change

    def update(self, rows: np.ndarray, observed: np.ndarray) -> None:
        """Updates targets with what was observed of them.

        Args:
          rows: (seen,), which; each once.
          observed: (seen, coordinates), NaN = not observed: only that coordinate is not updated.
        """
        place, speed = self.place[rows], self._speed[rows]
        place_var, both, speed_var = self._place_var[rows], self._both[rows], self._speed_var[rows]
        error = (self._scale[rows] * self._noise.measured) ** 2
        first = np.isnan(place) & ~np.isnan(observed)
        known = ~np.isnan(place) & ~np.isnan(observed)
        gain, gain_speed = (
            np.where(known, part / (place_var + error), 0) for part in (place_var, both)
        )
        surprise = np.where(known, observed - place, 0.0)
        self.place[rows] = np.where(first, observed, place + gain * surprise)
        self._speed[rows] = speed + gain_speed * surprise
        fresh = (self._scale[rows] * self._noise.speed) ** 2
        self._place_var[rows] = np.where(first, error, (1 - gain) * place_var)
        self._both[rows] = np.where(first, 0.0, (1 - gain) * both)
        self._speed_var[rows] = np.where(first, fresh, speed_var - gain_speed * both)
