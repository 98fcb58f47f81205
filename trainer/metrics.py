"""Errors of predictions: pixels for pose, rates for crops. NumPy only."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from beampose.core.infos import Figures
from beampose.core.infos.figures import BodypartFigures

# A crop with this positive score is taken as positive.
THRESHOLD = 0.5


def distances(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(images, bodyparts) source pixels between (…, 2) labels and (…, 2 or more) predictions.

    NaN where a bodypart is not labeled.
    """
    return np.linalg.norm(predicted[..., :2] - truth, axis=-1)


def pose_metrics(
    truth: np.ndarray, predicted: np.ndarray, bodyparts: Sequence[str], pcutoff: float
) -> Figures:
    """Distances between labels and predictions.

    Args:
      truth: (images, bodyparts, 2), source pixels, NaN = not labeled.
      predicted: (images, bodyparts, 3), x, y, likelihood.

    Returns:
      `mean_error_px` (what DeepLabCut prints as RMSE: the mean Euclidean distance),
      `median_error_px`, `rmse_px` (the true one), `mean_error_px_pcutoff` and
      `share_above_pcutoff`, and `per_bodypart` with the same mean and median. None where no point
      is labeled.
    """
    distance = distances(truth, predicted)
    sure = np.where(predicted[..., 2] >= pcutoff, distance, np.nan)
    return Figures(
        images=len(truth),
        points=int(np.isfinite(distance).sum()),
        mean_error_px=_mean(distance),
        median_error_px=_median(distance),
        rmse_px=None if (square := _mean(distance**2)) is None else float(np.sqrt(square)),
        mean_error_px_pcutoff=_mean(sure),
        share_above_pcutoff=_mean(
            np.where(np.isfinite(distance), predicted[..., 2] >= pcutoff, np.nan)
        ),
        per_bodypart={
            name: BodypartFigures(
                points=int(np.isfinite(distance[:, i]).sum()),
                mean_error_px=_mean(distance[:, i]),
                median_error_px=_median(distance[:, i]),
                mean_error_px_pcutoff=_mean(sure[:, i]),
            )
            for i, name in enumerate(bodyparts)
        },
    )


def with_negatives(
    figures: Figures, truth: np.ndarray, predicted: np.ndarray, pcutoff: float
) -> Figures:
    """Figures with those of images without an animal, if there are any.

    Args:
      truth: (images, …, 2), NaN = not labeled.
      predicted: (images, …, 3), x, y, likelihood; NaN = not found.
    """
    bare = np.isnan(truth.reshape(len(truth), -1)).all(axis=1)
    if not bare.any():
        return figures
    likelihood = predicted[bare][..., 2].reshape(int(bare.sum()), -1)
    quiet = ~(likelihood >= pcutoff).any(axis=1)
    return figures.replace(negatives=int(bare.sum()), share_negatives_empty=float(quiet.mean()))


def crop_metrics(
    labels: np.ndarray, scores: np.ndarray, classes: Sequence[str], threshold: float
) -> Figures:
    """Rates of a classifier whose class 0 is the positive one.

    Args:
      labels: (crops,) class indices.
      scores: (crops, classes) probabilities.
      threshold: with two classes, a crop is positive when its positive score reaches it.

    Returns:
      `accuracy`, `precision`, `recall`, `auc` (of class 0 against the rest), `confusion` (rows are
      true classes, columns predicted) and `threshold`. None where a rate has no denominator.
    """
    predicted = called(scores, threshold)
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (labels, predicted), 1)
    return Figures(
        images=len(labels),
        accuracy=_ratio(np.trace(confusion), confusion.sum()),
        precision=_ratio(confusion[0, 0], confusion[:, 0].sum()),
        recall=_ratio(confusion[0, 0], confusion[0].sum()),
        auc=auc(labels == 0, scores[:, 0]),
        confusion=confusion.tolist(),
        classes=list(classes),
        threshold=threshold,
    )


def called(scores: np.ndarray, threshold: float) -> np.ndarray:
    """The class each of (crops, classes) scores is taken for; see `crop_metrics`."""
    if scores.shape[1] == 2:
        return np.where(scores[:, 0] >= threshold, 0, 1)
    return scores.argmax(axis=1)


def auc(positive: np.ndarray, score: np.ndarray) -> float | None:
    """Area under the ROC curve: the share of pairs ranked right, ties counted half."""
    if positive.all() or not positive.any():
        return None
    values, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    pairs = positive.sum() * (~positive).sum()
    own = positive.sum() * (positive.sum() + 1) / 2
    return float((ranks[positive].sum() - own) / pairs)


def _ratio(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _median(values: np.ndarray) -> float | None:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else None
