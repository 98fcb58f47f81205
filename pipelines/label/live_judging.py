"""Heads that never saw a part of the labeled frames: the held-out error, doubts, a curve."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beampose.pipelines.label import suggestions
from beampose.pipelines.label.live_heads import CHUNK, LiveHead, LiveNetwork
from beampose.trainer.schema import LabelRecord

FOLDS = 3
# They learn again when the labels have grown by this factor since, or when nothing else is to do.
GROWN = 1.6


class LiveFolds:
    """Heads of one network, each without a part of the labels.

    Args:
      steps: of each after it was made, and after the labels changed.
    """

    def __init__(self, steps: tuple[int, int]):
        self._first, self._again = steps
        self._heads: list[LiveHead] = []
        self._left: list[int] = []
        self._fold_of: dict[str, int] = {}
        self._known: dict[str, bytes] = {}
        self._learning: dict[str, bytes] = {}
        self._held: dict[str, np.ndarray] = {}
        self._curve: list[tuple[int, float]] = []

    def move(self, network: LiveNetwork) -> None:
        """Goes on on another network."""
        if not self._heads:
            self._heads = [LiveHead(network, 1 + fold) for fold in range(FOLDS)]
        for head in self._heads:
            head.move(network)
        self._known = {}

    def due(self, labels: Mapping[str, bytes], *, idle: bool) -> bool:
        """Whether they have something to learn that does not wait."""
        if not self._heads or self._known == labels:
            return False
        return idle or bool(self._left) or len(labels) >= GROWN * max(len(self._known), 1)

    def learn(self, labels: Mapping[str, bytes], records: Sequence[LabelRecord]) -> bool:
        """A few steps of one of them. Returns True when all have learned the labels."""
        if not self._left:
            for key in labels:
                # Each frame keeps its fold: no head has seen what judges it.
                self._fold_of.setdefault(key, len(self._fold_of) % FOLDS)
            self._learning = dict(labels)
            self._left = [self._first if not one.done else self._again for one in self._heads]
        number = next(i for i, left in enumerate(self._left) if left)
        head, steps = self._heads[number], min(CHUNK, self._left[number])
        # A frame labeled since has no fold yet: whoever learned from it could not judge it.
        own = [r for r in records if self._fold_of.get(r.name, number) != number]
        if own:
            head.learn(own, steps)
        self._left[number] -= steps
        if not self._left[number] and own:
            head.finish(own)
            self._hold_out(number, records)
        if any(self._left):
            return False
        self._left, self._known = [], self._learning
        return True

    def _hold_out(self, number: int, records: Sequence[LabelRecord]) -> None:
        head = self._heads[number]
        own = [r for r in records if not r.copy and self._fold_of.get(r.name) == number]
        if own:
            found = head.network.task.judge.matched(own, head.predict(own))
            found = found[:, None] if found.ndim == 3 else found
            self._held |= {r.name: one for r, one in zip(own, found, strict=True)}

    def judge(self, keypoints: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Figures of the labels that are there now, for the page; empty of none."""
        frames = [key for key in keypoints if key in self._held]
        if not frames:
            return {}
        labeled = np.stack([keypoints[key] for key in frames])
        predicted = np.stack([self._held[key] for key in frames])
        found = suggestions.judged(frames, labeled, predicted)
        if not found:
            return {}
        self._curve = [(n, e) for n, e in self._curve if n < len(frames)]
        self._curve.append((len(frames), found["error_px"]))
        promise = suggestions.promise(self._curve)
        return {**found, "curve": list(self._curve), "promise": promise}
