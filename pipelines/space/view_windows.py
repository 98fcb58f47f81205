"""Windows of some instants in which individuals of several views are put together, by costs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from beampose.pipelines.space import epipolar
from beampose.preprocess.cameras import Camera

# Instants of a window, and bodyparts seen in both views that say something.
LENGTH, _FEWEST = 50, 5
# Pixels from which two animals cannot be one, and what an animal costs that stays alone.
_APART, _ALONE = 40.0, 30.0
# A cost that no assignment takes.
_NEVER = 1e6
# By numbers of two views, costs of an individual of the first and one of the second.
Costs = Mapping[tuple[int, int], np.ndarray]


class Window(NamedTuple):
    """A window.

    Attributes:
      rows: of its instants.
      costs: (individuals, individuals) of each pair of views, pixels from one another's epipolar
        lines; NaN where too little was seen.
      present: (views, individuals), which were seen.
    """

    rows: slice
    costs: Costs
    present: np.ndarray


class Groups(NamedTuple):
    """Which individuals are one animal.

    Attributes:
      numbers: (views, individuals), the number of the group that each belongs to.
      margin: by how much the next best choice costs more; infinite without a choice.
    """

    numbers: np.ndarray
    margin: float


def each(rig: Sequence[Camera], rays: np.ndarray) -> Iterator[Window]:
    """Windows of rays (instants, individuals, bodyparts, views, 2), NaN = not seen."""
    pairs = {
        (a, b): epipolar.fundamental(rig[a].projection, rig[b].projection)
        for a in range(len(rig))
        for b in range(a + 1, len(rig))
    }
    focal = [one.focal for one in rig]
    for start in range(0, len(rays), LENGTH):
        rows = slice(start, min(start + LENGTH, len(rays)))
        costs = {key: _costs(rays[rows], key, matrix, focal) for key, matrix in pairs.items()}
        present = np.any(np.all(np.isfinite(rays[rows]), axis=-1), axis=(0, 2)).T
        yield Window(rows, costs, present)


def _costs(
    rays: np.ndarray, pair: tuple[int, int], matrix: np.ndarray, focal: Sequence[float]
) -> np.ndarray:
    """(individuals, individuals), pixels between an individual of one view and one of another."""
    first, second = (rays[:, :, :, view] for view in pair)
    apart = epipolar.distances(
        first[:, :, None], second[:, None], matrix, (focal[pair[0]], focal[pair[1]])
    )
    # (instants, i, j, bodyparts) to what they say together.
    flat = np.minimum(apart, _APART).transpose(1, 2, 0, 3).reshape(*apart.shape[1:3], -1)
    known = np.isfinite(flat)
    enough = known.sum(axis=-1) >= min(_FEWEST, rays.shape[0] * rays.shape[2])
    total = np.where(known, flat, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    return np.where(enough, total, np.nan)


def grouped(costs: Costs, present: np.ndarray) -> Groups:
    """Puts individuals of views (views, individuals) together.

    Views join one after another, those that see most animals first; a view's individuals are
    assigned to the groups so that the mean cost to their members is least.
    """
    order = np.argsort(-present.sum(axis=1), kind="stable")
    most = present.shape[1]
    found = np.full(present.shape, -1)
    found[order[0]] = np.arange(most)
    margin = np.inf
    for place, view in enumerate(order[1:], 1):
        to_groups = np.full((most, most), np.nan)
        for one in range(most):
            for group in range(most):
                members = [
                    costs[other, view][i, one] if other < view else costs[view, other][one, i]
                    for other in order[:place]
                    for i in np.flatnonzero(found[other] == group)
                ]
                known = [cost for cost in members if np.isfinite(cost)]
                to_groups[one, group] = np.mean(known) if known else np.nan
        found[view], own = _assigned(to_groups)
        margin = min(margin, own)
    return Groups(found, margin)


def _assigned(costs: np.ndarray) -> tuple[np.ndarray, float]:
    """The column of each row at the lowest sum, and how much more the next best sum is; NaN is a
    pair of which nothing is known."""
    filled = np.where(np.isfinite(costs), costs, _ALONE)
    rows, columns = linear_sum_assignment(filled)
    best, next_best = filled[rows, columns].sum(), np.inf
    for row, column in zip(rows, columns, strict=True):
        if np.isfinite(costs[row, column]):
            other = filled.copy()
            other[row, column] = _NEVER
            next_best = min(next_best, other[linear_sum_assignment(other)].sum())
    return columns, float(next_best - best) if next_best < _NEVER / 2 else np.inf


def together(groups: Groups, present: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """(individuals, individuals), which of one view and of another are one animal, both seen."""
    first, second = (groups.numbers[view] for view in pair)
    both = present[pair[0]][:, None] & present[pair[1]]
    return (first[:, None] == second) & both
