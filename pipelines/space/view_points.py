"""The points of several views side by side, instant by instant."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.pipelines.space import radii
from beampose.pipelines.space.synchronise import Instants
from beampose.pipelines.space.view_tables import View

# Deviation in pixels that is begun with where no model tells one.
UNKNOWN = 3.0
# A likelihood below this weighs as much as it.
_LEAST = 0.05


class Seen(NamedTuple):
    """What views saw.

    Attributes:
      pixels: (instants, individuals, bodyparts, views, 2), NaN = not seen or below the cutoff.
      likelihood: (instants, individuals, bodyparts, views).
      sigma: (bodyparts, views), deviations of a sure prediction in pixels.
      known: (bodyparts,), whether all of them come from a model.
      spread: as the likelihood: pixels by which the heads of a model disagree more than they mostly
        do; None where no model has several.
    """

    pixels: np.ndarray
    likelihood: np.ndarray
    sigma: np.ndarray
    known: np.ndarray
    individuals: tuple[str, ...]
    bodyparts: tuple[str, ...]
    spread: np.ndarray | None = None

    def some(self, rows: slice) -> "Seen":
        """What was seen in some of the instants."""
        spread = None if self.spread is None else self.spread[rows]
        return self._replace(
            pixels=self.pixels[rows], likelihood=self.likelihood[rows], spread=spread
        )

    def deviations(self, factors: np.ndarray) -> np.ndarray:
        """(instants, individuals, bodyparts, views): larger where a prediction is less sure."""
        trust = np.clip(np.nan_to_num(self.likelihood, nan=1.0), _LEAST, 1.0)
        found = (self.sigma * factors[:, None]) / np.sqrt(trust)
        return found if self.spread is None else np.hypot(found, self.spread / np.sqrt(2))


def gather(views: Sequence[View], instants: Instants, pcutoff: float) -> Seen:
    """Puts the tables of views side by side.

    Raises:
      ValueError: no bodypart is seen by two views.
    """
    individuals = tuple(dict.fromkeys(one for view in views for one, _ in view.table.points))
    if "" in individuals and len(individuals) > 1:
        raise ValueError(
            "Some views name individuals and others do not: predict all by models of one kind."
        )
    bodyparts = tuple(part for part, count in _counts(views).items() if count > 1)
    if not bodyparts:
        raise ValueError(
            f"No bodypart is predicted in two views: {views[0].name} has "
            f"{', '.join(views[0].table.bodyparts)}, {views[1].name} has "
            f"{', '.join(views[1].table.bodyparts)}. Give them the same names."
        )
    shape = (len(instants.frames), len(individuals), len(bodyparts), len(views))
    pixels, likelihood = np.full((*shape, 2), np.nan), np.full(shape, np.nan)
    spread = np.zeros(shape)
    for number, view in enumerate(views):
        there = instants.rows[:, number] >= 0
        rows = view.values[instants.rows[there, number]]
        for place, (individual, part) in enumerate(view.table.points):
            if part not in bodyparts:
                continue
            at = individuals.index(individual), bodyparts.index(part)
            pixels[there, at[0], at[1], number] = rows[:, place, :2]
            likelihood[there, at[0], at[1], number] = rows[:, place, 2]
            if view.spread is not None:
                own = _excess(view.spread)[instants.rows[there, number], place]
                spread[there, at[0], at[1], number] = own
    pixels[~(likelihood >= pcutoff)] = np.nan
    sigma, known = _sigma(views, bodyparts)
    some = any(view.spread is not None for view in views)
    return Seen(pixels, likelihood, sigma, known, individuals, bodyparts, spread if some else None)


def alone(views: Sequence[View]) -> list[str]:
    """Bodyparts that one view alone has, of which there is no point in space."""
    return [part for part, count in _counts(views).items() if count == 1]


def _counts(views: Sequence[View]) -> Counter[str]:
    """Of each bodypart, the views that have it."""
    return Counter(part for view in views for part in dict.fromkeys(view.table.bodyparts))


def _excess(spread: np.ndarray) -> np.ndarray:
    """(rows, points), by how much more than in the middle frame heads disagree; the radius, which
    is that of the middle frame, holds the rest."""
    there = np.where(np.isfinite(spread), spread, 0.0)
    return np.sqrt(np.maximum(there**2 - np.median(there, axis=0) ** 2, 0.0))


def _sigma(views: Sequence[View], bodyparts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    found = np.full((len(bodyparts), len(views)), np.nan)
    for number, view in enumerate(views):
        for place, part in enumerate(bodyparts):
            radius = view.uncertainty.radius_px.get(part) if view.uncertainty else None
            if radius:
                assert view.uncertainty
                found[place, number] = radii.deviation(radius, view.uncertainty.level)
    return of_deviations(found)


def of_deviations(told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deviations (bodyparts, views) in pixels, and of which bodyparts all were told, not NaN."""
    known = np.asarray(np.all(np.isfinite(told), axis=1))
    return np.where(known[:, None], told, UNKNOWN), known
