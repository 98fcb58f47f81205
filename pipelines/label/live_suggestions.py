"""What the head of the loop says of frames that are to be labeled, and which of them come next."""

from collections.abc import Sequence

import numpy as np

from beampose.formats.deeplabcut.label_table import slots
from beampose.formats.deeplabcut.row_frames import Names
from beampose.pipelines.label import suggestions
from beampose.pipelines.label.live_frames import LiveFrames
from beampose.pipelines.label.live_heads import LiveHead
from beampose.preprocess.labels import SINGLE

# Frames of the list and of films that are proposed.
PROPOSED = 60
# Frames that are compared with each other at most.
_COMPARED = 800


class LiveSuggestions:
    """Suggestions and proposals for the frames of a project.

    Attributes:
      next: keys of the list in the order in which they are to be labeled.
      more: the same of frames of films.

    Args:
      names: of the project.
      frames: with their labels.
    """

    def __init__(self, names: Names, frames: LiveFrames):
        self._names, self._frames = names, frames
        self._points = slots(names)
        self._unsure: dict[str, float] = {}
        self.next: list[str] = []
        self.more: list[str] = []

    def of(self, head: LiveHead, keys: Sequence[str]) -> dict[str, list]:
        """Suggestions of those that are of the list, as the page takes them, by key.

        None of a bodypart that nobody labeled: a head says some place of it, and once that is
        accepted it learns to be sure.
        """
        names, frames = self._names, self._frames
        empty = np.full((len(names.individuals), len(names.bodyparts), 2), np.nan)
        predicted = head.predict([frames.record(key, key, 0, empty) for key in keys])
        listed, said, learned = set(frames.material.frames), {}, self._learned()
        for key, one in zip(keys, predicted, strict=True):
            self._unsure[key] = _doubtful(one, learned)
            if key in listed:
                said[key] = suggestions.plain(self._slotted(key, one), learned)
        return said

    def _learned(self) -> list[tuple[int, int]]:
        """Points whose bodypart is labeled somewhere."""
        there = np.zeros(len(self._names.bodyparts), bool)
        for one in self._frames.material.keypoints.values():
            there |= np.isfinite(one).all(axis=-1).any(axis=0)
        return [(i, b) for i, b in self._points if there[b]]

    def propose(self) -> None:
        """Puts frames in order, those of which something was said."""
        material, vectors = self._frames.material, self._frames.vectors
        known = [vectors[k] for k in material.keypoints if k in vectors]
        labeled = np.array(known).reshape(len(known), -1) if known else np.empty((0, 1))
        self.next = self._order(set(material.frames) - set(material.keypoints), labeled)
        self.more = self._order(set(material.films), labeled)

    def _order(self, wanted: set[str], labeled: np.ndarray) -> list[str]:
        vectors = self._frames.vectors
        keys = [k for k in self._unsure if k in vectors and k in wanted]
        if not keys:
            return []
        keys = keys[:: -(-len(keys) // _COMPARED)]
        candidates = np.array([vectors[k] for k in keys])
        unsure = np.array([self._unsure[k] for k in keys])
        return [keys[i] for i in suggestions.order(unsure, candidates, labeled, PROPOSED)]

    def _slotted(self, key: str, predicted: np.ndarray) -> np.ndarray:
        animals = len(self._names.individuals) - (SINGLE in self._names.individuals)
        if animals < 2:
            return predicted
        empty = np.full(predicted[..., :2].shape, np.nan)
        labeled = self._frames.material.keypoints.get(key, empty)
        return suggestions.by_slots(predicted, labeled, self._before(key), animals)

    def _before(self, key: str) -> np.ndarray | None:
        """Labels of the nearest labeled frame of the same folder, by the list."""
        material = self._frames.material
        folder = key.split("/")[0]
        own = [k for k in material.frames if k.split("/")[0] == folder]
        labeled = [i for i, k in enumerate(own) if k in material.keypoints and k != key]
        if not labeled or key not in own:
            return None
        place = own.index(key)
        return material.keypoints[own[min(labeled, key=lambda i: abs(i - place))]]


def _doubtful(predicted: np.ndarray, points: Sequence[tuple[int, int]]) -> float:
    """How unsure the head is of the points of a frame, 0 to 1."""
    if not points:
        return 1.0
    rows, columns = np.array(points).T
    likelihood = np.nan_to_num(predicted[rows, columns, 2])
    return float(1 - likelihood.mean())
