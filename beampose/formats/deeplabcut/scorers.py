"""Labels of several people for the same images, as one: the mean where they agree that a bodypart
is there, or the first who labeled it; how far they differ is told."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from beampose.core import files
from beampose.core.wording import counted
from beampose.preprocess.labels import ERROR, WARNING, LabeledFrame, Labels, Problem

MEAN, FIRST = "mean", "first"


def read(
    read_one: Callable[[str], Labels], scorers: Sequence[str], *, way: str, where: str
) -> Labels:
    """Reads everybody's labels and combines them.

    Args:
      read_one: a scorer's name to their labels.
      way: `mean` of those who labeled a bodypart, or `first`: who is named first goes before.
      where: the source, human-readable.

    Raises:
      ValueError: a scorer is named twice, or there are no labels.
    """
    if len(set(scorers)) < len(scorers) or not scorers:
        raise ValueError(f"Scorers must be different names. Received: {', '.join(scorers)}.")
    return combine([read_one(name) for name in scorers], scorers, way=way, where=where)


def combine(everybody: Sequence[Labels], scorers: Sequence[str], *, way: str, where: str) -> Labels:
    """One set of labels of several that name the same bodyparts and individuals."""
    first = everybody[0]
    frames: dict[str, list[LabeledFrame]] = {}
    for labels in everybody:
        for item in labels.items:
            assert isinstance(item, LabeledFrame)
            frames.setdefault(item.name, []).append(item)
    items, apart = [], []
    for own in frames.values():
        stack = np.stack([one.keypoints for one in own])
        items.append(dataclasses.replace(own[0], keypoints=_one(stack, way)))
        apart += _apart(stack)
    places = {files.parent(one.file) for own in frames.values() for one in own}
    problems = [p for labels in everybody for p in labels.problems if not _of_absent(p, places)]
    problems.append(_agreement(apart, scorers, where))
    return dataclasses.replace(
        first,
        items=tuple(items),
        scorer="-".join(scorers),
        problems=tuple(dict.fromkeys(problems)),
    )


def _one(stack: np.ndarray, way: str) -> np.ndarray:
    """(scorers, individuals, bodyparts, 2) to one (individuals, bodyparts, 2)."""
    labeled = np.asarray(~np.isnan(stack).any(axis=-1))
    if way == FIRST:
        picked = np.take_along_axis(stack, labeled.argmax(axis=0)[None, ..., None], axis=0)[0]
    else:
        total = np.where(labeled[..., None], stack, 0.0).sum(axis=0)
        picked = total / np.maximum(labeled.sum(axis=0), 1)[..., None]
    return np.where(np.any(labeled, axis=0)[..., None], picked, np.nan)


def _apart(stack: np.ndarray) -> list[float]:
    """Distances between all pairs of scorers, of points both labeled."""
    found: list[float] = []
    for i in range(len(stack)):
        for j in range(i):
            distance = np.linalg.norm(stack[i] - stack[j], axis=-1)
            found += distance[~np.isnan(distance)].tolist()
    return found


def _of_absent(problem: Problem, places: set[str]) -> bool:
    """Returns True if it says that a scorer has no labels in a folder where another one has."""
    return problem.level == ERROR and not problem.row and problem.file in places


def _agreement(apart: list[float], scorers: Sequence[str], where: str) -> Problem:
    names = ", ".join(scorers)
    if not apart:
        what = f"no point was labeled by two of {names}: how well they agree is not known"
    else:
        mean, far = np.mean(apart), np.quantile(apart, 0.95)
        what = (
            f"{names} labeled {counted(len(apart), 'point')} twice: they differ by {mean:.2f} px "
            f"on average, by {far:.1f} px in one of twenty, by {max(apart):.1f} px at most"
        )
    return Problem(WARNING, where, 0, "", what)
