"""What the model in the loop does, in small pieces: embed, learn, suggest, judge, look ahead.

Each call of `Learning.step` does the most urgent piece of a second at most, so that what a person
did meanwhile is heard soon. Nothing here knows of processes or pages.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.formats.deeplabcut.label_table import slots
from beampose.formats.deeplabcut.row_frames import Names
from beampose.pipelines.label.live_frames import LEARN, LEAST, LiveFrames, Material
from beampose.pipelines.label.live_heads import CHUNK, LiveHead, LiveNetwork
from beampose.pipelines.label.live_judging import LiveFolds
from beampose.pipelines.label.live_suggestions import LiveSuggestions
from beampose.trainer import recipe
from beampose.trainer.schema import LabelRecord

# Frames of the list that are seen before the heads of the folds learn.
_FIRST = 20
# Frames whose suggestions do not wait for further steps.
_URGENT = 12
# The network is made anew, for what the labels have become, when there are so many times as many.
_GROWN = 2.5


class Pace(NamedTuple):
    """Steps of a head.

    Attributes:
      first: before it suggests anything.
      new: of new labels, before what they changed is suggested.
      more: rounds that follow, in steps since the labels changed; after each it suggests again.
      folds: of those that judge: at first, and again.
    """

    first: int = 120
    new: int = 32
    more: tuple[int, ...] = (160, 480, 1200)
    folds: tuple[int, int] = (120, 48)


PACE = Pace()


class Learning:
    """The model in the loop.

    Attributes:
      news: entries for the page since they were taken last.
      points: of a frame, in the order of the page.

    Args:
      names, edges: of the project.
      pace: steps between what is told.
      clock: seconds.
    """

    def __init__(
        self,
        names: Names,
        edges: Sequence[tuple[str, str]],
        pace: Pace = PACE,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._pace, self._clock = pace, clock
        self.points = slots(names)
        self.news: dict[str, Any] = {"suggestions": {}}
        self._frames = LiveFrames(names, edges)
        self._sayings = LiveSuggestions(names, self._frames)
        self._head: LiveHead | None = None
        self._folds = LiveFolds(pace.folds)
        self._built_for = 0
        self._known: dict[str, bytes] = {}
        self._since = 0
        self._rounds: list[int] = []
        self._stale: list[str] = []
        self._urgent = 0
        self._changed_at = 0.0
        self._waits: list[float] = []

    # What a person did.

    def know(self, material: Material) -> None:
        """Takes frames and labels as they are now."""
        before = self._frames.labels()
        self._frames.know(material)
        if self._frames.labels() != before:
            self._changed_at = self._clock()

    def look_at(self, key: str) -> None:
        self._frames.focus = key

    # What is done next.

    def step(self) -> bool:
        """Does one piece of work. Returns False if there is nothing to do."""
        pieces = (
            self._embed_labeled,
            self._learn_new,
            self._suggest_urgent,
            self._embed_focus,
            self._embed_copies,
            self._embed_first,
            self._learn_folds,
            self._learn_round,
            self._suggest_stale,
            self._embed_listed,
            self._learn_more,
            self._learn_folds_idle,
            self._embed_films,
        )
        return any(piece() for piece in pieces)

    def _embed(self, keys: Sequence[str]) -> bool:
        key = self._frames.embed(keys)
        if key in self._vectors and self._suggests:
            self._suggest([key])
        return key is not None

    def _embed_labeled(self) -> bool:
        return self._embed(list(self._material.keypoints))

    def _embed_copies(self) -> bool:
        """Once there is a head: the first suggestions do not wait for copies."""
        return self._head is not None and self._embed(self._frames.copies())

    def _embed_focus(self) -> bool:
        focus = self._frames.focus
        return focus in set(self._material.frames) and self._embed([focus])

    def _embed_first(self) -> bool:
        """The frames that are suggested for soonest do not wait for folds."""
        return self._embed_unseen(self._material.frames[:_FIRST])

    def _embed_listed(self) -> bool:
        return self._embed_unseen(self._material.frames)

    def _embed_films(self) -> bool:
        return self._embed_unseen(self._material.films)

    def _embed_unseen(self, keys: Sequence[str]) -> bool:
        return self._embed([key for key in keys if key not in self._vectors])

    @property
    def _material(self) -> Material:
        return self._frames.material

    @property
    def _vectors(self) -> dict[str, np.ndarray]:
        return self._frames.vectors

    # Learning.

    @property
    def _suggests(self) -> bool:
        labels = len(self._material.keypoints)
        return self._head is not None and self._head.done >= self._pace.first and labels >= LEAST

    def _shape(self) -> None:
        """Makes the network that suits the labels; heads go on on it where it has their shape."""
        records = self._dataset_records()
        facts = self._frames.facts()
        assert facts is not None
        cell = recipe.STRIDE / self._frames.config.scale
        chosen = recipe.of_head(self._frames.config, facts, cell)
        network = LiveNetwork(recipe.resolved(self._frames.config, chosen), self._frames.dataset)
        if self._head is None:
            self._head = LiveHead(network, 0)
        self._head.move(network)
        self._folds.move(network)
        self._built_for = len(self._material.keypoints)
        if self._head.done:
            self._head.finish(records)

    def _learn_new(self) -> bool:
        """Steps on new labels, without which there are no suggestions."""
        labels = {
            key: one for key, one in self._frames.labels().items() if key in self._frames.dataset
        }
        if len(labels) < LEARN:
            # They were taken away again: nothing is left to go on with.
            self._known, self._rounds = {}, []
            return False
        if len(labels) >= _GROWN * self._built_for:
            if self._frames.fit():
                # Features of another scale mean something else.
                self._head, self._folds, self._built_for = None, LiveFolds(self._pace.folds), 0
                return True
            self._shape()
        if labels != self._known:
            self._known, self._since = labels, 0
            self._rounds = list(self._pace.more)
        assert self._head is not None
        missing = max(self._pace.new - self._since, self._pace.first - self._head.done)
        if missing <= 0:
            return False
        if self._learn(missing):
            self._renew()
        return True

    def _learn(self, most: int) -> bool:
        """A few steps. Returns True if they were the last."""
        assert self._head is not None
        steps = min(CHUNK, most)
        self._head.learn(self._dataset_records(), steps)
        self._since += steps
        return steps == most

    def _learn_round(self) -> bool:
        """On to the end of the first round, after which all frames are suggested for."""
        return len(self._rounds) == len(self._pace.more) and self._learn_more()

    def _learn_more(self) -> bool:
        """On to the end of a round while a person looks on."""
        if self._head is None or not self._rounds:
            return False
        if self._since >= self._rounds[0] or self._learn(self._rounds[0] - self._since):
            self._rounds.pop(0)
            self._renew()
        return True

    def _renew(self) -> None:
        """What is suggested is to be said anew."""
        if not self._suggests:
            return
        assert self._head is not None
        self._head.finish(self._dataset_records())
        waiting = set(self._unlabeled())
        focus = self._frames.focus
        listed = [key for key in self._material.frames if key in waiting]
        after = listed[listed.index(focus) :][: _URGENT // 2] if focus in waiting else []
        first = [*after, *self._sayings.next[: _URGENT // 2]]
        self._stale = [key for key in dict.fromkeys([*first, *self._unlabeled()]) if key in waiting]
        self._urgent = min(_URGENT, len(self._stale))

    def _dataset_records(self) -> list[LabelRecord]:
        self._frames.dataset.records = self._frames.records()
        return self._frames.dataset.records

    def _unlabeled(self) -> list[str]:
        listed = [key for key in self._material.frames if key not in self._material.done]
        found = [*listed, *self._material.films]
        return [key for key in found if key in self._frames.dataset]

    def _suggest_urgent(self) -> bool:
        return self._urgent > 0 and self._suggest_stale()

    def _suggest_stale(self) -> bool:
        if not self._stale:
            return False
        some, self._stale = self._stale[:4], self._stale[4:]
        self._urgent -= len(some)
        self._suggest([key for key in some if key in self._frames.dataset])
        if self._changed_at:
            self._waits.append(self._clock() - self._changed_at)
            self._changed_at = 0.0
        if self._urgent <= 0 or not self._stale:
            self._propose()
        return True

    def _suggest(self, keys: Sequence[str]) -> None:
        if keys and self._head is not None:
            self.news["suggestions"] |= self._sayings.of(self._head, keys)

    def _propose(self) -> None:
        self._sayings.propose()
        self.news |= {"next": self._sayings.next, "more": self._sayings.more}

    # Judging.

    def _learn_folds(self, *, idle: bool = False) -> bool:
        if len(self._known) < LEAST or not self._folds.due(self._known, idle=idle):
            return False
        if self._folds.learn(self._known, self._dataset_records()):
            self.news |= self._folds.judge(self._material.keypoints)
        return True

    def _learn_folds_idle(self) -> bool:
        return self._learn_folds(idle=True)

    # What is told.

    def status(self) -> dict[str, Any]:
        """What it is at, for the page."""
        labeled, listed = len(self._material.keypoints), len(self._material.frames)
        embedded = sum(key in self._vectors for key in self._material.frames)
        seen = f"{embedded} of {listed} frames seen"
        if labeled < LEAST:
            left = LEAST - labeled
            text = f"It suggests after {left} more labeled {'frame' if left == 1 else 'frames'}."
            return {"state": "waiting", "text": f"{text} {seen}."}
        training = not self._suggests or self._since < self._pace.new
        text = f"{seen}." if embedded < listed else ""
        if self._waits:
            text = f"Suggests {np.median(self._waits):.1f} s after a label. {text}"
        state = "training" if training else "embedding" if embedded < listed else "ready"
        return {"state": state, "text": text.strip(), "waits": [round(w, 2) for w in self._waits]}
