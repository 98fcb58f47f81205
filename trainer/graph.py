"""Pairs of bodyparts that have a part affinity field: all of them, or a chosen graph."""

from collections.abc import Sequence

import numpy as np

# Edges of a chosen graph for each bodypart: DeepLabCut's graphs have a mean degree of 6.
EDGES_A_BODYPART = 3


def choose(
    keypoints: np.ndarray,
    bodyparts: Sequence[int],
    skeleton: Sequence[tuple[int, int]],
    *,
    most: int,
) -> np.ndarray:
    """The graph of a project of several animals.

    All pairs where these are at most `most`. Else the skeleton, where there is one, or the pairs
    that lie closest together and are seen together most often, since a short field is learned from
    few labels and crosses few other animals. Either way every bodypart is joined to the others.

    Args:
      keypoints: (animals, all bodyparts, 2) of training frames, NaN = not labeled.
      bodyparts: indices of those that every animal has.
      skeleton: pairs of indices a person drew.
      most: number of edges; what joins all bodyparts is kept even if it is more.

    Returns:
      int (edges, 2), sorted.
    """
    every = [(a, b) for i, a in enumerate(bodyparts) for b in bodyparts[i + 1 :]]
    if len(every) <= most:
        return _array(every)
    length = {pair: _length(keypoints, *pair) for pair in every}
    drawn = {(min(pair), max(pair)) for pair in skeleton} & set(every)
    ordered = sorted(every, key=lambda pair: (pair not in drawn, length[pair], pair))
    chosen = _joining(ordered, bodyparts)
    count = min(most, len(drawn) if drawn else EDGES_A_BODYPART * len(bodyparts))
    rest = [pair for pair in ordered if pair not in set(chosen)]
    return _array(chosen + rest[: max(count - len(chosen), 0)])


def most_edges(bodyparts: int, skeleton: int, most: int) -> int:
    """At most so many edges does `choose` give.

    Args:
      bodyparts: number of those that every animal has.
      skeleton: number of pairs a person drew.
      most: as above.
    """
    every = bodyparts * (bodyparts - 1) // 2
    if every <= most:
        return every
    return max(min(most, skeleton or EDGES_A_BODYPART * bodyparts), bodyparts - 1)


def _length(keypoints: np.ndarray, a: int, b: int) -> float:
    """Median distance over the share of animals that show both."""
    distance = np.linalg.norm(keypoints[:, a] - keypoints[:, b], axis=-1)
    seen = np.isfinite(distance)
    return float(np.median(distance[seen]) / seen.mean()) if seen.any() else float("inf")


def _joining(ordered: Sequence[tuple[int, int]], bodyparts: Sequence[int]) -> list:
    """The first pairs that join all bodyparts without a circle (Kruskal 1956)."""
    group = {bodypart: bodypart for bodypart in bodyparts}
    found = []
    for a, b in ordered:
        if group[a] != group[b]:
            found.append((a, b))
            old, new = group[b], group[a]
            group = {part: new if own == old else own for part, own in group.items()}
    return found


def _array(pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    return np.array(sorted(pairs), np.int32).reshape(-1, 2)
