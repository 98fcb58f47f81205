"""How a model is judged: on images, in folds, by numbers of labels; and how labels are."""

from typing import ClassVar

from beampose.core.infos.figures import Figures
from beampose.core.infos.record import Info, Plain, Record


class WorstPoint(Record):
    """The point of an image that is farthest from its label; no individual: empty."""

    individual: str
    bodypart: str
    error_px: float
    likelihood: float


class DrawnImage(Record):
    """An image that `evaluate` drew; `file` and `near`, its worst point, are below the folder.

    Attributes:
      labeled, missed, mean_error_px, worst: of pose.
      label, predicted, probability, right: of crops.
    """

    name: str
    split: str
    file: str
    near: str = ""
    labeled: int = 0
    missed: int = 0
    mean_error_px: float | None = None
    worst: WorstPoint | None = None
    label: str = ""
    predicted: str = ""
    probability: float = 0.0
    right: bool = False


class EvaluationInfo(Info):
    """Figures by split, and the images that were drawn, worst first.

    Attributes:
      model: digest of the model, as in its info; empty in versions before.
    """

    NAME: ClassVar[str] = "evaluation"
    VERB: ClassVar[str] = "evaluate"
    KEYS: ClassVar[tuple[str, ...]] = ("metrics", "images")

    metrics: dict[str, Figures]
    images: list[DrawnImage]
    model: str = ""


class FoldsInfo(Info):
    """Cross validation.

    Attributes:
      of: names the settings and features that it judges.
      labels: digest of the labels; empty in versions before.
      by: image or video.
      folds: figures by the name of the fold.
      all: of all predictions together.
      uncertainty: empty for crops.
    """

    NAME: ClassVar[str] = "cross validation"
    VERB: ClassVar[str] = "evaluate --folds 5"
    KEYS: ClassVar[tuple[str, ...]] = ("of", "folds", "all")

    of: str
    by: str
    folds: dict[str, Figures]
    all: Figures
    uncertainty: Plain = {}
    seconds: float
    labels: str = ""


class Fall(Record):
    """The share by which the error fell from the point before, with its interval."""

    share: float | None
    low: float | None
    high: float | None


class CurvePoint(Record):
    """The error of a head that learned from so many images, with its interval."""

    images: int
    error: float | None
    low: float | None
    high: float | None
    test: Figures
    fall: Fall | None = None


class CurveInfo(Info):
    """A learning curve.

    Attributes:
      of, labels: name the settings, features and labels that it belongs to.
      error: px, wrong or missed; see `trainer.learning_curve.Curve`.
      near: source pixels within which a point counts as found.
      held_out: images.
      level: of the intervals.
    """

    NAME: ClassVar[str] = "learning curve"
    VERB: ClassVar[str] = "evaluate --curve 4"
    KEYS: ClassVar[tuple[str, ...]] = ("of", "held_out", "points")

    of: str
    labels: str
    error: str
    near: float
    held_out: int
    level: float
    points: list[CurvePoint]
    seconds: float


class AuditInfo(Info):
    """How many labels were compared, and how many are suspicious."""

    NAME: ClassVar[str] = "audit"
    VERB: ClassVar[str] = "audit"
    KEYS: ClassVar[tuple[str, ...]] = ("suspicious", "labels")

    suspicious: int
    labels: int
