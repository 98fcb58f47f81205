"""Follows one animal from batch to batch: which part of the next frames to look at.

A network's answer at a cell depends on the pixels around it, and hardly on those beyond `CONTEXT`
cells. So a window around the animal, whose cells are those of the whole frame, says the same as
the frame; where it may not, the whole frame is looked at.
"""

from typing import NamedTuple

import numpy as np

from beampose.trainer import cells
from beampose.trainer.model_calls import few

# Cells around the points of one batch that the window of the next one holds at least.
CONTEXT = 8
# An answer is trusted if it is at least so many cells inside the window.
TRUSTED = 5
# From one frame to the next a point may move by so many cells more than one moved before.
SUDDEN = 3
# Rows and columns of a window are multiples of it, so that the network meets few sizes.
STEP = 4
# Frames that share a window. It holds the way of the animal through all of them, and a call of the
# network on fewer costs hardly more a frame.
BATCH = 4
# Batches by windows between two by whole frames: an animal that was mistaken for another is found.
PERIOD = 64
# Batches by whole frames after one whose windows did not hold the animal, at most.
LONGEST_REST = 32


class Window(NamedTuple):
    """A part of a frame: its first row and column, and how many there are, in cells."""

    top: int
    left: int
    rows: int
    columns: int

    def inputs(self) -> dict[str, np.ndarray]:
        """As the signature of a model takes it."""
        corner = np.array([self.top, self.left], np.int32)
        return {"corner": corner, "cells": np.array([self.rows, self.columns], np.int32)}


class Following(NamedTuple):
    """Settings of looking at windows.

    Attributes:
      share: of the frame that a window may be; a larger one is no gain. 0 = whole frames always.
      cutoff: likelihood from which a bodypart counts as seen.
      margin: pixels of the frame around the points, beside the context.
      scale: of the model's features.
    """

    share: float
    cutoff: float
    margin: float
    scale: float


class Trust:
    """When whole frames are looked at although there are windows: once in a while, and for some
    batches after windows that did not hold what they should."""

    def __init__(self):
        self._since = 0
        self._rest = 0
        self._last_rest = 0

    def whole(self) -> bool:
        """Whether the next batch is looked at whole."""
        self._since += 1
        if self._since <= PERIOD and not self._rest:
            return False
        self._since, self._rest = 0, max(self._rest - 1, 0)
        return True

    def learn(self, failed: bool) -> None:
        """Takes whether windows failed in a batch."""
        self._last_rest = min(2 * self._last_rest + 1, LONGEST_REST) if failed else 0
        self._rest = self._last_rest


class Follower:
    """What is known of the animal in a range of frames, which come in order.

    Args:
      size: height and width of the frames.
    """

    def __init__(self, following: Following, size: tuple[int, int]):
        self.size = size
        self._following = following
        rows, columns = cells.grid(*size, following.scale)
        self._grid = np.array([columns, rows])
        # Width and height of a cell.
        self._cell = np.array([size[1], size[0]]) / self._grid
        self._window: Window | None = None
        # Of the frame before: which bodyparts were seen, where, or would be if they moved with the
        # others (NaN: they never were), and by how many cells one moved at most.
        self._seen: np.ndarray | None = None
        self._place: np.ndarray | None = None
        self._pace = 0.0
        self._trust = Trust()

    @property
    def lost(self) -> bool:
        """Whether the next frames are looked at whole because nobody knows where a window would
        be, and not only for once."""
        return self._window is None

    def window(self) -> Window | None:
        """Of the next batch; None to look at whole frames."""
        return None if self._trust.whole() else self._window

    def unsure(self, found: np.ndarray, window: Window) -> bool:
        """Whether the whole frame may say something else than its window said.

        Args:
          found: of the next frame, (bodyparts, 3 or more), x, y, likelihood.
        """
        seen = found[:, 2] >= self._following.cutoff
        if not seen.any() or self._seen is None or self._place is None:
            return True
        # A bodypart that is not seen any more may have left the window. One that was not seen
        # before, or is somewhere else of a sudden, may be another thing than the frame shows.
        if (seen != self._seen).any() or self._moves(found, seen).max() > SUDDEN + self._pace:
            return True
        place = found[seen, :2] / self._cell
        low = np.array([window.left, window.top])
        high = low + [window.columns, window.rows]
        # At an edge of the frame itself there is nothing beyond.
        left_out = (low > 0) & (place < low + TRUSTED)
        right_out = (high < self._grid) & (place > high - TRUSTED)
        return bool((left_out | right_out).any())

    def saw(self, found: np.ndarray) -> None:
        """Notes what is finally known of the next frame, as of `unsure`."""
        seen = found[:, 2] >= self._following.cutoff
        if self._place is None or self._seen is None:
            self._place = np.full((len(found), 2), np.nan)
        else:
            self._pace = float(self._moves(found, seen).max())
            both = seen & self._seen
            if both.any():
                self._place += np.median(found[both, :2] - self._place[both], axis=0)
        self._place[seen] = found[seen, :2]
        self._seen = seen

    def _moves(self, found: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Cells by which each bodypart moved since the frame before; 0 where it is not known."""
        assert self._place is not None and self._seen is not None
        moved = (np.abs(found[:, :2] - self._place) / self._cell).max(axis=1)
        return np.where(seen & self._seen, moved, 0.0)

    def follow(self, found: np.ndarray, window: Window | None, unsure: int = 0) -> None:
        """Places the next window.

        Args:
          found: of a batch, (frames, bodyparts, 3 or more).
          window: that the batch was looked at by, if it was.
          unsure: frames of the batch that were looked at again.
        """
        if window is not None:
            self._trust.learn(2 * unsure > len(found))
        self._window = self._around(found)

    def _around(self, found: np.ndarray) -> Window | None:
        points = np.where(found[..., 2:3] >= self._following.cutoff, found[..., :2], np.nan)
        known = points[np.isfinite(points).all(axis=-1)]
        hidden = self._place
        # Where a bodypart that was never seen would appear, nobody knows.
        if hidden is None or not np.isfinite(hidden).all() or not np.isfinite(points[-1]).any():
            return None
        known = np.concatenate([known, hidden])
        # As far as a point moved in this batch, it may move in the next.
        moved = np.abs(points - points[-1])
        motion = np.nanmax(np.where(np.isfinite(moved), moved, 0.0), axis=(0, 1))
        around = CONTEXT + (motion + self._following.margin) / self._cell
        low = np.maximum(known.min(axis=0) / self._cell - around, 0)
        high = np.minimum(known.max(axis=0) / self._cell + around, self._grid)
        sides = np.minimum(STEP * np.ceil((high - low) / STEP).astype(int), self._grid)
        # Grids and steps are even, and so are windows and their corners.
        middle = (low + high - sides) / 2
        first = np.clip(
            cells.PAIR * np.round(middle / cells.PAIR).astype(int), 0, self._grid - sides
        )
        if sides.prod() > self._following.share * self._grid.prod():
            return None
        return Window(int(first[1]), int(first[0]), int(sides[1]), int(sides[0]))


def whole_batch(count: int, batch_size: int, *, follows: bool) -> int:
    """Frames that `count` whole ones, at most `batch_size`, are filled up to.

    Where windows follow, one of two sizes, so that the network meets few. Else photographs may all
    have sizes of their own.
    """
    if not follows:
        return few(count, batch_size)
    shared = min(BATCH, batch_size)
    return shared if count <= shared else batch_size
