"""Peaks to animals, one bodypart after the other: the search inside `assemble`; NumPy, SciPy."""

import numpy as np
from scipy.optimize import linear_sum_assignment

# Times at most that every bodypart is matched again to all others, after the first.
SWEEPS = 2


class Animals:
    """Animals in the making. `members` (animals, bodyparts) holds numbers of peaks, -1 = none.

    Args:
      links: (peaks, peaks), symmetric.
      parts: (peaks,), the bodypart of each.
    """

    def __init__(self, links: np.ndarray, parts: np.ndarray, bodyparts: int):
        self._links = links
        self._of = [np.flatnonzero(parts == part) for part in range(bodyparts)]
        # A peak may always begin an animal of its own: no more rows than peaks are needed.
        self._all = np.full((len(parts), bodyparts), -1)
        # What each animal says of each peak: the sum of links from its members.
        self._support = np.zeros_like(links)
        self._count = 0

    @property
    def members(self) -> np.ndarray:
        return self._all[: self._count]

    def build(self, most: int, likelihood: np.ndarray) -> None:
        """Makes the animals, joining fragments among the `most` best.

        Args:
          likelihood: (peaks,).
        """
        order = self._order(likelihood)
        for part in order:
            self._match(part)
        for _ in range(SWEEPS):
            before = self.members.copy()
            for part in order:
                self._match(part)
            self._join(most, likelihood)
            if np.array_equal(before, self.members):
                break

    def _order(self, likelihood: np.ndarray) -> list[int]:
        """Bodyparts with peaks: the most certain first, then by links to earlier ones."""
        left = [part for part, peaks in enumerate(self._of) if len(peaks)]
        total = np.array([likelihood[peaks].sum() for peaks in self._of])
        joined = np.zeros(len(self._of))
        found: list[int] = []
        while left:
            nxt = max(left, key=lambda part: (joined[part], total[part]))
            left.remove(nxt)
            found.append(nxt)
            near = np.maximum(self._links[self._of[nxt]].max(axis=0), 0.0)
            joined += [near[peaks].max() if len(peaks) else 0.0 for peaks in self._of]
        return found

    def _match(self, part: int) -> None:
        """Gives each peak of a bodypart to the animal it fits, or lets it begin one."""
        peaks = self._of[part]
        rows = np.flatnonzero(self.members[:, part] >= 0)
        self._support[rows] -= self._links[self._all[rows, part]]
        self._all[rows, part] = -1
        self._drop_empty()
        score = self._support[: self._count, peaks]
        rows, columns = linear_sum_assignment(np.maximum(score, 0.0), maximize=True)
        fits = score[rows, columns] > 0
        self._all[rows[fits], part] = peaks[columns[fits]]
        self._support[rows[fits]] += self._links[peaks[columns[fits]]]
        free = np.ones(len(peaks), bool)
        free[columns[fits]] = False
        alone = peaks[free]
        fresh = slice(self._count, self._count + len(alone))
        self._all[fresh] = -1
        self._all[fresh, part] = alone
        self._support[fresh] = self._links[alone]
        self._count += len(alone)

    def _drop_empty(self) -> None:
        full = np.flatnonzero((self.members >= 0).any(axis=1))
        if len(full) < self._count:
            self._all[: len(full)] = self._all[full]
            self._support[: len(full)] = self._support[full]
            self._count = len(full)

    def _join(self, most: int, likelihood: np.ndarray) -> None:
        """Joins fragments that share no bodypart, those with the strongest links first."""
        weight = np.where(self.members >= 0, likelihood[self.members], 0.0).sum(axis=1)
        rows = np.argsort(-weight, kind="stable")[:most]
        while len(rows) > 1:
            held = self._all[rows] >= 0
            support = self._support[rows][:, self._all[rows]]
            together = np.where(held, support, 0.0).sum(axis=2)
            shared = held.astype(int) @ held.T.astype(int)
            together[shared > 0] = -np.inf
            a, b = np.unravel_index(int(together.argmax()), together.shape)
            if together[a, b] <= 0:
                break
            keep, gone = rows[a], rows[b]
            self._all[keep] = np.maximum(self._all[keep], self._all[gone])
            self._support[keep] += self._support[gone]
            self._all[gone], self._support[gone] = -1, 0.0
            rows = np.delete(rows, b)
        self._drop_empty()
