"""Frames while a person labels them: embedded one by one, with turned copies, joined to labels."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core.settings import experiment
from beampose.formats.deeplabcut.label_table import Point
from beampose.formats.deeplabcut.row_frames import Names
from beampose.pipelines.label.live_features import SAMPLED, LiveDataset, LiveEmbedder
from beampose.preprocess import transform
from beampose.trainer import label_facts, recipe
from beampose.trainer.label_facts import LabelFacts
from beampose.trainer.schema import LabelRecord

BACKBONE, WEIGHTS = "resnet_compact", "builtin"
# Labeled frames from which on a head learns, and suggests; and that it learns from at most: these
# bound memory and the seconds of a round.
LEARN, LEAST, MOST_LABELED = 3, 6, 400
# Scaled pixels of a frame: a person waits for each.
MOST_PIXELS = 2_500_000
# Another scale is taken, and all frames are embedded anew, only if it is this factor away: the
# first labels are followed as they are.
FAR_SCALE = 1.9
# Turned copies of each labeled frame; fewer where there are many.
COPIES = 4
# Bytes of maps in memory; frames beyond are embedded, judged and forgotten.
MEMORY = 600 << 20


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


class LiveFrames:
    """Maps of frames and of their copies, and the labels of those.

    Attributes:
      material: frames and labels as they are now.
      focus: key of the frame that a person sees.
      dataset: the maps.
      config: of the experiment, its features chosen with the first frame.
      vectors: (dims,) of each frame that was seen.
      lost: frames that cannot be read.

    Args:
      names, edges: of the project.
    """

    def __init__(self, names: Names, edges: Sequence[tuple[str, str]]):
        self.dataset = LiveDataset(names, edges)
        self._plain = experiment.from_values(
            {
                "task": "pose",
                "source": {"format": "deeplabcut", "path": "."},
                "features": {"backbone": BACKBONE, "weights": WEIGHTS},
                # How long a head learns is decided by the person who looks on.
                "train": {"steps": 1},
                "output": "live",
            },
            "live.yaml",
        )
        self.config = self._plain
        self.material = Material((), {}, frozenset(), (), lambda key: np.empty(0))
        self.focus = ""
        self.vectors: dict[str, np.ndarray] = {}
        self.lost: set[str] = set()
        self._embedder: LiveEmbedder | None = None
        self._fitted = False
        self._sizes: dict[str, tuple[int, int]] = {}
        self._changes: dict[str, transform.Copy] = {}

    def know(self, material: Material) -> None:
        """Takes frames and labels as they are now."""
        known = sorted(material.keypoints, key=_rank)[:MOST_LABELED]
        kept = {key: material.keypoints[key] for key in known}
        # A film that came back, or an image that was written again, is tried anew.
        self.lost -= {*material.frames, *material.films} - {
            *self.material.frames,
            *self.material.films,
        }
        self.material = material._replace(keypoints=kept)

    def labels(self) -> dict[str, bytes]:
        """What tells the labels of one moment from those of another."""
        return {key: one.tobytes() for key, one in self.material.keypoints.items()}

    def copies(self) -> list[str]:
        """Names of the copies of labeled frames, those of all frames first that come first."""
        wanted = [key for key in self.material.keypoints if key in self.dataset]
        many = min(COPIES, 240 // max(len(wanted), 1))
        return [f"{key}\n{copy}" for copy in range(1, many + 1) for key in wanted]

    def embed(self, keys: Sequence[str]) -> str | None:
        """Embeds the first of some frames, or of their copies, that is not yet. Returns which."""
        for key in keys:
            source, _, copy = key.partition("\n")
            if key in self.dataset or source in self.lost:
                continue
            try:
                pixels = self.material.pixels(source)
            except (OSError, ValueError):
                self.lost.add(source)
                continue
            self._put(key, source, int(copy or 0), pixels)
            return key
        return None

    def _put(self, key: str, source: str, copy: int, pixels: np.ndarray) -> None:
        height, width = pixels.shape[:2]
        if self._embedder is None:
            self._begin(pixels)
        assert self._embedder is not None
        if copy:
            # Kept: what is drawn depends on the labels of the moment.
            self._changes[key] = self._change(source, copy, height, width)
            pixels = transform.apply(self._changes[key], pixels)
        found = self._embedder(pixels)
        if self.dataset.bytes > MEMORY:
            self._make_room()
        self.dataset.put(key, found)
        self._sizes[source] = (height, width)
        if not copy:
            self.vectors[source] = found.astype(np.float32).mean(axis=(0, 1))

    def fit(self) -> bool:
        """Chooses the scale by the labels. True: another one, for which nothing is embedded yet."""
        facts = self.facts()
        if facts is None or self._embedder is None:
            return False
        chosen = recipe.of_features(self._plain, facts, MOST_PIXELS)
        old, new = self.config.scale, recipe.resolved(self._plain, chosen).scale
        apart = max(old, new) / min(old, new)
        if apart == 1 or (self._fitted and apart < FAR_SCALE):
            self._fitted = True
            return False
        self._fitted = True
        self.config = recipe.resolved(self._plain, chosen)
        self._embedder = None
        self.dataset.drop(set())
        self.vectors, self._changes = {}, {}
        return True

    def _begin(self, pixels: np.ndarray) -> None:
        """Chooses dimensions by the first frames; and the scale, where no labels have."""
        if not self._fitted:
            height, width = pixels.shape[:2]
            nan = float("nan")
            facts = LabelFacts(1, 1, 1, 1, height, width, nan, nan, nan, nan)
            self.config = recipe.resolved(
                self._plain, recipe.of_features(self._plain, facts, MOST_PIXELS)
            )
        first = []
        step = max(len(self.material.frames) // SAMPLED, 1)
        for key in self.material.frames[::step][:SAMPLED]:
            try:
                first.append(self.material.pixels(key))
            except (OSError, ValueError):
                continue
        self._embedder = LiveEmbedder(BACKBONE, WEIGHTS, self.config.scale, first or [pixels])

    def _change(self, source: str, copy: int, height: int, width: int) -> transform.Copy:
        features = self.config.features
        ranges = transform.Ranges(
            180.0 if self._turned else 25.0,
            features.zoom,
            features.translation,
            features.contrast,
            features.blur,
        )
        seen = transform.whole(height, width)
        return transform.draw(ranges, f"{source}:{copy}", seen)

    @property
    def _turned(self) -> bool:
        facts = self.facts()
        return bool(facts and facts.turning > recipe.TURNING)

    def facts(self) -> LabelFacts | None:
        """Facts of the labels of frames that were seen; None of too few."""
        known = [k for k in self.material.keypoints if k in self._sizes]
        if len(known) < LEARN:
            return None
        sizes = [self._sizes[key] for key in known]
        return label_facts.facts(
            np.stack([self.material.keypoints[key] for key in known]),
            [key.split("/")[0] for key in known],
            [height for height, _ in sizes],
            [width for _, width in sizes],
        )

    def _make_room(self) -> None:
        keep = set(self.material.keypoints) | {self.focus}
        keep |= {f"{key}\n{copy}" for key in keep for copy in range(1, COPIES + 1)}
        self.dataset.drop(keep)

    def records(self) -> list[LabelRecord]:
        """Labeled frames and copies that are embedded."""
        found = []
        for key, keypoints in self.material.keypoints.items():
            for copy in range(COPIES + 1):
                name = f"{key}\n{copy}" if copy else key
                if name not in self.dataset:
                    continue
                moved = keypoints
                if copy:
                    moved = transform.move(self._changes[name], keypoints)
                found.append(self.record(name, key, copy, moved))
        return found

    def record(self, name: str, key: str, copy: int, keypoints: np.ndarray) -> LabelRecord:
        """A frame or a copy of it as a task reads it."""
        height, width = self._sizes[key]
        video = key.split("/")[0]
        return LabelRecord(
            name, key, key, video, "", 0, "train", height, width, copy, keypoints, -1
        )


def _rank(key: str) -> bytes:
    """A place of a frame that no other frame changes."""
    return hashlib.sha256(key.encode()).digest()


def absent_done(
    keypoints: np.ndarray, absent: set[Point], points: Sequence[Point]
) -> tuple[bool, bool]:
    """Whether a frame has a label, and whether nothing of it is open."""
    labeled = [bool(np.isfinite(keypoints[point]).all()) for point in points]
    done = all(is_there or p in absent for is_there, p in zip(labeled, points, strict=True))
    return any(labeled), done
