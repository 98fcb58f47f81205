"""What the model in the loop does, in small pieces: embed, learn, suggest, judge, look ahead.

Each call of `Learning.step` does the most urgent piece of a second at most, so that what a person
did meanwhile is heard soon. Nothing here knows of processes or pages.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut.label_table import Point, slots
from beampose.formats.deeplabcut.row_frames import Names
from beampose.pipelines.label import suggestions
from beampose.pipelines.label.live_features import SAMPLED, LiveDataset, LiveEmbedder
from beampose.pipelines.label.live_heads import FIRST_STEPS, FOLDS, LiveHead
from beampose.preprocess import transform
from beampose.preprocess.labels import SINGLE
from beampose.trainer import cross_validation, label_facts, recipe
from beampose.trainer.label_facts import LabelFacts
from beampose.trainer.schema import LabelRecord

BACKBONE, WEIGHTS = "resnet_compact", "builtin"
# Labeled frames from which on a head learns.
LEAST = 6
# Turned copies of each labeled frame; fewer where there are many.
COPIES = 4
# Bytes of maps in memory; frames beyond are embedded, judged and forgotten.
MEMORY = 600 << 20
# Frames of the list that are seen before the heads of the folds learn.
_FIRST = 40
# Frames of the list and of films that are proposed.
PROPOSED = 60


class Material(NamedTuple):
    """Frames and labels as they are now.

    Attributes:
      frames: keys in the order of the list.
      keypoints: of labeled frames, (individuals, bodyparts, 2).
      done: keys of frames of which nothing is open.
      films: keys of further frames, of films.
      pixels: reads a frame by its key; raises OSError or ValueError.
    """

    frames: Sequence[str]
    keypoints: Mapping[str, np.ndarray]
    done: frozenset[str]
    films: Sequence[str]
    pixels: Callable[[str], np.ndarray]


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
        self._edges = edges
        self._dataset = LiveDataset(names, edges)
        self._embedder: LiveEmbedder | None = None
        self._config = experiment.from_values(
            {
                "task": "pose",
                "source": {"format": "deeplabcut", "path": "."},
                "features": {"backbone": BACKBONE, "weights": WEIGHTS},
                "train": {"plausible": False, "steps": FIRST_STEPS},
                "output": "live",
            },
            "live.yaml",
        )
        self._material = Material((), {}, frozenset(), (), lambda key: np.empty(0))
        self._focus = ""
        self._sizes: dict[str, tuple[int, int]] = {}
        self._vectors: dict[str, np.ndarray] = {}
        self._unsure: dict[str, float] = {}
        self._lost: set[str] = set()
        self._head: LiveHead | None = None
        self._folds: list[LiveHead] = []
        self._fold_of: dict[str, int] = {}
        self._built_for = 0
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
        before = self._labels()
        self._material = material
        if self._labels() != before:
            self._changed_at = self._clock()

    def look_at(self, key: str) -> None:
        self._focus = key

    def _labels(self) -> dict[str, bytes]:
        return {key: one.tobytes() for key, one in self._material.keypoints.items()}

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
            self._embed_listed,
            self._embed_films,
        )
        return any(piece() for piece in pieces)

    def _embed_labeled(self) -> bool:
        wanted = list(self._material.keypoints)
        if self._embed_next([key for key in wanted if key not in self._dataset]):
            return True
        if len(wanted) < LEAST:
            return False
        return self._embed_next(
            [
                f"{key}\n{copy}"
                for copy in range(1, self._copies() + 1)
                for key in wanted
                if key in self._dataset and f"{key}\n{copy}" not in self._dataset
            ]
        )

    def _copies(self) -> int:
        # The first suggestions do not wait for copies.
        return (
            0 if self._head is None else min(COPIES, 240 // max(len(self._material.keypoints), 1))
        )

    def _embed_focus(self) -> bool:
        return self._embed_next([self._focus] if self._focus in set(self._material.frames) else [])

    def _embed_first(self) -> bool:
        """The frames that are suggested for soonest do not wait for folds."""
        return self._embed_next(
            [k for k in self._material.frames[:_FIRST] if k not in self._vectors]
        )

    def _embed_listed(self) -> bool:
        return self._embed_next([key for key in self._material.frames if key not in self._vectors])

    def _embed_films(self) -> bool:
        return self._embed_next([key for key in self._material.films if key not in self._vectors])

    def _embed_next(self, keys: Sequence[str]) -> bool:
        """Embeds the first of some frames, or of their copies, that is not yet."""
        for key in keys:
            source, _, copy = key.partition("\n")
            if key in self._dataset or source in self._lost:
                continue
            try:
                pixels = self._material.pixels(source)
            except (OSError, ValueError):
                self._lost.add(source)
                continue
            self._put(key, source, int(copy or 0), pixels)
            return True
        return False

    def _put(self, key: str, source: str, copy: int, pixels: np.ndarray) -> None:
        height, width = pixels.shape[:2]
        if self._embedder is None:
            self._begin(pixels)
        assert self._embedder is not None
        if copy:
            pixels = transform.apply(self._change(source, copy, height, width), pixels)
        found = self._embedder(pixels)
        if self._dataset.bytes > MEMORY:
            self._make_room()
        self._dataset.put(key, found)
        self._sizes[source] = (height, width)
        if not copy:
            self._vectors[source] = found.astype(np.float32).mean(axis=(0, 1))
            if self._head is not None and self._head.taught:
                self._suggest([source])

    def _begin(self, pixels: np.ndarray) -> None:
        """Chooses scale and dimensions by the first frames."""
        height, width = pixels.shape[:2]
        nan = float("nan")
        facts = self._facts() or LabelFacts(1, 1, 1, 1, height, width, nan, nan, nan, 0.0)
        self._config = recipe.resolved(self._config, recipe.of_features(self._config, facts))
        first = []
        step = max(len(self._material.frames) // SAMPLED, 1)
        for key in self._material.frames[::step][:SAMPLED]:
            try:
                first.append(self._material.pixels(key))
            except (OSError, ValueError):
                continue
        self._embedder = LiveEmbedder(BACKBONE, WEIGHTS, self._config.scale, first or [pixels])

    def _change(self, source: str, copy: int, height: int, width: int) -> transform.Copy:
        features = self._config.features
        ranges = transform.Ranges(
            180.0 if self._turned else 25.0,
            features.zoom,
            features.translation,
            features.contrast,
            features.blur,
        )
        return transform.draw(ranges, f"{source}:{copy}", height, width)

    @property
    def _turned(self) -> bool:
        facts = self._facts()
        return bool(facts and facts.turning > recipe.TURNING)

    def _facts(self) -> LabelFacts | None:
        known = [k for k in self._material.keypoints if k in self._sizes]
        if len(known) < LEAST:
            return None
        sizes = [self._sizes[key] for key in known]
        return label_facts.facts(
            np.stack([self._material.keypoints[key] for key in known]),
            [key.split("/")[0] for key in known],
            [height for height, _ in sizes],
            [width for _, width in sizes],
        )

    def _make_room(self) -> None:
        keep = set(self._material.keypoints) | {self._focus}
        keep |= {f"{key}\n{copy}" for key in keep for copy in range(1, COPIES + 1)}
        self._dataset.drop(keep)

    # Learning.

    def _records(self) -> list[LabelRecord]:
        """Labeled frames and copies that are embedded."""
        found = []
        for key, keypoints in self._material.keypoints.items():
            for copy in range(COPIES + 1):
                name = f"{key}\n{copy}" if copy else key
                if name not in self._dataset:
                    continue
                height, width = self._sizes[key]
                moved = keypoints
                if copy:
                    change = self._change(key, copy, height, width)
                    moved = transform.move(change, keypoints, height, width)
                found.append(self._record(name, key, copy, moved))
        return found

    def _record(self, name: str, key: str, copy: int, keypoints: np.ndarray) -> LabelRecord:
        height, width = self._sizes[key]
        video = key.split("/")[0]
        return LabelRecord(
            name, key, key, video, "", 0, "train", height, width, copy, keypoints, -1
        )

    def _shape(self, records: list[LabelRecord]) -> None:
        """Makes new heads where the labels have doubled: they suit another recipe by then."""
        import keras

        self._dataset.records = records
        facts = self._facts()
        assert facts is not None
        cell = recipe.STRIDE / self._config.scale
        config: Config = recipe.resolved(self._config, recipe.of_head(self._config, facts, cell))
        keras.utils.set_random_seed(0)
        self._head = LiveHead(config, self._dataset, seed=0)
        self._folds = [LiveHead(config, self._dataset, seed=1 + fold) for fold in range(FOLDS)]
        self._built_for = len(self._material.keypoints)
        self._heads_know, self._folds_know = {}, {}

    def _learn(self) -> bool:
        labels = {key: one for key, one in self._labels().items() if key in self._dataset}
        if len(labels) < LEAST:
            return False
        if self._head is None or len(labels) >= 2 * self._built_for:
            self._shape(self._records())
        assert self._head is not None
        if labels != self._heads_know:
            self._heads_know = labels
            self._head.begin()
        if not self._head.left:
            return False
        if self._head.learn(self._dataset_records()):
            self._stale = self._unlabeled()
            if self._focus in self._stale:
                self._stale.remove(self._focus)
                self._stale.insert(0, self._focus)
        return True

    def _dataset_records(self) -> list[LabelRecord]:
        self._dataset.records = self._records()
        return self._dataset.records

    def _unlabeled(self) -> list[str]:
        listed = [key for key in self._material.frames if key not in self._material.done]
        found = [*listed, *self._material.films]
        return [key for key in found if key in self._dataset]

    def _suggest_stale(self) -> bool:
        if not self._stale:
            return False
        some, self._stale = self._stale[:4], self._stale[4:]
        self._suggest([key for key in some if key in self._dataset])
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
        records = [self._record(key, key, 0, empty) for key in keys]
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
        apart = np.linalg.norm(predicted[..., :2] - labeled, axis=-1)
        if not np.isfinite(apart).any():
            return
        error, median = float(np.nanmean(apart)), float(np.nanmedian(apart))
        radius = cross_validation.radii(apart.reshape(-1, apart.shape[-1]))
        self._curve = [(n, e) for n, e in self._curve if n < len(frames)]
        self._curve.append((len(frames), error))
        listed = suggestions.doubts(frames, labeled, predicted, radius)
        self.news |= {
            "radius": [None if np.isnan(one) else round(float(one), 2) for one in radius],
            "doubts": [one._asdict() for one in listed],
            "curve": [(n, round(e, 2)) for n, e in self._curve],
            "promise": suggestions.promise(self._curve),
            "error_px": round(error, 2),
            "median_px": round(median, 2),
        }

    # What is told.

    def busy_with_suggestions(self, keys: Sequence[str]) -> bool:
        """Whether the head has labels to learn, or something to say of some frames."""
        head = self._head
        told = self._labels() == self._heads_know
        unseen = any(key not in self._vectors and key not in self._lost for key in keys)
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


def absent_done(
    keypoints: np.ndarray, absent: set[Point], points: Sequence[Point]
) -> tuple[bool, bool]:
    """Whether a frame has a label, and whether nothing of it is open."""
    labeled = [bool(np.isfinite(keypoints[point]).all()) for point in points]
    done = all(is_there or p in absent for is_there, p in zip(labeled, points, strict=True))
    return any(labeled), done
