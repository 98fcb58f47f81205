"""Which individual of one view is which of another, by epipolar geometry.

Tracks of each view have names of their own. In windows of some instants those are put together
whose bodyparts lie on one another's epipolar lines; the names are those of the first view, and stay
with an animal from window to window as long as most views say so. What fits alike is decided by the
tracks' own names, which mean something where they are by appearance (`beampose reid`, `identity`).
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from beampose.pipelines.space import epipolar
from beampose.pipelines.space.view_points import Seen
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera

# Instants of a window, and bodyparts seen in both views that say something.
WINDOW, _FEWEST = 50, 5
# Pixels from which two animals cannot be one; pixels that one name for both counts.
_APART, _NAME = 40.0, 0.5
# DeepLabCut's individual of bodyparts that belong to the scene.
_SCENE = "single"


def matched(rig: Sequence[Camera], seen: Seen) -> tuple[Seen, list[str]]:
    """What views saw with one name for each animal, and remarks.

    Individuals of a view that fit no other become animals that one view sees.
    """
    animals = [i for i, name in enumerate(seen.individuals) if name != _SCENE]
    rays = cameras.rays(rig, seen.pixels[:, animals])
    focal = [one.focal for one in rig]
    pairs = {
        (a, b): epipolar.fundamental(rig[a].projection, rig[b].projection)
        for a in range(len(rig))
        for b in range(a + 1, len(rig))
    }
    pixels, likelihood = seen.pixels.copy(), seen.likelihood.copy()
    # Only models of one animal have several heads.
    assert seen.spread is None
    # By view, the animal that a track of it was last.
    last = np.tile(np.arange(len(animals)), (len(rig), 1))
    changed, windows = 0, 0
    for start in range(0, len(rays), WINDOW):
        rows = slice(start, start + WINDOW)
        costs = {key: _costs(rays[rows], key, matrix, focal) for key, matrix in pairs.items()}
        present = np.any(np.all(np.isfinite(rays[rows]), axis=-1), axis=(0, 2)).T
        new = _named(_groups(costs, present, len(animals)), last, first=start == 0)
        changed += int((new != last).any())
        windows += 1
        last = new
        for view in range(len(rig)):
            order = np.array(animals)[np.argsort(new[view])]
            # NumPy's indexing by lists puts the animals before the instants, on both sides.
            pixels[rows, animals, :, view] = seen.pixels[rows, order, :, view]
            likelihood[rows, animals, :, view] = seen.likelihood[rows, order, :, view]
    said = [
        f"individuals were matched across views in {windows} windows of {WINDOW} instants; "
        f"names changed places in {changed}"
    ]
    return seen._replace(pixels=pixels, likelihood=likelihood), said


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
    found = np.where(enough, total, np.nan)
    return found - _NAME * np.eye(len(found))


def _groups(costs: dict[tuple[int, int], np.ndarray], present: np.ndarray, most: int) -> np.ndarray:
    """(views, individuals), the number of the group that each belongs to.

    Views join one after another, those that see most animals first; a view's individuals are
    assigned to the groups so that the mean distance to their members is least.
    """
    order = np.argsort(-present.sum(axis=1), kind="stable")
    found = np.full(present.shape, -1)
    found[order[0]] = np.arange(most)
    for place, view in enumerate(order[1:], 1):
        to_groups = np.full((most, most), 0.75 * _APART)
        for one in range(most):
            for group in range(most):
                members = [
                    costs[other, view][i, one] if other < view else costs[view, other][one, i]
                    for other in order[:place]
                    for i in np.flatnonzero(found[other] == group)
                ]
                known = [cost for cost in members if np.isfinite(cost)]
                if known:
                    to_groups[one, group] = np.mean(known)
        rows, columns = linear_sum_assignment(to_groups)
        found[view, rows] = columns
    return found


def _named(groups: np.ndarray, last: np.ndarray, *, first: bool) -> np.ndarray:
    """(views, individuals), animals of each view's individuals, by the groups they are in.

    A group is called as most of its members were before; at first as the first view calls it.
    """
    count = groups.shape[1]
    votes = np.zeros((count, count))
    for view in range(1 if first else len(groups)):
        votes[groups[view], last[view]] += 1
    rows, columns = linear_sum_assignment(-votes)
    names = np.empty(count, int)
    names[rows] = columns
    return names[groups]
