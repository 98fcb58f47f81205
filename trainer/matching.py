"""Errors where there are several animals: predictions matched to labels, OKS, mAP, mAR.

NumPy and SciPy only. OKS, mAP and mAR are those of DeepLabCut 3 and COCO: sigma 0.1 for all
bodyparts, the area of the box around the labeled points, thresholds 0.5 to 0.95, precision at 101
recalls; from 0 to 1. pycocotools gives the same numbers.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from beampose.core.infos import Figures
from beampose.trainer import metrics
from beampose.trainer.assemble import Rules
from beampose.trainer.schema import LabelRecord

OKS_SIGMA = 0.1
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
# A labeled animal of fewer points has no size, so it cannot be judged by OKS.
MIN_LABELED = 2
# Source pixels within which the share of points is told.
WITHIN = (5, 15, 50)
# Source pixels, farther than any two points.
_ANYWHERE = 1e6


def nearest(points: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to, and index of, the nearest of other points, (…, points) each.

    Args:
      points, others: (…, points, 2) and (…, others, 2).
    """
    distance = np.linalg.norm(points[..., :, None, :] - others[..., None, :, :], axis=-1)
    return distance.min(axis=-1), distance.argmin(axis=-1)


def match(truth: np.ndarray, predicted: np.ndarray, animals: int) -> np.ndarray:
    """Predictions in the order of the labels they belong to, by optimal assignment in each frame.

    The sum of distances of labeled points is least; one that is missing, or farther than half an
    animal's usual length, counts as that. Animals of one point have no length: there a missing one
    is farther than any.

    Args:
      truth: (frames, individuals, bodyparts, 2), source pixels, NaN = not labeled.
      predicted: (frames, individuals, bodyparts, 3), NaN = not found.
      animals: number of individuals to match, from the first; the others stay in their rows.
    """
    lengths = np.linalg.norm(extents(truth[:, :animals]), axis=-1)
    lengths = lengths[np.isfinite(lengths) & (lengths > 0)]
    far = max(float(np.median(lengths)) / 2, 1.0) if len(lengths) else _ANYWHERE
    found = predicted.copy()
    for i, (own, other) in enumerate(zip(truth[:, :animals], predicted[:, :animals], strict=True)):
        offsets = own[:, None] - other[None, ..., :2]
        distance = np.nan_to_num(np.linalg.norm(offsets, axis=-1), nan=far)
        labeled = np.isfinite(own[..., 0])[:, None]
        cost = np.where(labeled, np.minimum(distance, far), 0.0).sum(axis=-1)
        rows, columns = linear_sum_assignment(cost)
        found[i, rows] = other[columns]
    return found


def animals_metrics(
    truth: np.ndarray,
    predicted: np.ndarray,
    bodyparts: Sequence[str],
    *,
    pcutoff: float,
    animals: int,
    unique: Sequence[int],
    identity: bool,
) -> Figures:
    """Measures predictions matched to labels: those of `metrics.pose_metrics`, and more.

    Args:
      truth, predicted, animals: as in `match`.
      unique: indices of unique bodyparts, which mAP and mAR leave out.
      identity: the rows of predictions are named, so it can be told whether the names are right.

    Returns:
      Beside the figures in pixels, which count points that were found: `labeled`, points a person
      labeled, and `share_found`; `share_within_px` of all labeled points, found or not; `mAP` and
      `mAR`; `oks_f1`, twice the sum of OKS of matched animals over the number of labeled and
      predicted ones; with identity `identity_accuracy`, the share of found animals with their name.
    """
    matched = match(truth, predicted, animals)
    rows = (len(truth) * truth.shape[1], len(bodyparts))
    found = metrics.pose_metrics(
        truth.reshape(*rows, 2), matched.reshape(*rows, 3), bodyparts, pcutoff
    )
    distance = metrics.distances(truth, matched)
    labeled = np.isfinite(truth).all(axis=-1)
    count = int(labeled.sum())
    common = np.setdiff1d(np.arange(len(bodyparts)), np.array(unique, int))
    own = truth[:, :animals][:, :, common]
    precision, recall = average_precision(own, predicted[:, :animals][:, :, common])
    found = found.replace(
        images=len(truth),
        labeled=count,
        share_found=found.points / count if count else None,
        share_within_px={
            str(limit): float((distance[labeled] <= limit).mean()) if count else None
            for limit in WITHIN
        },
        mAP=precision,
        mAR=recall,
        oks_f1=_f1(own, matched[:, :animals][:, :, common]),
    )
    return (
        found.replace(identity_accuracy=_rightly_named(truth, predicted, animals))
        if identity
        else found
    )


def measured(
    records: Sequence[LabelRecord], predicted: np.ndarray, rules: Rules, pcutoff: float
) -> Figures:
    """Figures of (images, individuals, bodyparts, 3), see `animals_metrics`."""
    return animals_metrics(
        np.stack([r.keypoints for r in records]),
        predicted,
        rules.bodyparts,
        pcutoff=pcutoff,
        animals=rules.animals,
        unique=rules.unique,
        identity=rules.identity,
    )


def areas(truth: np.ndarray) -> np.ndarray:
    """Of the box around the labeled points of animals (…, bodyparts, 2); NaN without any."""
    return extents(truth).prod(axis=-1)


