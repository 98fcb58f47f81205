"""Whether an individual of one view looks as one of another, learned from where geometry decides.

Two cameras see two sides of an animal, in two lights, and may have two models: nothing says
beforehand that it looks alike in both. So what an animal of the one view looks like in the other is
learned by ridge regression, from windows in which epipolar geometry leaves no doubt, and judged in
stretches of time that it was not learned from. Where it was not right there, it says nothing.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import bdtrc

from beampose.pipelines.space.view_looks import Looks
from beampose.pipelines.tracking import appearance

# Stretches of time, each judged by what the others teach; windows to learn from.
_FOLDS, _FEWEST = 5, 6
# Pairs that are learned from; the matrix has the square of them.
_PAIRS = 1000
# Chance that guesses would have been as often right.
_LUCK = 0.01


class Likeness(NamedTuple):
    """Likeness of the individuals of two views.

    Attributes:
      odds: (windows, individuals, individuals), logarithm of the odds that both are one animal;
        0 where nothing can be said.
      judged, right: windows in which it had a choice, and chose as geometry does.
      reason: why it says nothing; empty if it does.
    """

    odds: np.ndarray
    judged: int = 0
    right: int = 0
    reason: str = ""


def learned(first: Looks, second: Looks, same: np.ndarray, clear: np.ndarray) -> Likeness:
    """Learns it.

    Args:
      same: (windows, individuals, individuals), which are one animal; looked at in windows that
        are clear (windows,) only.
    """
    both = first.there[:, :, None] & second.there[:, None]
    same = same & both & clear[:, None, None]
    nothing = Likeness(np.zeros(both.shape))
    choice = np.flatnonzero(same.sum(axis=(1, 2)) > 1)
    if len(choice) < _FEWEST:
        return nothing._replace(
            reason=f"geometry decides {len(choice)} windows in which two animals are described in "
            f"both views, and {_FEWEST} are needed to learn from"
        )
    seen = np.full(both.shape, np.nan)
    for held_out in np.array_split(choice, _FOLDS):
        others = same.copy()
        others[held_out[0] : held_out[-1] + 1] = False
        seen[held_out] = _likeness(first, second, others, held_out)
    right = sum(_as_geometry(seen[one], same[one]) for one in choice)
    found = nothing._replace(judged=len(choice), right=right)
    different = both & ~same & np.any(same, axis=2, keepdims=True)
    judged = np.isfinite(seen)
    known = appearance.fitted(seen[same & judged], seen[different & judged])
    if known.reason or not right or bdtrc(right - 1, len(choice), 0.5) > _LUCK:
        return found._replace(
            reason=f"in {len(choice)} windows that geometry decides it was right in {right}"
        )
    every = np.arange(len(both))
    chance = known.chance(_likeness(first, second, same, every))
    return found._replace(odds=np.where(both, np.log(chance / (1 - chance)), 0.0))


def _likeness(first: Looks, second: Looks, same: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(windows, individuals, individuals), cosines of what each should look like in the other view
    and of how those there look; both ways, averaged."""
    window, one, other = np.nonzero(same)
    some = slice(None, None, -(-len(window) // _PAIRS) or 1)
    a, b = first.vectors[window, one][some], second.vectors[window, other][some]
    there = _unit(_foretold(a, b, first.vectors[windows]))
    back = _unit(_foretold(b, a, second.vectors[windows]))
    ahead = there @ _unit(second.vectors[windows]).transpose(0, 2, 1)
    return (ahead + _unit(first.vectors[windows]) @ back.transpose(0, 2, 1)) / 2


def _foretold(known: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Ridge regression of values (n, b) on vectors (n, a), for others (..., a)."""
    products = known @ known.T
    weight = max(float(np.trace(products)) / max(len(products), 1), 1e-6)
    solved = np.linalg.solve(products + weight * np.eye(len(products)), values)
    return wanted @ (known.T @ solved)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _as_geometry(likeness: np.ndarray, same: np.ndarray) -> bool:
    """Returns True if the most alike are those that geometry puts together."""
    ones, others = np.nonzero(same)
    rows, columns = linear_sum_assignment(-likeness[np.ix_(ones, others)])
    return bool((rows == columns).all())
