"""How the individuals of a view look, window by window: the features kept under their keypoints.

`beampose predict` keeps them for tracking (`_individuals.hdf5`), so no film is read again.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.formats import individuals_file
from beampose.formats.individuals_file import Individuals
from beampose.pipelines.space.synchronise import Instants
from beampose.pipelines.space.view_tables import View
from beampose.pipelines.tracking import appearance
from beampose.trainer import scaling

# Detections that stand for an individual in a window, and windows that are read together.
_SAMPLES, _AT_ONCE = 8, 64
# Pixels, in the mean of its bodyparts, that a track may be from the detection it is made of.
_SAME = 5.0


class Looks(NamedTuple):
    """Appearance in a view.

    Attributes:
      vectors: float32 (windows, individuals, numbers); bodyparts that were not seen are 0.
      there: bool (windows, individuals), of which there is one.
    """

    vectors: np.ndarray
    there: np.ndarray


def missing(views: Sequence[View]) -> str:
    """Says why appearance cannot be compared; empty if it can."""
    without = [one.name for one in views if not one.individuals]
    if without:
        return (
            f"{', '.join(without)} {'has' if len(without) == 1 else 'have'} no features beside the "
            f"tracks (…{individuals_file.ENDING} of `beampose predict`)"
        )
    if len({one.individuals for one in views}) < len(views):
        return "the views share one film"
    return ""


def read(
    views: Sequence[View], instants: Instants, windows: Sequence[slice], names: Sequence[str]
) -> list[Looks]:
    """Looks of each view, of the individuals of those names.

    Raises:
      FileNotFoundError: the features are not there any more.
      ValueError: they are damaged.
    """
    found = []
    for number, view in enumerate(views):
        rows = [instants.rows[one, number] for one in windows]
        with individuals_file.read(view.individuals) as held:
            found.append(_of_view(view, held, rows, names))
    return found


def _of_view(
    view: View, held: Individuals, windows: Sequence[np.ndarray], names: Sequence[str]
) -> Looks:
    shape = (len(windows), len(names), len(held.described_by))
    vectors = np.zeros((*shape, held.dims), np.float32)
    there = np.zeros(shape, bool)
    points = _points(view, held.head.bodyparts, names)
    frames = held.whole("frames")
    for start in range(0, len(windows) if len(frames) else 0, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        owner, rows, seen = _sampled(windows[some], points)
        wanted = view.table.frames[rows]
        places = np.minimum(np.searchsorted(frames, wanted), len(frames) - 1)
        slots, near = _slots(held, places, seen)
        sure = near & (frames[places] == wanted)
        described, present = held.described(places[sure], slots[sure])
        at = tuple(owner[sure].T)
        count = np.zeros(there[some].shape, np.float32)
        np.add.at(vectors[some], at, np.where(present[..., None], described, 0))
        np.add.at(count, at, present)
        vectors[some] /= np.maximum(count, 1)[..., None]
        there[some] = count > 0
    return _scaled(vectors, there)


def _points(view: View, bodyparts: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """(rows, individuals, bodyparts, 3), what the table has of them; NaN where it has nothing."""
    found = np.full((len(view.values), len(names), len(bodyparts), 3), np.nan)
    for place, (name, part) in enumerate(view.table.points):
        if name in names and part in bodyparts:
            found[:, names.index(name), list(bodyparts).index(part)] = view.values[:, place]
    return found


def _sampled(
    windows: Sequence[np.ndarray], points: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Detections spread over each window, those with the most certain keypoints.

    Returns:
      Number of the window and of the individual (n, 2), row of the table (n,), its keypoints
      (n, bodyparts, 2).
    """
    owners, chosen = [np.zeros((0, 2), int)], [np.zeros(0, int)]
    for number, rows in enumerate(windows):
        rows = rows[rows >= 0]
        sure = np.where(np.isfinite(points[rows, ..., 0]), points[rows, ..., 2], 0.0).sum(axis=-1)
        for name in range(points.shape[1]):
            known = np.flatnonzero(sure[:, name] > 0)
            if len(known):
                best = known[appearance.surest(sure[known, name], _SAMPLES)]
                owners.append(np.tile([number, name], (len(best), 1)))
                chosen.append(rows[best])
    owner, row = np.concatenate(owners), np.concatenate(chosen)
    return owner, row, points[row, owner[:, 1], :, :2]


def _slots(
    held: Individuals, places: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which detection of its frame each is, and whether one is near enough."""
    apart = np.linalg.norm(held.keypoints(places)[..., :2] - seen[:, None], axis=-1)
    known = np.isfinite(apart)
    mean = np.where(known, apart, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    mean = np.where(known.any(axis=-1), mean, np.inf)
    slots = mean.argmin(axis=1) if mean.size else np.zeros(len(places), int)
    return slots, mean[np.arange(len(places)), slots] <= _SAME


def _scaled(vectors: np.ndarray, there: np.ndarray) -> Looks:
    """What is special about each, in its own view: what all have in common is taken off."""
    flat, present = vectors.reshape(-1, *vectors.shape[2:]), there.reshape(-1, there.shape[2])
    if not present.any():
        return Looks(vectors.reshape(*vectors.shape[:2], -1), np.asarray(there.any(axis=-1)))
    found = np.nan_to_num(appearance.plain(flat, present, scaling.of(flat, present)))
    return Looks(
        found.reshape(*vectors.shape[:2], -1).astype(np.float32),
        np.asarray(scaling.usable(flat, present).any(axis=-1)).reshape(there.shape[:2]),
    )
