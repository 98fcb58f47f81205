"""Weights of assembly, from what a trained head says of labeled training images."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from beampose.trainer import metrics
from beampose.trainer.assemble import Rules

# Pairs of peaks of one animal, and of two, that an edge needs before its weight is set.
ENOUGH = 10
# Share of labeled animals that have at least twice the bodyparts an animal must have.
COMMON = 0.95


def calibrate(
    rules: Rules,
    labels: Sequence[np.ndarray],
    outputs: Iterable[Mapping[str, np.ndarray]],
    near: float,
) -> Rules:
    """Rules whose edges count as much as they tell one animal from two, as in DeepLabCut's
    crossvalutils: by the area under the ROC curve of costs within and between animals.

    The least affinity is left as it is: raised to what tells training images best it lost animals
    in others, since those are answered less surely.

    Args:
      labels: of each image, (individuals, bodyparts, 2), NaN = not labeled.
      outputs: what the head says of each image, as `assemble.assemble` takes it.
      near: source pixels between a peak and the label it is of.
    """
    within: list[list[float]] = [[] for _ in rules.edges]
    between: list[list[float]] = [[] for _ in rules.edges]
    for truth, found in zip(labels, outputs, strict=True):
        owner = owners(truth[: rules.animals], found["peaks"], found["likelihood"], near)
        for e, (a, b) in enumerate(rules.edges):
            first, second = owner[a][:, None], owner[b][None]
            known = (first >= 0) & (second >= 0)
            costs = found["edge_costs"][e]
            within[e] += costs[known & (first == second)].tolist()
            between[e] += costs[known & (first != second)].tolist()
    weights = rules.weights.copy()
    for e, (own, other) in enumerate(zip(within, between, strict=True)):
        if min(len(own), len(other)) < ENOUGH:
            continue
        costs = np.array([*own, *other])
        ranked = metrics.auc(np.arange(len(costs)) < len(own), costs)
        weights[e] = max(2 * (ranked or 0.5) - 1, 0.0)
    return rules._replace(weights=weights)


def owners(truth: np.ndarray, peaks: np.ndarray, likelihood: np.ndarray, near: float) -> np.ndarray:
    """The animal each peak (bodyparts, peaks) is of, by the nearest label; -1 = none.

    Args:
      truth: (animals, bodyparts, 2), NaN = not labeled.
      peaks: (bodyparts, peaks, 2).
    """
    offsets = peaks[:, :, None] - truth.transpose(1, 0, 2)[:, None]
    distance = np.nan_to_num(np.linalg.norm(offsets, axis=-1), nan=np.inf)
    nearest = distance.argmin(axis=-1)
    close = (distance.min(axis=-1) <= near) & (likelihood > 0)
    return np.where(close, nearest, -1)


def least_parts(labels: np.ndarray) -> int:
    """Bodyparts an animal must have: half of what nearly all labeled ones have.

    Rounded up: a single point that looks like a bodypart is no animal of three.

    Args:
      labels: (animals, bodyparts, 2), NaN = not labeled; an animal without labels is none.
    """
    counts = np.isfinite(labels).all(axis=-1).sum(axis=-1)
    counts = counts[counts > 0]
    return max(-(-int(np.quantile(counts, 1 - COMMON)) // 2), 1) if len(counts) else 1
