"""Which individual of one view is which of another, by epipolar geometry and appearance.

Tracks of each view have names of their own. In windows of some instants those are put together
whose bodyparts lie on one another's epipolar lines; the names are those of the first view, and stay
with an animal from window to window as long as most views say so. Where another choice fits nearly
as well, the window is open, and decided by what the animals look like, if that was right in the
windows that geometry decides; else by the windows before and after, if the tracks are together in
both; else geometry guesses, and it is said.
"""

import bisect
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from beampose.core.wording import counted
from beampose.pipelines.space import likeness_across_views, view_windows
from beampose.pipelines.space.likeness_across_views import Likeness
from beampose.pipelines.space.view_looks import Looks
from beampose.pipelines.space.view_points import Seen
from beampose.pipelines.space.view_windows import Groups, Window
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera

# Pixels that one name for both counts where nothing else decides.
_NAME = 0.5
# Pixels that views disagree at least, and what decides: this many times what they mostly do. As the
# logarithm of odds, 20 to 1.
_UNIT, _CLEAR = 0.5, 3.0
# DeepLabCut's individual of bodyparts that belong to the scene.
SCENE = "single"
# Given the windows: looks of each view, or why there are none.
Look = Callable[[Sequence[slice]], list[Looks] | str]


class Matching(NamedTuple):
    """How individuals were matched.

    Attributes:
      windows, exchanged: how many, and in how many of them names changed places.
      open: windows that geometry leaves open; of these `by_appearance` and `by_neighbours` were
        decided by what animals look like, and by the windows around.
      guessed: first instants of the windows that nothing decides.
      judged, right: comparisons by appearance in windows that geometry decides.
      reason: why appearance was not used.
    """

    windows: int
    exchanged: int = 0
    open: int = 0
    by_appearance: int = 0
    by_neighbours: int = 0
    guessed: tuple[int, ...] = ()
    judged: int = 0
    right: int = 0
    reason: str = ""


def matched(rig: Sequence[Camera], seen: Seen, look: Look) -> tuple[Seen, Matching]:
    """What views saw with one name for each animal.

    Individuals of a view that fit no other become animals that one view sees.

    Args:
      look: called only if geometry leaves something open.
    """
    animals = [i for i, name in enumerate(seen.individuals) if name != SCENE]
    windows = list(view_windows.each(rig, cameras.rays(rig, seen.pixels[:, animals])))
    groups, said = _decided(windows, look)
    pixels, likelihood = seen.pixels.copy(), seen.likelihood.copy()
    # Only models of one animal have several heads.
    assert seen.spread is None
    # By view, the animal that a track of it was last.
    last = np.tile(np.arange(len(animals)), (len(rig), 1))
    for window, one in zip(windows, groups, strict=True):
        new = _named(one.numbers, last, first=window.rows.start == 0)
        said = said._replace(exchanged=said.exchanged + int((new != last).any()))
        last = new
        for view in range(len(rig)):
            order = np.array(animals)[np.argsort(new[view])]
            # NumPy's indexing by lists puts the animals before the instants, on both sides.
            pixels[window.rows, animals, :, view] = seen.pixels[window.rows, order, :, view]
            likelihood[window.rows, animals, :, view] = seen.likelihood[window.rows, order, :, view]
    return seen._replace(pixels=pixels, likelihood=likelihood), said


def remarks(said: Matching, frames: np.ndarray) -> list[str]:
    """Lines for a person; `frames` are numbers of the instants."""
    length = view_windows.LENGTH
    found = [
        f"individuals were matched across views in {said.windows} windows of {length} instants; "
        f"names changed places in {said.exchanged}"
    ]
    if not said.open:
        return [f"{found[0]}; epipolar geometry decided all of them"]
    found.append(
        f"epipolar geometry leaves {said.open} of {said.windows} windows open: appearance decides "
        f"{said.by_appearance}, the windows around {said.by_neighbours}, and "
        f"{counted(len(said.guessed), 'guess')} of geometry "
        f"{'remains' if len(said.guessed) == 1 else 'remain'}"
    )
    if said.guessed:
        shown = ", ".join(str(int(frames[one])) for one in said.guessed[:5])
        found[-1] += (
            f": look at the {length} instants from frame {shown}"
            f"{' …' if len(said.guessed) > 5 else ''}"
        )
    if said.reason:
        found.append(f"appearance was not compared across views: {said.reason}")
    else:
        found.append(
            f"appearance agrees with geometry in {said.right} of {said.judged} windows that "
            "geometry decides and it did not learn from"
        )
    return found


