"""Held-out errors by bodypart, and whether likelihoods and scores foretell them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from beampose.pipelines.report import calibration, evaluation_reader, plots
from beampose.pipelines.report.gallery import Gallery, Shown
from beampose.trainer import metrics

# Shares of the training radius that count as right.
TOLERANCES = (1.0, 0.5)


def by_bodypart(
    points: evaluation_reader.Points, names: Sequence[str], within: float
) -> list[dict]:
    """Figures of each bodypart and of all.

    Args:
      within: pixels; a point that was not found is not within.
    """
    rows = []
    for name in (*names, ""):
        chosen = points.labeled & ((points.bodypart == name) if name else True)
        every = points.error[chosen]
        known = every[np.isfinite(every)]
        some = bool(len(known))
        rows.append(
            {
                "name": name or "all",
                "labeled": len(every),
                "found": len(known),
                "median": float(np.median(known)) if some else None,
                "mean": float(known.mean()) if some else None,
                "ninety": float(np.quantile(known, 0.9)) if some else None,
                "within": float((every <= within).mean()) if len(every) else None,
            }
        )
    return rows


def errors(points: evaluation_reader.Points, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Errors of each bodypart's labels, NaN where it was not found."""
    return {name: points.error[points.labeled & (points.bodypart == name)] for name in names}


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str], gallery: Gallery) -> Shown:
    """The plot of held-out crops by class; of many classes those that are most often mistaken.

    Args:
      counts: rows are true classes, columns predicted ones.
    """
    caption = "Held-out crops by true and predicted class."
    chosen = np.arange(len(classes))
    every = np.array(counts)
    if len(classes) > plots.MANY:
        mistaken = every.sum(axis=0) + every.sum(axis=1) - 2 * every.diagonal()
        chosen = np.sort(np.argsort(-mistaken, kind="stable")[: plots.MANY])
        caption = (
            f"Held-out crops by true and predicted class: of {len(classes)} classes the "
            f"{plots.MANY} with most mistakes. All are in metrics.json."
        )
    names = [classes[i] for i in chosen.tolist()]
    return gallery.show("confusion", caption, plots.confusion, every[np.ix_(chosen, chosen)], names)


def of_points(
    points: evaluation_reader.Points, radius: float, pcutoff: float, gallery: Gallery
) -> dict[str, Any]:
    """The calibration of likelihoods.

    Args:
      radius: the training radius: the likelihood is taught to be 1 within it.
    """
    known = np.isfinite(points.error)
    score, error = points.likelihood[known], points.error[known]
    unlabeled = points.likelihood[~points.labeled & np.isfinite(points.likelihood)]
    found: dict[str, Any] = {"count": len(score), "unlabeled": len(unlabeled), "plots": []}
    found["pcutoff"] = pcutoff
    found["few"] = len(score) < calibration.FEWEST
    if not len(score):
        return found
    curves = {}
    found["tolerances"] = []
    for part in TOLERANCES:
        px = radius * part
        right = error <= px
        curves[f"within {px:g} px"] = calibration.bins(score, right)
        found["tolerances"].append(
            {
                "px": px,
                "ece": calibration.expected_error(score, right),
                "said": float(score.mean()),
                "right": float(right.mean()),
            }
        )
    found["plots"].append(
        gallery.show(
            "calibration",
            "How often the model is right, against how sure it is. Hollow: fewer than "
            f"{calibration.ENOUGH} points; bars: 95 % intervals.",
            plots.reliability,
            curves,
            "likelihood (mean of a bin)",
            "share of points within the distance",
            calibration.ENOUGH,
        )
    )
    steps = np.linspace(0, 1, 101)
    found["plots"].append(_kept(score, error, unlabeled, steps, radius, pcutoff, gallery))
    found["kept"] = calibration.kept(
        score, error, unlabeled, calibration.listed(pcutoff), tolerance=radius
    )
    found["lost"] = _lost(score, error, pcutoff)
    return found


def _kept(score, error, unlabeled, steps, radius, pcutoff, gallery: Gallery) -> Shown:
    return gallery.show(
        "pcutoff",
        "Share of points that a likelihood cutoff keeps, and their error.",
        plots.cutoffs,
        calibration.kept(score, error, unlabeled, steps, tolerance=radius),
        pcutoff,
    )


def _lost(score: np.ndarray, error: np.ndarray, pcutoff: float) -> dict[str, Any]:
    """Predictions that the cutoff in the settings keeps and loses."""
    sure = score >= pcutoff
    return {
        "kept": int(sure.sum()),
        "lost": int((~sure).sum()),
        "mean_kept": float(error[sure].mean()) if sure.any() else None,
        "mean_lost": float(error[~sure].mean()) if (~sure).any() else None,
        "mean": float(error.mean()),
    }


def of_crops(
    crops: evaluation_reader.Crops, classes: Sequence[str], gallery: Gallery
) -> dict[str, Any]:
    """The calibration of a classifier: of its positive score, or of several classes the highest."""
    if len(classes) == 2:
        score, right = crops.scores[:, 0], crops.label == 0
        axis, share = f"score of {classes[0]} (mean of a bin)", f"share that is {classes[0]}"
    else:
        score, right = crops.scores.max(axis=1), crops.scores.argmax(axis=1) == crops.label
        axis, share = "highest score (mean of a bin)", "share that is right"
    found: dict[str, Any] = {
        "count": len(score),
        "few": len(score) < calibration.FEWEST,
        "of": classes[0] if len(classes) == 2 else "",
        "ece": calibration.expected_error(score, right),
        "plots": [],
        "rates": [],
    }
    if not len(score):
        return found
    found |= {"said": float(score.mean()), "right": float(right.mean())}
    bins = calibration.bins(score, right)
    found["bins"] = bins
    found["plots"].append(
        gallery.show(
            "calibration",
            "How often the model is right, against its score. Hollow: fewer than "
            f"{calibration.ENOUGH} crops; bars: 95 % intervals.",
            plots.reliability,
            {"held-out crops": bins},
            axis,
            share,
            calibration.ENOUGH,
        )
    )
    if len(classes) == 2:
        found["rates"] = calibration.rates(score, right, calibration.THRESHOLDS)
        found["plots"].append(
            gallery.show(
                "thresholds",
                f"What a threshold of the score finds and gets right; {metrics.THRESHOLD:g} is "
                "used.",
                plots.rates,
                calibration.rates(score, right, np.linspace(0.01, 0.99, 99)),
                metrics.THRESHOLD,
            )
        )
    return found
