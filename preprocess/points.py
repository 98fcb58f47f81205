"""Points in space: what several cameras saw of animals, frame by frame."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from beampose.core.wording import counted

if TYPE_CHECKING:
    import pandas as pd

LEVELS = ("scorer", "bodyparts", "coords")
LEVELS_OF_SEVERAL = ("scorer", "individuals", "bodyparts", "coords")
COORDS = ("x", "y", "z")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Points:
    """Points in space of the frames of a recording.

    Attributes:
      places: float64 (frames, individuals, bodyparts, 3), x, y, z in the unit of the calibration;
        NaN where fewer than two views hold.
      radius: float64 (frames, individuals, bodyparts), holds the error with a probability of 0.9.
      error: float64, likewise: pixels from what the views saw to where they would see the point,
        the mean of those used.
      views: int64, likewise: how many were used.
      score: float64, likewise: mean likelihood of the views used.
      frames: int64 (frames,), numbers in the first view's video.
      individuals: names of the second axis; ("",) of one animal.
      bodyparts: names of the third axis.
      scorer: of the predictions.
    """

    places: np.ndarray
    radius: np.ndarray
    error: np.ndarray
    views: np.ndarray
    score: np.ndarray
    frames: np.ndarray
    individuals: tuple[str, ...]
    bodyparts: tuple[str, ...]
    scorer: str

    @property
    def several(self) -> bool:
        return self.individuals != ("",)

    @property
    def found(self) -> np.ndarray:
        """(frames, individuals, bodyparts), where there is a point."""
        return np.asarray(np.all(np.isfinite(self.places), axis=-1))

    def to_pandas(self) -> "pd.DataFrame":
        """DeepLabCut's table: a row a frame, columns scorer (individuals) bodyparts coords."""
        import pandas as pd

        names = [
            (self.scorer, *([one] if self.several else []), part, coord)
            for one in self.individuals
            for part in self.bodyparts
            for coord in COORDS
        ]
        levels = LEVELS_OF_SEVERAL if self.several else LEVELS
        return pd.DataFrame(
            self.places.reshape(len(self.frames), -1),
            columns=pd.MultiIndex.from_tuples(names, names=levels),
            index=self.frames,
        )

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        animals = f"{counted(len(self.individuals), 'individual')}, " if self.several else ""
        share = float(self.found.mean()) if self.found.size else 0.0
        return (
            f"<Points: {counted(len(self), 'frame')}, "
            f"{animals}{counted(len(self.bodyparts), 'bodypart')}, "
            f"{share:.0%} of points found>"
        )

    def _repr_html_(self) -> str:
        from html import escape

        table = self.to_pandas().head(5).to_html(float_format="%.2f")
        return f"{table}<pre>{escape(repr(self))}</pre>"