def _decided(windows: Sequence[Window], look: Look) -> tuple[list[Groups], Matching]:
    """Groups of each window, and how they were found but for the names."""
    groups = [view_windows.grouped(one.costs, one.present) for one in windows]
    unit = _unit(windows, groups)
    clear = np.array([one.margin >= _CLEAR * unit for one in groups], bool)
    said = Matching(len(windows), open=int((~clear).sum()))
    if clear.all():
        return groups, said
    costs = [dict(one.costs) for one in windows]
    likeness, said = _likeness(windows, groups, clear, look, said)
    for key, one in likeness.items():
        for number in _numbers(~clear):
            costs[number][key] = costs[number][key] - unit * one.odds[number]
    clear, by_looks = _again(windows, costs, groups, clear, unit)
    neighbours = _neighbours(windows, groups, clear)
    for number, bonus in neighbours.items():
        for key, same in bonus.items():
            costs[number][key] = costs[number][key] - _CLEAR * unit * same
    clear, by_neighbours = _again(windows, costs, groups, clear, unit)
    for number in _numbers(~clear):
        own = np.eye(windows[number].present.shape[1])
        named = {key: one - _NAME * own for key, one in costs[number].items()}
        groups[number] = view_windows.grouped(named, windows[number].present)
    guessed = tuple(windows[number].rows.start for number in _numbers(~clear))
    return groups, said._replace(
        by_appearance=by_looks, by_neighbours=by_neighbours, guessed=guessed
    )


def _again(
    windows: Sequence[Window],
    costs: Sequence[view_windows.Costs],
    groups: list[Groups],
    clear: np.ndarray,
    unit: float,
) -> tuple[np.ndarray, int]:
    """Groups open windows by other costs; keeps what is clear then. Returns which are, and how many
    were not before."""
    found = clear.copy()
    for number in _numbers(~clear):
        one = view_windows.grouped(costs[number], windows[number].present)
        if one.margin >= _CLEAR * unit:
            groups[number], found[number] = one, True
    return found, int((found & ~clear).sum())


def _unit(windows: Sequence[Window], groups: Sequence[Groups]) -> float:
    """Pixels that views mostly disagree about one animal."""
    found = [np.zeros(0)]
    for window, one in zip(windows, groups, strict=True):
        for key, costs in window.costs.items():
            found.append(costs[view_windows.together(one, window.present, key)])
    every = np.concatenate(found)
    every = every[np.isfinite(every)]
    return max(_UNIT, float(np.median(every))) if len(every) else _UNIT


def _likeness(
    windows: Sequence[Window],
    groups: Sequence[Groups],
    clear: np.ndarray,
    look: Look,
    said: Matching,
) -> tuple[dict[tuple[int, int], Likeness], Matching]:
    """Likeness by pairs of views, of those pairs of which it says something."""
    looks = look([one.rows for one in windows])
    if isinstance(looks, str):
        return {}, said._replace(reason=looks)
    found = {}
    for key in windows[0].costs:
        same = [
            view_windows.together(one, window.present, key)
            for window, one in zip(windows, groups, strict=True)
        ]
        found[key] = likeness_across_views.learned(
            looks[key[0]], looks[key[1]], np.array(same), clear
        )
    used = {key: one for key, one in found.items() if not one.reason}
    reasons = [one.reason for one in found.values() if one.reason]
    return used, said._replace(
        judged=sum(one.judged for one in used.values()),
        right=sum(one.right for one in used.values()),
        reason="" if used else reasons[0],
    )


def _neighbours(
    windows: Sequence[Window], groups: Sequence[Groups], clear: np.ndarray
) -> dict[int, dict[tuple[int, int], np.ndarray]]:
    """Of open windows, which individuals are together in the nearest clear windows before and
    after: in both, or in the only one there is."""
    known = _numbers(clear)
    found = {}
    for number in _numbers(~clear) if known else ():
        place = bisect.bisect(known, number)
        around = known[max(place - 1, 0) : place + 1]
        found[number] = {
            key: np.all(
                [view_windows.together(groups[i], windows[i].present, key) for i in around], axis=0
            )
            for key in windows[number].costs
        }
    return found


def _numbers(chosen: np.ndarray) -> list[int]:
    return np.flatnonzero(chosen).tolist()


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
