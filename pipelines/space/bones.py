"""Lengths of bones, learned from the data, as a prior on points in space."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Instants with both ends of a bone that tell its length.
FEWEST = 30
# Rounds of Gauss and Newton; a bone's direction changes little after the first.
_ROUNDS = 4
# A median absolute deviation times this is the standard deviation of a normal distribution.
_NORMAL = 1.4826
# A bone that varies by more than this share of its length tells nothing.
_STIFF = 0.25


class Bone(NamedTuple):
    """A pair of bodyparts by their places, the middle of their distances, and its spread."""

    first: int
    second: int
    length: float
    spread: float


def learn(
    places: np.ndarray, covariances: np.ndarray, edges: Sequence[tuple[int, int]]
) -> list[Bone]:
    """Bones of one length among the edges.

    Args:
      places: (instants, bodyparts, 3), NaN = not found.
      covariances: (instants, bodyparts, 3, 3); what they say of a length is taken off its spread.
    """
    found = []
    for a, b in edges:
        apart = places[:, a] - places[:, b]
        length = np.linalg.norm(apart, axis=-1)
        there = np.isfinite(length) & (length > 0)
        if there.sum() < FEWEST:
            continue
        along = apart[there] / length[there, None]
        noise = np.einsum(
            "ni,nij,nj->n", along, covariances[there, a] + covariances[there, b], along
        )
        # The surest half tells the length; noise makes long what is short.
        sure = noise <= np.median(noise)
        middle = float(np.median(length[there][sure]))
        seen = _NORMAL * float(np.median(np.abs(length[there][sure] - middle)))
        own = seen**2 - float(np.median(noise[sure]))
        spread = float(np.sqrt(max(own, (0.01 * middle) ** 2)))
        if spread <= _STIFF * middle:
            found.append(Bone(a, b, middle, spread))
    return found


def apply(
    places: np.ndarray, covariances: np.ndarray, bones: Sequence[Bone]
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest points given what the views say and how long bones are.

    Args:
      places: (instants, bodyparts, 3); covariances: (instants, bodyparts, 3, 3).

    Returns:
      Both, afterwards; what is NaN stays so.
    """
    there = np.all(np.isfinite(places), axis=-1)
    trace = np.trace(covariances, axis1=-2, axis2=-1)
    known = np.where(there[..., None, None], covariances, np.eye(3))
    least = np.where(there, 1e-12 * np.nan_to_num(trace, nan=1.0), 0.0)
    known = known + least[..., None, None] * np.eye(3)
    inverse = np.linalg.inv(known)
    start = np.where(there[..., None], places, 0.0)
    moved = start.copy()
    normal = np.empty(0)
    for _ in range(_ROUNDS):
        normal, towards = _equations(moved, start, inverse, there, bones)
        step = np.linalg.solve(normal, towards[..., None])[..., 0]
        moved = moved - step.reshape(moved.shape)
    count = places.shape[1]
    blocks = np.linalg.inv(normal).reshape(len(places), count, 3, count, 3)
    after = blocks[:, np.arange(count), :, np.arange(count)].transpose(1, 0, 2, 3)
    moved = np.where(there[..., None], moved, np.nan)
    return moved, np.where(there[..., None, None], after, np.nan)


def _equations(
    moved: np.ndarray,
    start: np.ndarray,
    inverse: np.ndarray,
    there: np.ndarray,
    bones: Sequence[Bone],
) -> tuple[np.ndarray, np.ndarray]:
    """Normal matrix (instants, 3 bodyparts, 3 bodyparts) and gradient."""
    instants, count = there.shape
    normal = np.zeros((instants, count, 3, count, 3))
    every = np.arange(count)
    normal[:, every, :, every] = inverse.transpose(1, 0, 2, 3)
    towards = (inverse @ (moved - start)[..., None])[..., 0]
    for a, b, length, spread in bones:
        apart = moved[:, a] - moved[:, b]
        now = np.linalg.norm(apart, axis=-1)
        both = there[:, a] & there[:, b] & (now > 0)
        along = np.where(both[:, None], apart / np.where(both, now, 1.0)[:, None], 0.0)
        pull = along * ((now - length) / spread**2)[:, None]
        towards[:, a] += pull
        towards[:, b] -= pull
        block = along[:, :, None] * along[:, None, :] / spread**2
        normal[:, a, :, a] += block
        normal[:, b, :, b] += block
        normal[:, a, :, b] -= block
        normal[:, b, :, a] -= block
    return normal.reshape(instants, 3 * count, 3 * count), towards.reshape(instants, -1)
