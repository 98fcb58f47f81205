"""What the model in the loop does, in small pieces: embed, learn, suggest, judge, look ahead.

Each call of `Learning.step` does the most urgent piece of a second at most, so that what a person
did meanwhile is heard soon. Nothing here knows of processes or pages.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut.label_table import slots
from beampose.formats.deeplabcut.row_frames import Names
from beampose.pipelines.label import suggestions
from beampose.pipelines.label.live_frames import LEAST, LiveFrames, Material
from beampose.pipelines.label.live_heads import FOLDS, LiveHead
from beampose.preprocess.labels import SINGLE
from beampose.trainer import recipe
from beampose.trainer.schema import LabelRecord

# Frames of the list that are seen before the heads of the folds learn.
_FIRST = 40
# Rounds of learning that follow the first one while nothing else is to be done.
MORE_ROUNDS = 3
# Frames of the list and of films that are proposed.
PROPOSED = 60


class Learning:
    """The model in the loop.

    Attributes:
      news: entries for the page since they were taken last.

    Args:
      names, edges: of the project.
      clock: seconds.
    """

    def __init__(
        self,
        names: Names,
        edges: Sequence[tuple[str, str]],
        clock: Callable[[], float] = time.monotonic,
    ):
        self.names, self._clock = names, clock
        self.points = slots(names)
        self.news: dict[str, Any] = {"suggestions": {}}
        self._frames = LiveFrames(names, edges)
        self._unsure: dict[str, float] = {}
        self._head: LiveHead | None = None
        self._folds: list[LiveHead] = []
        self._fold_of: dict[str, int] = {}
        self._built_for = 0
        self._rounds = 0
        self._stale: list[str] = []
        self._heads_know: dict[str, bytes] = {}
        self._folds_know: dict[str, bytes] = {}
        self._held: dict[str, np.ndarray] = {}
        self._changed_at = 0.0
        self._curve: list[tuple[int, float]] = []
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
            self._learn,
            self._suggest_stale,
            self._embed_focus,
            self._embed_first,
            self._learn_folds,
            self._learn_more,
            self._embed_listed,
            self._embed_films,
        )
        return any(piece() for piece in pieces)

    def _embed(self, keys: Sequence[str]) -> bool:
        key = self._frames.embed(keys)
        if key in self._vectors and self._head is not None and self._head.taught:
            self._suggest([key])
        return key is not None

    def _embed_labeled(self) -> bool:
        if self._embed(list(self._material.keypoints)):
            return True
        # The first suggestions do not wait for copies.
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

    def _shape(self, records: list[LabelRecord]) -> None:
        """Makes new heads where the labels have doubled: they suit another recipe by then."""
        import keras

        self._frames.dataset.records = records
        facts = self._frames.facts()
        assert facts is not None
        cell = recipe.STRIDE / self._frames.config.scale
        config: Config = recipe.resolved(
            self._frames.config, recipe.of_head(self._frames.config, facts, cell)
        )
        keras.utils.set_random_seed(0)
        self._head = LiveHead(config, self._frames.dataset, seed=0)
        self._folds = [
            LiveHead(config, self._frames.dataset, seed=1 + fold) for fold in range(FOLDS)
        ]
        self._built_for = len(self._material.keypoints)
        self._heads_know, self._folds_know = {}, {}

    def _learn(self) -> bool:
        labels = {
            key: one for key, one in self._frames.labels().items() if key in self._frames.dataset
        }
        if len(labels) < LEAST:
            return False
        if self._head is None or len(labels) >= 2 * self._built_for:
            self._shape(self._frames.records())
        assert self._head is not None
        if labels != self._heads_know:
            self._heads_know, self._rounds = labels, 0
            self._head.begin()
        if not self._head.left:
            return False
        if self._head.learn(self._dataset_records()):
            self._stale = self._unlabeled()
            if self._frames.focus in self._stale:
                self._stale.remove(self._frames.focus)
                self._stale.insert(0, self._frames.focus)
        return True

    def _learn_more(self) -> bool:
        """Further rounds on the same labels, with their copies, while a person looks on."""
        if self._head is None or not self._heads_know or self._rounds >= MORE_ROUNDS:
            return False
        self._rounds += 1
        self._head.begin()
        return True

    def _dataset_records(self) -> list[LabelRecord]:
        self._frames.dataset.records = self._frames.records()
        return self._frames.dataset.records

    def _unlabeled(self) -> list[str]:
        listed = [key for key in self._material.frames if key not in self._material.done]
        found = [*listed, *self._material.films]
        return [key for key in found if key in self._frames.dataset]

    def _suggest_stale(self) -> bool:
        if not self._stale:
            return False
        some, self._stale = self._stale[:4], self._stale[4:]
        self._suggest([key for key in some if key in self._frames.dataset])
        if self._changed_at:
            self._waits.append(self._clock() - self._changed_at)
            self._changed_at = 0.0
        if not self._stale:
            self._propose()
        return True

    def _suggest(self, keys: Sequence[str]) -> None:
        if not keys or self._head is None:
            return
        empty = np.full((len(self.names.individuals), len(self.names.bodyparts), 2), np.nan)
        records = [self._frames.record(key, key, 0, empty) for key in keys]
        predicted = self._head.predict(records)
        listed = set(self._material.frames)
        for key, one in zip(keys, predicted, strict=True):
            self._unsure[key] = self._doubtful(one)
            if key in listed:
                found = self._slotted(key, one)
                self.news["suggestions"][key] = suggestions.plain(found, self.points)

    def _doubtful(self, predicted: np.ndarray) -> float:
        """How unsure the head is of a frame, 0 to 1."""
        rows, columns = np.array(self.points).T
        likelihood = np.nan_to_num(predicted[rows, columns, 2])
        return float(1 - likelihood.mean())

    def _slotted(self, key: str, predicted: np.ndarray) -> np.ndarray:
        animals = len(self.names.individuals) - (SINGLE in self.names.individuals)
        if animals < 2:
            return predicted
        empty = np.full(predicted[..., :2].shape, np.nan)
        labeled = self._material.keypoints.get(key, empty)
        return suggestions.by_slots(predicted, labeled, self._before(key), animals)

    def _before(self, key: str) -> np.ndarray | None:
        """Labels of the nearest labeled frame of the same folder, by the list."""
        folder = key.split("/")[0]
        own = [k for k in self._material.frames if k.split("/")[0] == folder]
        labeled = [i for i, k in enumerate(own) if k in self._material.keypoints and k != key]
        if not labeled or key not in own:
            return None
        place = own.index(key)
        return self._material.keypoints[own[min(labeled, key=lambda i: abs(i - place))]]

    def _propose(self) -> None:
        """The order of frames to label: of the list, and of films."""
        known = [self._vectors[k] for k in self._material.keypoints if k in self._vectors]
        vectors = np.array(known).reshape(len(known), -1) if known else np.empty((0, 1))
        listed = [
            k
            for k in self._material.frames
            if k in self._unsure and k not in self._material.keypoints
        ]
        films = [k for k in self._material.films if k in self._unsure]
        for name, keys in (("next", listed), ("more", films)):
            candidates = np.array([self._vectors[k] for k in keys])
            unsure = np.array([self._unsure[k] for k in keys])
            chosen = suggestions.order(unsure, candidates, vectors, PROPOSED) if keys else []
            self.news[name] = [keys[i] for i in chosen]

    # Judging.

    def _learn_folds(self) -> bool:
        labels = self._heads_know
        if len(labels) < LEAST or not self._folds or self._folds_know == labels:
            return False
        self._assign(labels)
        records = self._dataset_records()
        for number, fold in enumerate(self._folds):
            own = [r for r in records if self._fold_of.get(r.name) != number]
            if not fold.taught or fold.left:
                if not fold.left:
                    fold.begin()
                if own and fold.learn(own):
                    self._hold_out(number, fold, records)
                return True
        self._folds_know = labels
        for fold in self._folds:
            fold.begin()
        self._judge()
        return True

    def _assign(self, labels: Mapping[str, bytes]) -> None:
        """A fold for each labeled frame, which it keeps: no head has seen what judges it."""
        for key in labels:
            self._fold_of.setdefault(key, len(self._fold_of) % FOLDS)

    def _hold_out(self, number: int, fold: LiveHead, records: Sequence[LabelRecord]) -> None:
        own = [r for r in records if not r.copy and self._fold_of.get(r.name) == number]
        if own:
            found = fold.task.judge.matched(own, fold.task.predict(own, 4)[..., :3])
            found = found[:, None] if found.ndim == 3 else found
            self._held |= {r.name: one for r, one in zip(own, found, strict=True)}

    def _judge(self) -> None:
        keypoints = self._material.keypoints
        frames = [key for key in keypoints if key in self._held]
        if not frames:
            return
        labeled = np.stack([keypoints[key] for key in frames])
        predicted = np.stack([self._held[key] for key in frames])
        found = suggestions.judged(frames, labeled, predicted)
        if not found:
            return
        self._curve = [(n, e) for n, e in self._curve if n < len(frames)]
        self._curve.append((len(frames), found["error_px"]))
        self.news |= {
            **found,
            "curve": list(self._curve),
            "promise": suggestions.promise(self._curve),
        }

    # What is told.

    def busy_with_suggestions(self, keys: Sequence[str]) -> bool:
        """Whether the head has labels to learn, or something to say of some frames."""
        head = self._head
        told = self._frames.labels() == self._heads_know
        unseen = any(key not in self._vectors and key not in self._frames.lost for key in keys)
        return head is None or not told or head.left > 0 or bool(self._stale) or unseen

    def status(self) -> dict[str, Any]:
        """What it is at, for the page."""
        labeled, listed = len(self._material.keypoints), len(self._material.frames)
        embedded = sum(key in self._vectors for key in self._material.frames)
        seen = f"{embedded} of {listed} frames seen"
        if labeled < LEAST:
            left = LEAST - labeled
            text = f"It suggests after {left} more labeled {'frame' if left == 1 else 'frames'}."
            return {"state": "waiting", "text": f"{text} {seen}."}
        training = self._head is None or bool(self._head.left)
        text = f"{seen}." if embedded < listed else ""
        if self._waits:
            text = f"Suggests {np.median(self._waits):.1f} s after a label. {text}"
        state = "training" if training else "embedding" if embedded < listed else "ready"
        return {"state": state, "text": text.strip(), "waits": [round(w, 2) for w in self._waits]}
