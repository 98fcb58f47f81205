"""Gathers what an audit judges labels by: predictions of heads that never saw them."""

import logging

import numpy as np

from beampose.core import storage
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.formats import calibrations
from beampose.pipelines.curation.suspects import Evidence
from beampose.pipelines.space import label_views
from beampose.trainer import choice, cross_validation

LOG = logging.getLogger(__name__)


def gather(config: Config, *, folds: int, calibration: str | None = None) -> Evidence:
    """Cross validates the settings; nothing is embedded.

    Args:
      calibration: of the cameras, by which other views of an instant judge labels too.

    The heads of a killed run, and of `evaluate --folds` with the same number, are taken up.

    Raises:
      FileNotFoundError: there is no dataset.
      ValueError: fewer images than folds, or labels of several animals.
    """
    dataset, config = choice.of_experiment(config)
    if len(dataset.info.individuals) > 1:
        raise ValueError(
            "beampose audit judges labels of one animal a frame, these name "
            f"{counted(len(dataset.info.individuals), 'individual')}. `beampose check CONFIG "
            "--html` draws all of them, the oddest first."
        )
    if calibration is not None and config.kind.pooled:
        raise ValueError("--calibration compares keypoints, and these labels are crops: remove it.")
    work = storage.place(config.output, "train", "folds")
    result = cross_validation.cross_validate(
        config, dataset, folds=folds, by_video=False, work=str(work)
    )
    looks = [np.asarray(dataset.features(r), np.float32) for r in result.records]
    looks = np.stack([one.reshape(-1, one.shape[-1]).mean(axis=0) for one in looks])
    if config.kind.pooled:
        truth = np.array([r.label for r in result.records])
        return Evidence(result.records, dataset.classes, truth, result.predicted, looks)
    truth = np.stack([r.keypoints[0] for r in result.records])
    views = lines = None
    if calibration is not None:
        rig = calibrations.read(calibration)
        videos, names = ([getattr(r, key) for r in result.records] for key in ("video", "name"))
        seen = label_views.sightings(rig, videos, names, dataset.bodyparts)
        views = label_views.distances(rig, truth, seen)
        lines = label_views.lines(rig, truth, seen)
        predicted = np.where(np.isfinite(truth), result.predicted[..., :2], np.nan)
        others = label_views.distances(rig, predicted, seen)
        LOG.info(
            "Against other views of the instant labels are %.2f px off, predictions of heads that "
            "never saw the frame %.2f px (medians of %d points).",
            np.nanmedian(views),
            np.nanmedian(others),
            int(np.isfinite(views).sum()),
        )
    return Evidence(result.records, dataset.bodyparts, truth, result.predicted, looks, views, lines)
