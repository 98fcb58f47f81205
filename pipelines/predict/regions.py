"""Follows several animals from batch to batch: which parts of the next frames to look at.

As of one animal (`follow`), a window whose cells are those of the whole frame says the same as the
frame. Nobody knows how many animals there are; but where pixels are as they were when they were
last looked at, nobody came.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from beampose.pipelines.predict.follow import CONTEXT, STEP, TRUSTED, Following, Trust, Window
from beampose.trainer import cells

# Gray levels by which the mean of a cell changes where something came; or so many times by what
# cells change without, if that is more.
CHANGE, NOISE = 5.0, 8.0
# Windows of a frame at most: each is a call of the network.
MOST = 12


class Box(NamedTuple):
    """Where an animal is, in cells: the least and the largest column and row of its points."""

    left: float
    top: float
    right: float
    bottom: float


class Regions:
    """What is known of the animals in a range of frames, which come in order.

    Args:
      size: height and width of the frames.
    """

    def __init__(self, following: Following, size: tuple[int, int]):
        self.size = size
        self._following = following
        self._rows, self._columns = cells.grid(*size, following.scale)
        self._trust = Trust()
        self._windows: list[Window] | None = None
        self._count = 0
        # Of each cell its gray level when it was last looked at.
        self._known: np.ndarray | None = None

    @property
    def lost(self) -> bool:
        """As `follow.Follower.lost`."""
        return self._windows is None

    def windows(self) -> list[Window] | None:
        """Of the next batch, apart from each other; None to look at whole frames."""
        return None if self._trust.whole() else self._windows

    def levels(self, frame: np.ndarray) -> np.ndarray:
        """Mean gray level of each cell of a frame (height, width, 3)."""
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        area = cv2.resize(gray, (self._columns, self._rows), interpolation=cv2.INTER_AREA)
        return area.astype(np.float32)

    def boxes(self, keypoints: np.ndarray) -> list[Box]:
        """Of the animals of a frame, (individuals, bodyparts, 2 or more), NaN = not found."""
        height, width = self.size
        cell = np.array([width / self._columns, height / self._rows])
        found = []
        for points in keypoints[..., :2]:
            known = points[np.isfinite(points).all(axis=-1)] / cell
            if len(known):
                found.append(Box(*known.min(axis=0), *known.max(axis=0)))
        return found

    def unsure(self, boxes: Sequence[Box], levels: np.ndarray, windows: Sequence[Window]) -> bool:
        """Whether the whole frame may say something else than its windows said."""
        if len(boxes) != self._count:
            return True
        if not all(any(self._holds(window, box) for window in windows) for box in boxes):
            return True
        return self._changed(levels, windows)

    def saw(
        self, boxes: Sequence[Box], levels: np.ndarray, windows: Sequence[Window] | None
    ) -> None:
        """Notes what is finally known of the next frame.

        Args:
          windows: that said so; None if the whole frame did.
        """
        self._count = len(boxes)
        if windows is None or self._known is None:
            self._known = levels
            return
        for one in windows:
            place = np.s_[one.top : one.top + one.rows, one.left : one.left + one.columns]
            self._known[place] = levels[place]

    def follow(self, batch: Sequence[Sequence[Box]], by_windows: bool, unsure: int = 0) -> None:
        """Places the next windows.

        Args:
          batch: boxes of its frames.
          by_windows: whether the batch was looked at by windows.
          unsure: frames of the batch that were looked at again.
        """
        if by_windows:
            self._trust.learn(2 * unsure > len(batch))
        self._windows = self._around(batch)

    def _holds(self, window: Window, box: Box) -> bool:
        """Whether a box lies inside, and not near an edge beyond which the frame goes on."""
        right, bottom = window.left + window.columns, window.top + window.rows
        return (
            (window.left == 0 or box.left >= window.left + TRUSTED)
            and (window.top == 0 or box.top >= window.top + TRUSTED)
            and (right == self._columns or box.right <= right - TRUSTED)
            and (bottom == self._rows or box.bottom <= bottom - TRUSTED)
        )

    def _changed(self, levels: np.ndarray, windows: Sequence[Window]) -> bool:
        outside = np.ones((self._rows, self._columns), bool)
        for one in windows:
            outside[one.top : one.top + one.rows, one.left : one.left + one.columns] = False
        if self._known is None:
            return True
        change = (levels - self._known)[outside]
        if not change.size:
            return False
        # Light that changes everywhere brings nobody.
        change = np.abs(change - np.median(change))
        return bool(change.max() > max(CHANGE, NOISE * float(np.median(change))))

    def _around(self, batch: Sequence[Sequence[Box]]) -> list[Window] | None:
        first, last = np.array(batch[0]), np.array(batch[-1])
        if not len(first) or not len(last):
            return None
        # As far as an animal moved in this batch, it may move in the next.
        middle = [one.reshape(-1, 2, 2).mean(axis=1) for one in (first, last)]
        away = np.linalg.norm(middle[1][:, None] - middle[0], axis=-1).min(axis=1)
        around = (CONTEXT + self._margin + away)[:, None]
        wanted = np.concatenate([last[:, :2] - around, last[:, 2:] + around], axis=1)
        found = _apart([self._even(one) for one in wanted], self._even)
        share = sum(one.rows * one.columns for one in found) / (self._rows * self._columns)
        return found if share <= self._following.share and len(found) <= MOST else None

    @property
    def _margin(self) -> float:
        return self._following.margin * self._columns / self.size[1]

    def _even(self, box: Sequence[float] | np.ndarray) -> Window:
        """The window in the frame that holds a box: grids, corners and sides are even."""
        grid = np.array([self._columns, self._rows])
        low, high = np.maximum(box[:2], 0), np.minimum(box[2:], grid)
        sides = np.minimum(STEP * np.ceil((high - low) / STEP).astype(int), grid)
        middle = (low + high - sides) / 2
        first = cells.PAIR * np.round(middle / cells.PAIR).astype(int)
        left, top = np.clip(first, 0, grid - sides)
        return Window(int(top), int(left), int(sides[1]), int(sides[0]))


def _apart(windows: list[Window], even: Callable[[Sequence[float]], Window]) -> list[Window]:
    """Windows that hold the same and do not touch each other."""
    found: list[Window] = []
    waiting = list(windows)
    while waiting:
        one = waiting.pop()
        near = next((other for other in found if _touch(one, other)), None)
        if near is None:
            found.append(one)
            continue
        found.remove(near)
        left, top = min(one.left, near.left), min(one.top, near.top)
        right = max(one.left + one.columns, near.left + near.columns)
        bottom = max(one.top + one.rows, near.top + near.rows)
        waiting.append(even((left, top, right, bottom)))
    return sorted(found)


def _touch(one: Window, other: Window) -> bool:
    return (
        one.left <= other.left + other.columns
        and other.left <= one.left + one.columns
        and one.top <= other.top + other.rows
        and other.top <= one.top + one.rows
    )


def joined(parts: Sequence[dict[str, np.ndarray]], edges: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs of a frame's windows as those of a whole frame: of each bodypart the highest peaks.

    Args:
      parts: outputs of each window for the frame, see `trainer.tasks.animals_model`.
      edges: int (edges, 2), indices of bodyparts.
    """
    count = parts[0]["likelihood"].shape[-1]
    likelihood = np.concatenate([one["likelihood"] for one in parts], axis=1)
    order = np.argsort(-likelihood, axis=1, kind="stable")[:, :count]
    found = {}
    for name in parts[0]:
        if name != "edge_costs":
            all_of = np.concatenate([one[name] for one in parts], axis=1)
            index = order.reshape(order.shape + (1,) * (all_of.ndim - 2))
            found[name] = np.take_along_axis(all_of, index, axis=1)
    window, peak = order // count, order % count
    costs = np.stack([one["edge_costs"] for one in parts])
    # What lies in two windows is of two animals.
    found["edge_costs"] = np.zeros_like(costs[0])
    for i, (a, b) in enumerate(edges):
        same = window[a][:, None] == window[b]
        links = costs[window[a][:, None], i, peak[a][:, None], peak[b]]
        found["edge_costs"][i] = np.where(same, links, 0.0)
    return found
