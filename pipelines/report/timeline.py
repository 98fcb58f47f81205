"""Timeline of the individuals of a video, with the joins of their tracks."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt

from beampose.core.infos import TracksInfo
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.pipelines.report import plots
from beampose.preprocess.labels import SINGLE

# Number of joins marked, the least certain first.
MARKED = 10
# Parts that a long video is drawn in.
BINS = 2000


class Join(NamedTuple):
    """Join of two tracklets: the individual, the frame and the cost."""

    individual: str
    frame: int
    cost: float


def joins(said: TracksInfo | None) -> list[Join]:
    """The least certain joins that `beampose track` listed for a video."""
    if said is None:
        return []
    listed = said.costliest_joins[:MARKED]
    return [Join(said.individuals[one.track], one.frame, one.cost) for one in listed]


def shares(table: Table) -> list[tuple[str, float]]:
    """Of each individual the share of frames in which it is."""
    found = []
    for name in table.individuals:
        chosen = [i for i, (owner, _) in enumerate(table.points) if owner == name]
        missing = np.isnan(table.values[:, chosen, 0]).all(axis=1)
        found.append((name, 1 - float(np.mean(missing)) if missing.size else 0.0))
    return found


def identities(table: Table, joined: Sequence[Join], title: str) -> Any:
    """A figure: a bar where an individual is, as high as its share of bodyparts; joins on it."""
    known = [name for name in table.individuals if name != SINGLE]
    height = 0.9 + 0.34 * max(len(known), 1)
    figure, axes = plt.subplots(figsize=(9, height), layout="constrained")
    for row, (name, color) in enumerate(zip(known, plots.colors(len(known)), strict=True)):
        chosen = [i for i, (owner, _) in enumerate(table.points) if owner == name]
        missing = np.isnan(table.values[:, chosen, 0]).mean(axis=1)
        frames, share = _binned(table.frames, 1 - missing)
        low, high = row - 0.42 * share, row + 0.42 * share
        axes.fill_between(frames, low, high, color=color, lw=0, step="post")
    for join in joined:
        if join.individual in known:
            axes.plot(
                join.frame, known.index(join.individual), "|", color="#1c2733", ms=14, mew=1.2
            )
    axes.set_yticks(range(len(known)), known)
    axes.set(xlabel="frame", ylim=(len(known) - 0.4, -0.6), title=title)
    if len(table.frames):
        axes.set_xlim(table.frames[0] - 0.5, table.frames[-1] + 0.5)
    return figure


def _binned(frames: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First frame and mean share of each of `BINS` parts at most; the last is said twice.

    Args:
      share: (rows,), of bodyparts that are there.
    """
    if not len(share):
        return frames, share
    starts = np.arange(0, len(share), -(-len(share) // BINS))
    mean = np.add.reduceat(share, starts) / np.diff(starts, append=len(share))
    # A bar ends where its last frame does.
    return np.append(frames[starts], frames[-1] + 1), np.append(mean, mean[-1])
