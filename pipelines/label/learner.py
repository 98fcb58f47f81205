"""The model in the loop, as the desk sees it: told of labels, asked for suggestions."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from beampose.formats.deeplabcut.label_table import Point
from beampose.pipelines.label.shown_frames import FolderFilm

Labeled = Mapping[str, tuple[np.ndarray, set[Point]]]


class Learner(Protocol):
    """What the desk asks of a model that learns beside it; every call returns at once."""

    def know(self, paths: Mapping[str, str], labeled: Labeled) -> None:
        """Tells all frames by key, and the labels of those that have any."""
        ...

    def films(self, found: Mapping[str, FolderFilm]) -> None:
        """Tells the films of folders, frames of which may be proposed."""
        ...

    def look_at(self, frame: str) -> None:
        """Tells which frame a person sees: it is suggested for first."""
        ...

    def news(self, version: int) -> dict[str, Any]:
        """What changed since a version: suggestions, doubts, what to label next, figures."""
        ...

    def choose(self, count: int) -> dict[str, list[int]]:
        """Frames of films by folder that teach most; empty if that is not known yet."""
        ...

    def close(self) -> None: ...


class NoLearner:
    """Stands where no model learns.

    Args:
      why: the reason, for the page.
    """

    def __init__(self, why: str):
        self._why = why

    def know(self, paths: Mapping[str, str], labeled: Labeled) -> None:
        pass

    def films(self, found: Mapping[str, FolderFilm]) -> None:
        pass

    def look_at(self, frame: str) -> None:
        pass

    def news(self, version: int) -> dict[str, Any]:
        return {"version": version, "model": {"state": "off", "text": self._why}}

    def choose(self, count: int) -> dict[str, list[int]]:
        return {}

    def close(self) -> None:
        pass
