"""Detections of frame after frame to tracklets: who is where the last frames said they would be."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from beampose.pipelines.tracking import similarity
from beampose.pipelines.tracking.motion_filter import Kalman
from beampose.pipelines.tracking.similarity import KINDS

# Against the mean size seen so far: a detection of few points has at least this size.
_LEAST = 0.5
_WHOLE = 3
# How fast the size of an animal follows its detections.
_FOLLOWS = 0.1


@dataclass(frozen=True)
class Settings:
    """Settings for joining detections.

    Attributes:
      similarity: `skeleton`, `ellipse` or `box`; the first errs least (docs/animals.md).
      min_similarity: 0 to 1, below which a detection is not the animal's; None: the similarity's
        own (`similarity.KINDS`).
      max_age: frames an animal may be out of sight and stay the same tracklet.
      min_hits: detections a tracklet must have; one of fewer ends at the first frame without.
      longest: frames after which a tracklet is returned while it continues, to bound memory.
    """

    similarity: str = "skeleton"
    min_similarity: float | None = None
    max_age: int = 5
    min_hits: int = 1
    longest: int = 10_000

    def __post_init__(self):
        if self.similarity not in KINDS:
            known = ", ".join(KINDS)
            raise ValueError(f"similarity must be one of {known}. Received: {self.similarity!r}")
        if self.min_similarity is not None and not 0 < self.min_similarity <= 1:
            raise ValueError(
                f"min_similarity must be above 0 and at most 1. Received: {self.min_similarity}"
            )
        for name, least in (("max_age", 0), ("min_hits", 1), ("longest", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more. Received: {getattr(self, name)}")


class Tracklet(NamedTuple):
    """Detections that are surely of one animal.

    Attributes:
      id: a number; pieces of one tracklet share it.
      frames: int (n,), rising; a frame in which the animal was not seen is not there.
      keypoints: float64 (n, bodyparts, 3), x, y in source pixels, likelihood; NaN = missing.
      slots: int (n,), its place among the detections of each frame, by which more is found of it;
        None where tracklets were read from a file.
    """

    id: int
    frames: np.ndarray
    keypoints: np.ndarray
    slots: np.ndarray | None = None

    def part(self, which: np.ndarray) -> "Tracklet":
        """Some of its detections, by their places."""
        slots = None if self.slots is None else self.slots[which]
        return Tracklet(self.id, self.frames[which], self.keypoints[which], slots)


@dataclass
class _Live:
    id: int
    size: float
    frames: list[int] = field(default_factory=list)
    keypoints: list[np.ndarray] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    hits: int = 0
    age: int = 0

    def taken(self) -> Tracklet:
        """Returns the tracklet it held, and forgets it."""
        keypoints, slots = np.array(self.keypoints), np.array(self.slots)
        done = Tracklet(self.id, np.array(self.frames), keypoints, slots)
        self.frames, self.keypoints, self.slots = [], [], []
        return done


class Tracker:
    """Takes one frame after the other and hands out tracklets when they end.

    It holds the tracklets that live and nothing else, `longest` frames of each at most.

    Attributes:
      refused: tracklets of fewer than `min_hits` detections, which were not handed out.
    """

    def __init__(self, settings: Settings = Settings()):
        self._settings = settings
        self._kind = KINDS[settings.similarity]
        self._least = settings.min_similarity or self._kind.threshold
        self._live: list[_Live] = []
        self._kalman: Kalman | None = None
        self._bodyparts = 0
        self._next = 0
        self._frame = -1
        # Of the frame at hand: where each detection stood.
        self._slots = np.zeros(0, int)
        # Sizes of whole detections so far: their sum and count.
        self._sizes, self._whole = 0.0, 0
        self.refused = 0

    def update(self, detections: np.ndarray) -> list[Tracklet]:
        """The next frame, and the tracklets that ended before it.

        Args:
          detections: (individuals, bodyparts, 3), in any order and of any number; a row of NaN is
            no animal. Unique bodyparts (`single`) do not belong here.

        Raises:
          ValueError: another shape, or other bodyparts than the frame before had.
        """
        found, slots = self._checked(detections)
        self._frame += 1
        self._slots = slots
        filters = self._filters()
        points = found[..., :2]
        observed = self._kind.observe(points)
        extent = self._extent(points)
        filters.predict(np.array([one.age > 0 for one in self._live], bool))
        rows, columns = self._assign(observed, extent)
        self._see(rows, columns, found, observed, extent)
        ended = self._end()
        fresh = np.setdiff1d(np.arange(len(found)), columns)
        self._begin(fresh, found, observed, extent)
        return ended

    def finish(self) -> list[Tracklet]:
        """The tracklets that live: there are no more frames."""
        done, self._live = self._live, []
        self._filters().keep(np.zeros(len(done), bool))
        return self._handed(done)

    def _checked(self, detections: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Detections of an animal, and their places among those given."""
        found = np.array(detections, float)
        if found.ndim != 3 or found.shape[-1] != 3 or not found.shape[1]:
            raise ValueError(
                "detections must be (individuals, bodyparts, 3): x, y, likelihood. "
                f"Received: {found.shape}"
            )
        if self._kalman is None:
            self._bodyparts = found.shape[1]
        elif found.shape[1] != self._bodyparts:
            raise ValueError(
                f"frame {self._frame + 1}: detections have {found.shape[1]} bodyparts, those "
                f"before had {self._bodyparts}; begin another Tracker."
            )
        found[~np.isfinite(found[..., :2]).all(axis=-1)] = np.nan
        slots = np.flatnonzero(~np.isnan(found[..., 0]).all(axis=1))
        return found[slots], slots

    def _filters(self) -> Kalman:
        if self._kalman is None:
            self._kalman = Kalman(self._kind.noise(self._bodyparts))
        return self._kalman

    def _extent(self, points: np.ndarray) -> np.ndarray:
        """Sizes of detections, those of few points by what was seen so far."""
        extent = similarity.sizes(points)
        whole = (~np.isnan(points[..., 0])).sum(axis=1) >= min(_WHOLE, self._bodyparts)
        if self._bodyparts > 1:
            self._sizes += float(extent[whole].sum())
            self._whole += int(whole.sum())
        least = _LEAST * self._sizes / self._whole if self._sizes else similarity.ONE_POINT
        return np.maximum(extent, least)

    def _assign(self, observed: np.ndarray, extent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of live tracklets and the detections that continue them."""
        filters = self._filters()
        expected = np.array([one.size for one in self._live])
        like = self._kind.compare(filters.place, observed, expected, extent)
        like = np.where(like >= self._least, like, 0.0)
        rows, columns = linear_sum_assignment(like, maximize=True)
        fits = like[rows, columns] > 0
        return rows[fits], columns[fits]

    def _see(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        found: np.ndarray,
        observed: np.ndarray,
        extent: np.ndarray,
    ) -> None:
        filters, angle = self._filters(), self._kind.angle
        seen = observed[columns]
        if angle is not None:
            seen[:, angle] = similarity.turned(seen[:, angle], filters.place[rows, angle])
        filters.update(rows, seen)
        for one in self._live:
            one.age += 1
        for row, column in zip(rows, columns, strict=True):
            one = self._live[row]
            one.age = 0
            one.size += _FOLLOWS * (extent[column] - one.size)
            self._keep(one, found[column], column)

    def _keep(self, one: _Live, keypoints: np.ndarray, number: int) -> None:
        one.frames.append(self._frame)
        one.keypoints.append(keypoints)
        one.slots.append(int(self._slots[number]))
        one.hits += 1

    def _end(self) -> list[Tracklet]:
        def lives(one: _Live) -> bool:
            most = self._settings.max_age if one.hits >= self._settings.min_hits else 0
            return one.age <= most

        stay = np.array([lives(one) for one in self._live], bool)
        gone = [one for one, keep in zip(self._live, stay, strict=True) if not keep]
        self._live = [one for one, keep in zip(self._live, stay, strict=True) if keep]
        self._filters().keep(stay)
        long = [one for one in self._live if len(one.frames) >= self._settings.longest]
        return self._handed(gone) + [one.taken() for one in long]

    def _handed(self, gone: list[_Live]) -> list[Tracklet]:
        enough = [one for one in gone if one.hits >= self._settings.min_hits]
        self.refused += len(gone) - len(enough)
        return [one.taken() for one in enough if one.frames]

    def _begin(
        self, which: np.ndarray, found: np.ndarray, observed: np.ndarray, extent: np.ndarray
    ) -> None:
        scale = np.repeat(extent[which, None], observed.shape[1], axis=1)
        if self._kind.angle is not None:
            scale[:, self._kind.angle] = 1.0
        self._filters().add(observed[which], scale)
        for row in which:
            one = _Live(self._next, float(extent[row]))
            self._keep(one, found[row], row)
            self._live.append(one)
            self._next += 1


def track(frames: Iterable[np.ndarray], settings: Settings = Settings()) -> Iterator[Tracklet]:
    """Tracklets of all frames, each when it ends.

    Args:
      frames: of each (individuals, bodyparts, 3).
    """
    tracker = Tracker(settings)
    for detections in frames:
        yield from tracker.update(detections)
    yield from tracker.finish()
