"""The data model: labeled frames, labeled crops, and what is wrong with them."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from beampose.core.wording import counted
from beampose.preprocess.cut import Rule
from beampose.preprocess.film_paths import FilmPath

if TYPE_CHECKING:
    import pandas as pd

# Of a label file that was listed and could not be opened.
GONE = "is not there any more, or is a link that leads nowhere: its labels are not read"
ERROR = "error"
WARNING = "warning"

# The individual that unique bodyparts belong to, those of the scene; DeepLabCut's name for it.
SINGLE = "single"

TRAIN = "train"
TEST = "test"


class Problem(NamedTuple):
    """Something wrong with a source. `row` counts from 1, as in an editor; 0 = the whole file."""

    level: str
    file: str
    row: int
    image: str
    what: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabeledFrame:
    """An image with its keypoints.

    Attributes:
      image: address of the image file.
      name: its name in the label file, with forward slashes; identifies it within a project.
      video: the video (folder) it comes from.
      file, row: where the label stands.
      keypoints: float64 (individuals, bodyparts, 2), x then y in pixels, NaN = not labeled.
      negative: no animal is in it, and it is learned from.
      told: height and width that the labels say the image has; None if they do not.
      film: that it was taken from; None if the labels do not say.
    """

    image: str
    name: str
    video: str
    file: str
    row: int
    keypoints: np.ndarray
    negative: bool = False
    told: tuple[int, int] | None = None
    film: FilmPath | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabeledCrop:
    """A cut-out of a frame and its class.

    Attributes:
      image, name, video, file, row: as for a frame.
      label: index into `Labels.classes`.
      split: the split its folder or file declares, or None.
    """

    image: str
    name: str
    video: str
    file: str
    row: int
    label: int
    split: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Labels:
    """Everything a reader found, and everything it could not use.

    Attributes:
      items: frames or crops, in the order of the source.
      bodyparts, individuals, edges, scorer: what a pose project names; edges join two bodyparts.
      unique_bodyparts: bodyparts that belong to the scene and not to every animal, such
        as the corner of an arena. They are labeled in the row of the last individual, `single`,
        and in no other; the row is there only if they are.
      untracked: animals that stand for whichever individual was free in their frame, since no track
        names them.
      project: its task and date as DeepLabCut writes them, such as openfieldOct30.
      classes: class names of crops, the positive class first.
      rule: how the crops were cut, where that is known.
      problems: rows and files that could not be read, and oddities.
    """

    items: tuple[LabeledFrame, ...] | tuple[LabeledCrop, ...]
    bodyparts: tuple[str, ...] = ()
    individuals: tuple[str, ...] = ()
    unique_bodyparts: tuple[str, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    scorer: str = ""
    untracked: int = 0
    project: str = ""
    classes: tuple[str, ...] = ()
    rule: Rule | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def keypoints(self) -> np.ndarray:
        """float64 (frames, individuals, bodyparts, 2), x then y in pixels, NaN = not labeled.

        Raises:
          ValueError: these are labels of crops.
        """
        frames = [item for item in self.items if isinstance(item, LabeledFrame)]
        if self.classes or len(frames) < len(self.items):
            raise ValueError("Labels of crops are classes; they have no keypoints.")
        empty = np.empty((0, len(self.individuals), len(self.bodyparts), 2))
        return np.concatenate([empty, *(frame.keypoints[None] for frame in frames)])

    def to_pandas(self) -> "pd.DataFrame":
        """The labels as a table, a row an image, which is named as in the label file.

        Returns:
          Of frames the table as DeepLabCut has it: the levels of its columns are scorer,
          individuals (if there are several), bodyparts and coords: x, y. Of crops the columns
          label, split, video and image.
        """
        import pandas as pd

        names = [item.name for item in self.items]
        crops = [item for item in self.items if isinstance(item, LabeledCrop)]
        if crops:
            rows = [(self.classes[c.label], c.split, c.video, c.image) for c in crops]
            columns = pd.Index(["label", "split", "video", "image"])
            return pd.DataFrame(rows, index=names, columns=columns)
        several = len(self.individuals) > 1
        places = [
            (i, b)
            for i, individual in enumerate(self.individuals)
            for b, bodypart in enumerate(self.bodyparts)
            if (bodypart in self.unique_bodyparts) == (individual == SINGLE)
        ]
        tuples = [
            (self.scorer, *([self.individuals[i]] if several else []), self.bodyparts[b], coord)
            for i, b in places
            for coord in ("x", "y")
        ]
        levels = ["scorer", *(["individuals"] if several else []), "bodyparts", "coords"]
        chosen = self.keypoints[:, [i for i, _ in places], [b for _, b in places]]
        return pd.DataFrame(
            chosen.reshape(len(names), -1),
            index=names,
            columns=pd.MultiIndex.from_tuples(tuples, names=levels),
        )

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        # Labels of nothing are labels, with their problems.
        return True

    def __repr__(self) -> str:
        problems = f", {counted(len(self.problems), 'problem')}" if self.problems else ""
        if self.classes:
            return f"<Labels: {counted(len(self), 'crop')} of {', '.join(self.classes)}{problems}>"
        several = f"{len(self.individuals)} individuals, " if len(self.individuals) > 1 else ""
        videos = len({item.video for item in self.items})
        return (
            f"<Labels: {counted(len(self), 'frame')} of {counted(videos, 'video')}, "
            f"{several}{len(self.bodyparts)} "
            f"bodyparts ({', '.join(self.bodyparts)}), scorer {self.scorer or '-'}{problems}>"
        )

    def _repr_html_(self) -> str:
        from html import escape

        table = self.to_pandas().head().to_html(float_format="%.1f") if self.items else ""
        return f"{table}<pre>{escape(repr(self))}</pre>"


def check_each_once(bodyparts: Sequence[str]) -> None:
    """Raises ValueError if a bodypart is asked for twice."""
    twice = [name for name, count in Counter(bodyparts).items() if count > 1]
    if twice:
        raise ValueError(f"The bodypart {twice[0]!r} is asked for twice: name it once.")


def choose_bodyparts(labels: Labels, bodyparts: Sequence[str], file: str) -> Labels:
    """The labels of some bodyparts, in the order asked for; one without labels is a problem.

    Raises:
      ValueError: none of them is there, or one is asked for twice.
    """
    check_each_once(bodyparts)
    if not set(bodyparts) & set(labels.bodyparts):
        raise ValueError(
            f"{file} has the bodyparts {', '.join(labels.bodyparts)}, none of those asked for "
            f"({', '.join(bodyparts)})."
        )
    missing = [name for name in bodyparts if name not in labels.bodyparts]
    what = "bodypart {!r} is not labeled here"
    notes = [Problem(WARNING, file, 0, "", what.format(name)) for name in missing]
    # The column after the last holds what is missing.
    order = [*map({n: i for i, n in enumerate(labels.bodyparts)}.get, bodyparts)]
    places = [len(labels.bodyparts) if i is None else i for i in order]
    items = []
    for item in labels.items:
        assert isinstance(item, LabeledFrame)
        wider = np.pad(item.keypoints, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
        items.append(dataclasses.replace(item, keypoints=wider[:, places]))
    return dataclasses.replace(
        labels,
        items=tuple(items),
        bodyparts=tuple(bodyparts),
        edges=tuple(edge for edge in labels.edges if set(edge) <= set(bodyparts)),
        problems=(*labels.problems, *notes),
    )
