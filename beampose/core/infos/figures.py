"""Figures: how well a model does, on which data, and by which settings."""

from typing import ClassVar

from beampose.core.infos.model_info import Uncertainty
from beampose.core.infos.record import Info, Plain, Record


class BodypartFigures(Record):
    """Errors of one bodypart in source pixels; None where no point is labeled."""

    points: int
    mean_error_px: float | None
    median_error_px: float | None
    mean_error_px_pcutoff: float | None


class SpaceFigures(Record):
    """Errors of points in space, found from what the model predicts in all views of an instant.

    Attributes:
      calibration: the file.
      points: bodyparts of an instant that two views label.
      share_found: of them, for which the predictions gave a point in space.
      reprojection_error_px, reprojection_median_px: from the label in a view to where the camera
        sees the predicted point; None where none was found.
      labels_error_px: the same of points found from the labels: how well labels agree.
      mean_error, median_error: between these two points, in the unit of the calibration.
      share_inside_radius: of the predicted points, that are nearer than their radius of 0.9.
      reprojection_by_bodypart: mean in pixels, by the bodypart's name without its view.
    """

    calibration: str = ""
    points: int
    share_found: float | None
    reprojection_error_px: float | None
    reprojection_median_px: float | None
    labels_error_px: float | None
    mean_error: float | None
    median_error: float | None
    share_inside_radius: float | None
    reprojection_by_bodypart: dict[str, float | None] = {}


class Figures(Record):
    """Errors on some images; None where there is nothing to judge by, or for another task.

    Attributes:
      images: their number; 0 if there are none, and then no other figure.
      points: labeled and found.
      negatives: images without an animal; None if there are none.
      share_negatives_empty: of them, in which no point is as likely as `pcutoff`.
      mean_error_px: the mean Euclidean distance, what DeepLabCut prints as RMSE.
      rmse_px: the root of the mean square.
      mean_error_px_pcutoff, share_above_pcutoff: of points at least as likely as `pcutoff`.
      labeled, share_found, share_within_px, mAP, mAR, oks_f1, identity_accuracy: of several
        animals, see `trainer.matching.animals_metrics`.
      accuracy, precision, recall, auc, confusion, classes, threshold: of crops, see
        `trainer.metrics.crop_metrics`.
      space: of several calibrated cameras, added by `evaluate`.
    """

    images: int = 0
    points: int = 0
    negatives: int | None = None
    share_negatives_empty: float | None = None
    mean_error_px: float | None = None
    median_error_px: float | None = None
    rmse_px: float | None = None
    mean_error_px_pcutoff: float | None = None
    share_above_pcutoff: float | None = None
    per_bodypart: dict[str, BodypartFigures] = {}
    labeled: int | None = None
    share_found: float | None = None
    share_within_px: dict[str, float | None] = {}
    mAP: float | None = None
    mAR: float | None = None
    oks_f1: float | None = None
    identity_accuracy: float | None = None
    accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    auc: float | None = None
    confusion: list[list[int]] = []
    classes: list[str] = []
    threshold: float | None = None
    space: SpaceFigures | None = None

    @property
    def balanced_accuracy(self) -> float | None:
        """Share of crops that are right in a class, the mean over classes that have crops."""
        shares = [row[i] / sum(row) for i, row in enumerate(self.confusion) if sum(row)]
        return sum(shares) / len(shares) if shares else None

    def __getitem__(self, name: str) -> float | None:
        """A figure by its name in the JSON, or a property of this class."""
        return getattr(self, name)

    def __contains__(self, name: str) -> bool:
        """Whether a figure was measured."""
        return name in self.model_fields_set

    def __bool__(self) -> bool:
        return bool(self.model_fields_set)


class Seconds(Record):
    """That the steps took; `choice` is training that chose the steps, if any did."""

    features: float = 0.0
    choice: float | None = None
    train: float = 0.0
    finetune: float | None = None
    folds: float = 0.0


class Metrics(Info):
    """`model/metrics.json`, a contract with other programs.

    Attributes:
      warnings: what to know before trusting the model, a sentence each.
      split: images by split.
      train, test: of the weights that were kept. No choice was made by `test`.
      test_at_last_step: of models of the version before, which chose weights by the test split.
      test_before_finetune: of the head on stored features.
      folds: of cross validation inside the training split, with their `number`.
    """

    NAME: ClassVar[str] = "metrics"
    VERB: ClassVar[str] = "train"
    KEYS: ClassVar[tuple[str, ...]] = ("split", "train", "test", "backbone")

    note: str | None = None
    warnings: list[str] = []
    split: dict[str, int]
    train: Figures
    test: Figures
    test_at_last_step: Figures | None = None
    kept_step: int = 0
    kept_by: str = ""
    seconds: Seconds
    backbone: str
    weights: str = ""
    weights_digest: str
    mode: str = "features"
    test_before_finetune: Figures | None = None
    finetuned_weights_digest: str | None = None
    folds: Figures | None = None
    uncertainty: Uncertainty | None = None

    def plain(self) -> Plain:
        # What was made with random weights says so in its first line.
        values = super().plain()
        return {**{k: v for k, v in values.items() if k == "note"}, **values}
