"""The data model: labeled frames, labeled crops, and what is wrong with them."""

import dataclasses
from typing import NamedTuple

import numpy as np

from preprocess.cut import Rule

ERROR = "error"
WARNING = "warning"

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
    """

    image: str
    name: str
    video: str
    file: str
    row: int
    keypoints: np.ndarray


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labels:
    """Everything a reader found, and everything it could not use.

    Attributes:
      items: frames or crops, in the order of the source.
      bodyparts, individuals, edges, scorer: what a pose project names; edges join two bodyparts.
      project: its task and date as DeepLabCut writes them, such as openfieldOct30.
      classes: class names of crops, the positive class first.
      rule: how the crops were cut, where that is known.
      problems: rows and files that could not be read, and oddities.
    """

    items: tuple[LabeledFrame, ...] | tuple[LabeledCrop, ...]
    bodyparts: tuple[str, ...] = ()
    individuals: tuple[str, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    scorer: str = ""
    project: str = ""
    classes: tuple[str, ...] = ()
    rule: Rule | None = None
    problems: tuple[Problem, ...] = ()
