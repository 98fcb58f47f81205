"""Predicted keypoints of frames, as arrays and as DeepLabCut's table."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from beampose.core import files
from beampose.core.wording import counted

if TYPE_CHECKING:
    import pandas as pd

# As labels call the animal of a project that has one.
ONE = "individual1"
_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False, match_args=False)
class Predictions:
    """Keypoints that a model found.

    Attributes:
      keypoints: float64 (frames, individuals, bodyparts, 2), x then y in pixels of the frame; NaN =
        not found.
      likelihood: float64 (frames, individuals, bodyparts), 0 to 1; NaN = not found.
      frames: int64 (frames,), numbers of the frames in their video, from 0.
      individuals: names of the second axis; of one animal individual1. Bodyparts of the scene and
        not of an animal belong to the individual `single`.
      bodyparts: names of the third axis.
      scorer: of the model, as in the names of files.
      several: whether the table has a level of individuals.
      unique_bodyparts: those of the bodyparts that belong to `single`.
      names: of images that were predicted instead of a video.
    """

    keypoints: np.ndarray
    likelihood: np.ndarray
    frames: np.ndarray
    individuals: tuple[str, ...]
    bodyparts: tuple[str, ...]
    scorer: str
    several: bool = False
    unique_bodyparts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def to_pandas(self) -> "pd.DataFrame":
        """The table as DeepLabCut has it.

        Returns:
          A row a frame. The levels of its columns are scorer, individuals (of several animals),
          bodyparts and coords: x, y, likelihood.
        """
        import pandas as pd

        places = [
            (i, b)
            for i, individual in enumerate(self.individuals)
            for b, bodypart in enumerate(self.bodyparts)
            if (bodypart in self.unique_bodyparts) == (individual == "single")
        ]
        columns = [
            (
                self.scorer,
                *([self.individuals[i]] if self.several else []),
                self.bodyparts[b],
                coord,
            )
            for i, b in places
            for coord in ("x", "y", "likelihood")
        ]
        levels = ["scorer", *(["individuals"] if self.several else []), "bodyparts", "coords"]
        values = np.concatenate([self.keypoints, self.likelihood[..., None]], axis=-1)
        chosen = values[:, [i for i, _ in places], [b for _, b in places]]
        return pd.DataFrame(
            chosen.reshape(len(self.frames), len(columns)),
            columns=pd.MultiIndex.from_tuples(columns, names=levels),
            index=list(self.names) or self.frames,
        )

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        animals = f"{counted(len(self.individuals), 'individual')}, " if self.several else ""
        found = float((~np.isnan(self.keypoints[..., 0])).mean()) if self.keypoints.size else 0.0
        return (
            f"<Predictions: {counted(len(self), 'frame')}, "
            f"{animals}{counted(len(self.bodyparts), 'bodypart')}, "
            f"{found:.0%} of points found, scorer {self.scorer}>"
        )

    def _repr_html_(self) -> str:
        from html import escape

        table = self.to_pandas().head(_SHOWN).to_html(float_format="%.2f")
        return f"{table}<pre>{escape(repr(self))}</pre>"


def read(path: str) -> Predictions:
    """Reads a file of predictions; see `beampose.load_predictions`."""
    from beampose.formats import individuals_file
    from beampose.formats.deeplabcut import prediction_tables

    if path.endswith(individuals_file.ENDING):
        return _individuals(path.removesuffix(individuals_file.ENDING))
    if files.suffix(path) == ".parquet":
        raise ValueError(
            f"{path} is a table of Parquet, as those with the boxes of a crop model, and holds no "
            "keypoints. Read it with pandas.read_parquet."
        )
    table = prediction_tables.read(path)
    several = table.individuals != [""]
    bodyparts, individuals = table.bodyparts, table.individuals
    values = np.full((len(table.rows), len(individuals), len(bodyparts), 3), np.nan)
    rows = [individuals.index(individual) for individual, _ in table.points]
    columns = [bodyparts.index(bodypart) for _, bodypart in table.points]
    values[:, rows, columns] = table.values
    return Predictions(
        keypoints=values[..., :2],
        likelihood=values[..., 2],
        frames=table.frames,
        individuals=tuple(individuals) if several else (ONE,),
        bodyparts=tuple(bodyparts),
        scorer=table.scorer,
        several=several,
        unique_bodyparts=tuple(b for i, b in table.points if i == "single"),
        names=() if table.rows.dtype.kind in "iu" else tuple(map(str, table.rows)),
    )


def _individuals(stem: str) -> Predictions:
    from beampose.formats import individuals_file

    with individuals_file.read(stem) as held:
        head, animals, single = held.head, held.whole("keypoints"), held.whole("single")
        frames = held.whole("frames")
    unique = tuple(head.unique)
    values = np.pad(
        animals.astype(np.float64),
        ((0, 0), (0, bool(unique)), (0, len(unique)), (0, 0)),
        constant_values=np.nan,
    )
    if unique:
        values[:, -1, len(head.bodyparts) :] = single
    return Predictions(
        keypoints=values[..., :2],
        likelihood=values[..., 2],
        frames=frames,
        individuals=(*head.individuals, *(["single"] if unique else [])),
        bodyparts=(*head.bodyparts, *unique),
        scorer=head.scorer,
        several=True,
        unique_bodyparts=unique,
    )
