"""Cross validation on stored features: every image is predicted by a head that never saw it."""

import copy
import hashlib
import logging
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from beampose.core import instants, storage
from beampose.core.infos import Uncertainty
from beampose.core.settings.experiment import Config, Split
from beampose.core.wording import counted, listed
from beampose.trainer.dataset import Dataset
from beampose.trainer.judging import Judge
from beampose.trainer.outcomes import CrossValidation
from beampose.trainer.schema import LabelRecord

LOG = logging.getLogger(__name__)
# Share of errors that the radius of a bodypart shall cover.
LEVEL = 0.9
# Classes that a line names.
NAMED = 5


def cross_validate(
    config: Config, dataset: Dataset, *, folds: int, by_video: bool, work: str
) -> CrossValidation:
    """Trains one head for each fold; nothing is embedded. All settings of the head are set.

    All heads take the settings of the config and their last step: nothing is chosen by the images
    that judge. An augmented copy is on the side of its image. Images of a second project
    (`split.test_from`) are in no fold: they are there to be tested with only.

    Args:
      folds: their number; with `by_video` each video is one and this is not used.
      work: folder for checkpoints: a killed run continues with the fold it was in.

    Raises:
      ValueError: fewer images or videos than folds.
    """
    from beampose.trainer.training import train

    dataset = own_part(dataset)
    records = sorted((r for r in dataset.records if r.copy == 0), key=lambda r: r.name)
    names, numbers = (by_videos if by_video else by_hash)(records, folds, config.split)
    predicted: np.ndarray | None = None
    by_fold, trained, histories, seconds = [], [], [], 0.0
    for fold, name in enumerate(names):
        held = {r.name for r, number in zip(records, numbers, strict=True) if number == fold}
        _say_unknown(records, held, dataset.classes, name)
        view = resplit(dataset, held)
        folder = storage.place(work, f"{len(names)}-{fold}")
        result = train(
            config,
            view,
            checkpoints=str(folder / "checkpoints"),
            logs=str(folder / "logs"),
        )
        test = view.of("test")
        found = result.task.predict(test, config.head.batch_size)
        if predicted is None:
            predicted = np.full((len(records), *found.shape[1:]), np.nan)
        place = {r.name: i for i, r in enumerate(records)}
        predicted[[place[r.name] for r in test]] = found
        by_fold.append(result.task.judge.measure(test, found))
        trained.append(result.task)
        histories.append(result.history)
        seconds += result.seconds
        LOG.info("fold %d of %d (%s) done", fold + 1, len(names), name)
    assert predicted is not None
    judge = result.task.judge
    radius = None
    if result.task.kind.points:
        radius = _radius(judge, records, predicted, np.array(numbers))
    return CrossValidation(
        records,
        np.array(numbers),
        names,
        judge.matched(records, predicted),
        judge.measure(records, predicted),
        by_fold,
        radius,
        trained,
        histories,
        seconds,
        "video" if by_video else "image",
        judge.individuals,
    )


def by_hash(
    records: Sequence[LabelRecord], folds: int, split: Split
) -> tuple[list[str], list[int]]:
    """Names of the folds and the fold of each record: equal shares, in the order of a hash.

    Images of one instant in several views (`split.views`) are in one fold. Crops of a class that
    would all be in one are in two, so that each is judged by a head that knows the class.
    """
    units = instants_of(records, split)
    ranks = {
        unit: hashlib.sha256(f"fold:{split.seed}:{unit}".encode()).digest() for unit in set(units)
    }
    if not 2 <= folds <= len(ranks):
        what = "the images" if len(ranks) == len(records) else "the instants"
        raise ValueError(f"--folds must be from 2 to {len(ranks)}, {what}. Received: {folds}.")
    order = sorted(ranks, key=ranks.__getitem__)
    numbers = {unit: position % folds for position, unit in enumerate(order)}
    for own in _of_classes(records, units):
        if len(own) > 1 and len({numbers[unit] for unit in own}) == 1:
            last = max(own, key=ranks.__getitem__)
            numbers[last] = (numbers[last] + 1) % folds
    return [str(i + 1) for i in range(folds)], [numbers[unit] for unit in units]


def instants_of(records: Sequence[LabelRecord], split: Split) -> list[str]:
    """What stays together: by record the name of its instant with `split.views`, else its own."""
    views = split.views or ()
    return [instants.group(r.video, r.name, views) or r.name for r in records]


def without_last(
    records: Sequence[LabelRecord], units: Sequence[str], held_out: Collection[str]
) -> set[str]:
    """Names to hold out but the last crops of a class: the others could not teach it.

    Args:
      units: of each record, what stays together.
      held_out: names that chance chose.
    """
    learned = {unit for r, unit in zip(records, units, strict=True) if r.name not in held_out}
    kept: set[str] = set()
    for own in _of_classes(records, units):
        if own.isdisjoint(learned | kept):
            kept.add(min(own))
    back = {r.name for r, unit in zip(records, units, strict=True) if unit in kept}
    return set(held_out) - back


