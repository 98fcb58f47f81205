"""Files of `evaluate --curve`: curve.json, and a verdict on labeling more."""

import numpy as np
from upath import UPath

from beampose.core import __version__, artefacts, storage
from beampose.core.infos import CurveInfo, DatasetInfo, ModelInfo
from beampose.core.infos.evaluation_infos import CurvePoint, Fall
from beampose.core.names import CURVE, EVALUATION
from beampose.core.settings.experiment import Config, to_dict
from beampose.core.wording import counted
from beampose.pipelines.report import evaluation_files
from beampose.trainer.outcomes import Curve

# Intervals should hold the truth in this many of 100 draws of held-out images.
LEVEL = 0.95
DRAWS = 2000
# A fall of the error by this share from twice the labels is worth the work of labeling.
WORTH = 0.1
# Less than this share is no change.
SAME = 0.005


def write(result: Curve, config: Config, dataset: DatasetInfo) -> UPath:
    """Writes `<output>/evaluation/curve.json`, for these settings, features and labels alone.

    Args:
      dataset: its info.
    """
    points = []
    for i, point in enumerate(result.points):
        low, high = interval(point.total, point.count)
        entry = CurvePoint(
            images=point.images,
            error=mean(point.total, point.count),
            low=low,
            high=high,
            test=point.metrics,
        )
        if i:
            before = result.points[i - 1]
            entry = entry.replace(fall=fall(before.total, point.total, point.count))
        points.append(entry)
    curve = CurveInfo(
        made_by=f"beampose {__version__} evaluate",
        of=evaluation_files.settings_of(to_dict(config), dataset.store),
        labels=dataset.labels_digest,
        error=result.error,
        near=result.near,
        held_out=len(result.points[-1].total),
        level=LEVEL,
        points=points,
        seconds=round(result.seconds, 2),
    )
    target = storage.place(config.output, EVALUATION, CURVE)
    artefacts.write_info(target, curve)
    return target


def load(config: Config, info: ModelInfo, dataset: DatasetInfo) -> CurveInfo | None:
    """The last learning curve, if it belongs to the model's settings and features and labels."""
    found = artefacts.find_info(storage.place(config.output, EVALUATION, CURVE), CurveInfo)
    if found is None or info.mode == "finetune":
        return None
    fresh = found.of == evaluation_files.settings_of(info.config, info.store)
    return found if fresh and found.labels == dataset.labels_digest else None


def mean(total: np.ndarray, count: np.ndarray) -> float | None:
    """The mean error of all points of all images; None if there is none."""
    return float(total.sum() / count.sum()) if count.sum() else None


def interval(total: np.ndarray, count: np.ndarray) -> tuple[float | None, float | None]:
    """Interval of the mean error, by resampling held-out images (bootstrap).

    Images are drawn, not points: those of one image are wrong together.
    """
    return _quantiles(_drawn(total, count))


def fall(before: np.ndarray, after: np.ndarray, count: np.ndarray) -> Fall:
    """The share by which the mean error fell, with its interval; the same draws for both.

    Args:
      before, after: (images,) sums of errors.
      count: (images,) errors in each.
    """
    if not before.sum():
        return Fall(share=None, low=None, high=None)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = 1 - _drawn(after, count) / _drawn(before, count)
    low, high = _quantiles(drawn)
    return Fall(share=float(1 - after.sum() / before.sum()), low=low, high=high)


def _drawn(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(total), size=(DRAWS, len(total)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return total[chosen].sum(axis=1) / count[chosen].sum(axis=1)


def _quantiles(drawn: np.ndarray) -> tuple[float | None, float | None]:
    known = drawn[np.isfinite(drawn)]
    # Where nearly all draws are undefined, an interval of the rest would be a lie.
    if len(known) < 0.9 * len(drawn):
        return None, None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def verdict(curve: CurveInfo) -> str:
    """Verdict of the curve's last step on labeling more, in a sentence or two."""
    before, last = curve.points[-2:]
    found = last.fall
    assert found is not None
    if found.share is None:
        return (
            f"Half of the labels, {before.images}, already made no error on the held-out "
            "images: these cannot show what more labels would give."
        )
    ends = f"from {value(curve, before.error)} to {value(curve, last.error)}"
    verb = "fell" if found.share > 0 else "rose"
    went = f"{verb} by {100 * abs(found.share):.0f} %, {ends}"
    if abs(found.share) < SAME:
        went = f"stayed the same, {value(curve, last.error)}"
    said = (
        f"From {before.images} to {counted(last.images, 'labeled image')} the {words(curve)} {went}"
    )
    if found.low is None or found.high is None or found.low <= 0 <= found.high:
        if abs(found.share) < SAME:
            return f"{said}. {_chance(found)}"
        return (
            f"{said}. With {curve.held_out} held-out images chance alone can make such a "
            f"difference. {_chance(found)}"
        )
    if found.high < 0:
        return f"{said}. More of the same labels did not help: look at the worst images first."
    if found.share >= WORTH:
        return f"{said}. The curve still falls: twice as many labels would probably help again."
    return f"{said}. The curve is nearly flat: more of the same labels would help little."


def _chance(found: Fall) -> str:
    if found.share is not None and found.share >= WORTH:
        return "More labels may help; more held-out images would show it."
    return "More labels of the same kind will hardly help; images unlike these may."


def words(curve: CurveInfo) -> str:
    """Name of the curve's error."""
    return {
        "px": "mean error",
        "wrong": "share of wrong crops",
        "missed": f"share of labeled points not found within {curve.near:g} px",
    }[curve.error]


def value(curve: CurveInfo, number: float | None) -> str:
    """An error of the curve as people read it."""
    if number is None:
        return "-"
    return f"{number:.2f} px" if curve.error == "px" else f"{100 * number:.1f} %"


def table(curve: CurveInfo) -> str:
    """The points for a terminal, and what they say."""
    lines = [
        f"{point.images:>6} labeled images  {words(curve)} {value(curve, point.error)}  "
        f"({value(curve, point.low)} to {value(curve, point.high)})"
        for point in curve.points
    ]
    return "\n".join([*lines, verdict(curve)])
