"""Errors of points in space, found from predictions on labeled images of one instant."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core.infos import Figures, SpaceFigures, Uncertainty
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.formats import calibrations
from beampose.pipelines.space import label_views, point_fit, radii, space_fit, view_points
from beampose.pipelines.space.label_views import Sightings
from beampose.pipelines.space.view_points import Seen
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Rig
from beampose.trainer.schema import LabelRecord


class Judged(NamedTuple):
    """Predictions beside labels.

    Attributes:
      records: of the images.
      predicted: (images, bodyparts, 3) x, y, likelihood; of several animals (images, individuals,
        bodyparts, 3), in the rows of their labels.
      bodyparts: as the model calls them.
      uncertainty: of the model, if it is known.
    """

    records: Sequence[LabelRecord]
    predicted: np.ndarray
    bodyparts: Sequence[str]
    uncertainty: Uncertainty | None


def with_space(
    config: Config, judged: Judged, metrics: dict[str, Figures], sides: Sequence[str] = ()
) -> dict[str, Figures]:
    """Figures of some images with those of points in space, if the config has a calibration.

    Args:
      metrics: figures by name.
      sides: by image the name that it belongs to; none: to all.

    Raises:
      OSError, ValueError: the calibration cannot be read, or fits no image.
    """
    path = config.cameras.calibration
    if path is None or not judged.records:
        return metrics
    rig = calibrations.read(path)
    videos, images = ([getattr(r, key) for r in judged.records] for key in ("video", "name"))
    seen = label_views.sightings(rig, videos, images, judged.bodyparts)
    rig, seen = _labeled_views(rig, seen)
    _check_sizes(rig, judged.records, seen)
    found = {}
    for name, figures in metrics.items():
        chosen = np.array([side == name for side in sides] or [True] * len(judged.records))
        some = measured(rig, seen.among(chosen), judged, config.predict.pcutoff)
        # A split without images has no figures at all.
        found[name] = figures.replace(space=some.replace(calibration=path)) if figures else figures
    return found


def measured(rig: Rig, seen: Sightings, judged: Judged, pcutoff: float) -> SpaceFigures:
    """Figures of the instants that images show."""
    predicted = judged.predicted
    predicted = predicted if predicted.ndim == 4 else predicted[:, None]
    truth = np.stack([r.keypoints for r in judged.records])[:, : predicted.shape[1]]
    truth, found = _by_instant(seen, truth), _by_instant(seen, predicted)
    labels = _of_labels(rig, truth)
    two = np.asarray(np.isfinite(labels).all(axis=-1))
    fit = space_fit.fit(rig.cameras, _seen(seen, found, judged, pcutoff))
    apart = np.where(two, np.linalg.norm(fit.places - labels, axis=-1), np.nan)
    off = _reprojected(rig, fit.places, truth, two)
    there = np.isfinite(apart)
    return SpaceFigures(
        points=int(two.sum()),
        share_found=float(there.sum() / two.sum()) if two.any() else None,
        reprojection_error_px=_mean(off),
        reprojection_median_px=_median(off),
        labels_error_px=_mean(_reprojected(rig, labels, truth, two)),
        mean_error=_mean(apart),
        median_error=_median(apart),
        share_inside_radius=float((apart <= fit.radius)[there].mean()) if there.any() else None,
        reprojection_by_bodypart={
            name: _mean(off[:, :, place]) for place, name in enumerate(seen.bodyparts)
        },
    )


def line(figures: SpaceFigures, name: str) -> str:
    """What a terminal says of a split."""
    if not figures.points:
        return f"{name}, in space: no bodypart is labeled in two views of an instant"
    if figures.mean_error is None:
        return f"{name}, in space: none of {figures.points} points was found: the views disagree"
    return (
        f"{name}, in space: {counted(figures.points, 'point')}, {figures.share_found:.0%} found; "
        f"reprojected {figures.reprojection_error_px:.2f} px off the labels (median "
        f"{figures.reprojection_median_px:.2f}; points by the labels themselves "
        f"{figures.labels_error_px:.2f}), {figures.median_error:.3g} units of the calibration from "
        "those (median)"
    )


def _labeled_views(rig: Rig, seen: Sightings) -> tuple[Rig, Sightings]:
    """Without the cameras of which no image is labeled."""
    there = np.flatnonzero(seen.shown.any(axis=(0, 1)))
    chosen = rig.chosen([rig.names[i] for i in there])
    return chosen, seen._replace(at=seen.at[:, :, there])


def _check_sizes(rig: Rig, records: Sequence[LabelRecord], seen: Sightings) -> None:
    for number, camera in enumerate(rig.cameras):
        for image in np.unique(seen.at[:, :, number, 0][seen.shown[..., number]]):
            size = records[image].height, records[image].width
            if camera.size and camera.size != size:
                raise ValueError(
                    f"{records[image].name} has {size[1]}x{size[0]} pixels, but {rig.file} was "
                    f"calibrated with {camera.size[1]}x{camera.size[0]} for the camera "
                    f"{camera.name!r}: labels and calibration must be of frames of one size."
                )


def _by_instant(seen: Sightings, values: np.ndarray) -> np.ndarray:
    """(instants, individuals, bodyparts, views, ...) of (images, individuals, bodyparts, ...)."""
    return np.stack([seen.of(values[:, animal]) for animal in range(values.shape[1])], axis=1)


def _of_labels(rig: Rig, truth: np.ndarray) -> np.ndarray:
    """(instants, individuals, bodyparts, 3), by all views alike."""
    flat = truth.reshape(-1, *truth.shape[-2:])
    rays = point_fit.of_pixels(rig.cameras, flat, np.ones(flat.shape[:2]))
    return point_fit.fit(rays, rays.seen)[0].reshape(*truth.shape[:3], 3)


def _seen(seen: Sightings, found: np.ndarray, judged: Judged, pcutoff: float) -> Seen:
    pixels, likelihood = found[..., :2].copy(), found[..., 2]
    pixels[~(likelihood >= pcutoff)] = np.nan
    known = judged.uncertainty
    names = [
        [_name(judged, seen.at[:, part, view]) for view in range(pixels.shape[3])]
        for part in range(len(seen.bodyparts))
    ]
    told = known.radius_px if known else {}
    radius = np.array([[told.get(name) or np.nan for name in row] for row in names])
    level = known.level if known else radii.LEVEL
    sigma, sure = view_points.of_deviations(np.asarray(radii.deviation(radius, level)))
    individuals = tuple(str(one) for one in range(pixels.shape[1]))
    return Seen(pixels, likelihood, sigma, sure, individuals, seen.bodyparts)


def _name(judged: Judged, at: np.ndarray) -> str:
    """What the model calls a bodypart in a view; empty where no image shows it."""
    parts = at[at[:, 1] >= 0, 1]
    return judged.bodyparts[int(parts[0])] if len(parts) else ""


def _reprojected(rig: Rig, places: np.ndarray, truth: np.ndarray, two: np.ndarray) -> np.ndarray:
    """(instants, individuals, bodyparts, views), pixels to the labels; NaN where there is none."""
    off = np.linalg.norm(cameras.project(rig.cameras, places) - truth, axis=-1)
    return np.where(two[..., None], off, np.nan)


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _median(values: np.ndarray) -> float | None:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else None
