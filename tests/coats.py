"""Simulated features under animals' keypoints: coats, postures and noise."""

import numpy as np


def draw(rng, animals, *, bodyparts=9, dims=16, apart=1.0):
    """Appearance of animals, (animals, bodyparts, dims); the same for all if `apart` is 0."""
    common = rng.normal(0, 2, (1, bodyparts, dims))
    return common + apart * rng.normal(0, 1, (animals, bodyparts, dims))


def vectors(rng, coats, animals, posture, *, noise=1.0, moved=2.0):
    """Vectors (n, bodyparts, dims) of n detections.

    Args:
      coats: of all animals.
      animals: int (n,), whose detection each is; -1 is none, and looks like nothing.
      posture: (n, 3), the same of all animals in the same posture; changes vectors by `moved`.
    """
    shape = coats.shape[1:]
    # The same way for all: what a posture does to a picture does not depend on the animal.
    way = np.random.default_rng(99).normal(0, 1, (posture.shape[1], *shape))
    found = rng.normal(0, noise, (len(animals), *shape)) + moved * np.tensordot(posture, way, 1)
    known = animals >= 0
    found[known] += coats[animals[known]]
    return found.astype(np.float32)