def _of_classes(records: Sequence[LabelRecord], units: Sequence[str]) -> list[set[str]]:
    """The units of each class, in the order of classes; of keypoints all are one class."""
    found: dict[int, set[str]] = {}
    for record, unit in zip(records, units, strict=True):
        found.setdefault(record.label, set()).add(unit)
    return [found[label] for label in sorted(found)]


def by_videos(
    records: Sequence[LabelRecord], folds: int, split: Split
) -> tuple[list[str], list[int]]:
    """A fold for each video."""
    names = sorted({r.video for r in records})
    if len(names) < 2:
        raise ValueError(
            f"--by video needs labels of two videos or more; these are all of {names[0]}. Use "
            "--folds 5 instead."
        )
    return names, [names.index(r.video) for r in records]


def resplit(dataset: Dataset, held_out: Iterable[str]) -> Dataset:
    """The dataset with other images held out; features that are in memory are shared."""
    held = set(held_out)
    view = copy.copy(dataset)
    view.records = [
        r._replace(split="test" if r.name in held else "train") for r in dataset.records
    ]
    return view


def own_part(dataset: Dataset) -> Dataset:
    """The dataset without the images of a second project, which are never learned from."""
    second = dataset.info.source.get("test_from")
    if not second:
        return dataset
    own = training_part(dataset)
    LOG.info("The images of %s (split.test_from) are in no fold.", second)
    return own


def training_part(dataset: Dataset) -> Dataset:
    """The dataset without the images that are held out, features in memory shared."""
    view = copy.copy(dataset)
    view.records = [r for r in dataset.records if r.split == "train"]
    return view


def held_out(dataset: Dataset, split: Split) -> set[str]:
    """Names of a fifth of the training images, for a choice that the test split must not make.

    Some crops of each class are left to learn from.

    Raises:
      ValueError: there are fewer than two, or no class of crops has one to spare.
    """
    records = dataset.of("train")
    if len(records) < 2:
        raise ValueError(
            f"{len(records)} image to learn from: none can be held out of it to choose by."
        )
    units = instants_of(records, split)
    if len(set(units)) < 2:
        raise ValueError(
            "All images to learn from show one instant (split.views): none can be held out of "
            "them to choose by."
        )
    names, numbers = by_hash(records, min(5, len(set(units))), split)
    for fold in range(len(names)):
        fifth = {r.name for r, number in zip(records, numbers, strict=True) if number == fold}
        if found := without_last(records, units, fifth):
            return found
    raise ValueError(
        f"Each of {counted(len(records), 'crop')} to learn from is all that there is of its class: "
        "none can be held out to choose by. Label more of each class."
    )


def radii(errors: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """For each bodypart the radius that a new error stays below with probability `level`.

    Split conformal prediction: of n errors, the one of rank ceil((n + 1) * level). No assumption
    on their distribution is made but that new images are like these.

    Args:
      errors: (images, bodyparts), NaN = not labeled.

    Returns:
      (bodyparts,), NaN where there are too few errors to say (fewer than 9 for 0.9).
    """
    found = np.full(errors.shape[1], np.nan)
    for i, column in enumerate(errors.T):
        known = np.sort(column[np.isfinite(column)])
        rank = int(np.ceil((len(known) + 1) * level - 1e-9))
        if len(known) and rank <= len(known):
            found[i] = known[rank - 1]
    return found


def coverage(errors: np.ndarray, folds: np.ndarray, level: float = LEVEL) -> float | None:
    """Share of errors inside the radius that the other folds' errors give; None if unknown."""
    inside = []
    for fold in np.unique(folds):
        mine = folds == fold
        limit = np.broadcast_to(radii(errors[~mine], level), errors[mine].shape)
        judged = np.isfinite(errors[mine]) & np.isfinite(limit)
        inside.append((errors[mine] <= limit)[judged])
    joined = np.concatenate(inside)
    return float(joined.mean()) if len(joined) else None


def covered(radius: dict[str, float | None], errors: np.ndarray) -> float | None:
    """Share of (images, bodyparts) errors within the radius of their bodypart; None if unknown."""
    limits = np.array([np.nan if r is None else r for r in radius.values()])
    judged = np.isfinite(errors) & np.isfinite(limits)
    return float((errors <= limits)[judged].mean()) if judged.any() else None


def _say_unknown(
    records: Sequence[LabelRecord], held: set[str], classes: Sequence[str], fold: str
) -> None:
    """Says of which classes a head knows no crop, but must judge some."""
    known = {r.label for r in records if r.name not in held}
    lacking = [name for i, name in enumerate(classes) if i not in known]
    if lacking:
        LOG.warning(
            "fold %s: all crops of %s are held out, so that none of them can be found: label more, "
            "of several videos.",
            fold,
            listed(lacking, NAMED),
        )


def _radius(
    judge: Judge, records: list[LabelRecord], predicted: np.ndarray, folds: np.ndarray
) -> Uncertainty:
    errors = judge.errors(records, predicted)
    # Of several animals there are several errors an image.
    folds = np.repeat(folds, len(errors) // len(records))
    found = [None if np.isnan(r) else float(r) for r in radii(errors)]
    return Uncertainty(
        level=LEVEL,
        radius_px=dict(zip(judge.names, found, strict=True)),
        coverage=coverage(errors, folds),
    )