def extents(truth: np.ndarray) -> np.ndarray:
    """Width and height of the box around the labeled points of animals (…, bodyparts, 2); NaN
    without any."""
    known = np.isfinite(truth)
    low = np.where(known, truth, np.inf).min(axis=-2)
    high = np.where(known, truth, -np.inf).max(axis=-2)
    return np.where(np.isfinite(low), high - low, np.nan)


def oks(truth: np.ndarray, predicted: np.ndarray, sigma: float = OKS_SIGMA) -> np.ndarray:
    """Object keypoint similarity of each label (labels, bodyparts, 2) with each prediction.

    Returns:
      (labels, predictions), NaN where a label cannot be judged.
    """
    labeled = np.asarray(np.isfinite(truth[..., 0]))
    squared = ((truth[:, None] - predicted[None, ..., :2]) ** 2).sum(axis=-1)
    size = areas(truth)[:, None, None] + np.spacing(1)
    near = np.nan_to_num(np.exp(-squared / (2 * (2 * sigma) ** 2 * size)), nan=0.0)
    total = np.where(labeled[:, None], near, 0.0).sum(axis=-1)
    counts = np.asarray(labeled.sum(axis=-1))[:, None]
    return np.where(counts >= MIN_LABELED, total / np.maximum(counts, 1), np.nan)


def average_precision(
    truth: np.ndarray, predicted: np.ndarray, sigma: float = OKS_SIGMA
) -> tuple[float | None, float | None]:
    """mAP and mAR; None where no animal can be judged.

    In each frame predictions take, the most certain first, the label they resemble most that is
    free. One that is left over is wrong, unless it too has fewer than `MIN_LABELED` points. The
    sureness of an animal is the mean likelihood of its bodyparts, 0 for those not found.

    Args:
      truth: (frames, animals, bodyparts, 2), NaN = not labeled.
      predicted: (frames, animals, bodyparts, 3), NaN = not found.
    """
    scores, hits, total = [], [], 0
    for own, other in zip(truth, predicted, strict=True):
        own = own[np.isfinite(own).all(axis=-1).sum(axis=-1) >= MIN_LABELED]
        other = other[np.isfinite(other[..., 0]).sum(axis=-1) >= MIN_LABELED]
        sure = np.nan_to_num(other[..., 2]).mean(axis=-1)
        order = np.argsort(-sure, kind="stable")
        total += len(own)
        scores.append(sure[order])
        hits.append(_hits(oks(own, other[order], sigma)))
    if not total:
        return None, None
    joined = np.concatenate(scores)
    order = np.argsort(-joined, kind="stable")
    right = np.concatenate(hits)[order]
    figures = [_precision_and_recall(right[:, i], total) for i in range(len(THRESHOLDS))]
    return tuple(float(np.mean(figure)) for figure in zip(*figures, strict=True))  # pyright: ignore[reportReturnType]


def _hits(similarity: np.ndarray) -> np.ndarray:
    """Marks predictions that match a label at each threshold, (predictions, thresholds)."""
    labels, predictions = similarity.shape
    found = np.zeros((predictions, len(THRESHOLDS)), bool)
    for i, threshold in enumerate(THRESHOLDS):
        free = np.ones(labels, bool)
        for one in range(predictions):
            left = np.where(free, similarity[:, one], -1.0)
            if labels and left.max() >= threshold:
                free[left.argmax()] = False
                found[one, i] = True
    return found


def _precision_and_recall(right: np.ndarray, total: int) -> tuple[float, float]:
    """Mean precision at all recalls, and the last recall, the most certain predictions first."""
    if not len(right):
        return 0.0, 0.0
    true = np.cumsum(right)
    recall = true / total
    precision = true / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    at = np.append(envelope, 0.0)[places]
    return float(at.mean()), float(recall[-1])


def _f1(truth: np.ndarray, matched: np.ndarray) -> float | None:
    """Twice the OKS of matched animals over the labeled and predicted ones; None without any."""
    total, similarity = 0, 0.0
    for own, other in zip(truth, matched, strict=True):
        judged = np.isfinite(own).all(axis=-1).sum(axis=-1) >= MIN_LABELED
        predicted = np.isfinite(other[..., 0]).sum(axis=-1) >= MIN_LABELED
        total += int(judged.sum() + predicted.sum())
        similarity += float(np.nansum(np.diagonal(oks(own, other))))
    return 2 * similarity / total if total else None


def _rightly_named(truth: np.ndarray, predicted: np.ndarray, animals: int) -> float | None:
    """Share of labeled animals with a match whose match stands in their own row."""
    rows = np.broadcast_to(np.arange(predicted.shape[1], dtype=float), predicted.shape[:2])
    numbered = np.concatenate(
        [predicted[..., :2], np.broadcast_to(rows[..., None, None], (*predicted.shape[:3], 1))],
        axis=-1,
    )
    owner = match(truth, numbered, animals)[:, :animals, 0, 2]
    found = match(truth, predicted, animals)[:, :animals, :, 0]
    judged = np.isfinite(truth[:, :animals, :, 0]).any(-1) & np.isfinite(found).any(-1)
    right = owner == np.arange(animals)
    return float(right[judged].mean()) if judged.any() else None
