"""How many steps a head trains: as images that it does not learn from say.

Heads are trained on a part of the training split in rounds, each as long as all before together;
at the end of a round the rate has fallen to 0 and the other part judges. The test split has no say.
A head on maps trains as long as the budget allows unless that makes it worse: what longer training
gains on the common poses is smaller than the noise of a few hard ones. One on vectors stops where
it no longer gains, since it is soon overfit.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import storage, task_kinds
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.core.wording import agreed, counted
from beampose.trainer import cost, cross_validation, training, updates
from beampose.trainer.dataset import Dataset
from beampose.trainer.judging import Judge
from beampose.trainer.schema import LabelRecord
from beampose.trainer.tasks import task_table

# One image in so many judges. Parts that judge in turn: crops cost little.
ONE_IN, POOLED_PARTS = 4, 3
# Rounds, and the share of the budget that they may take in all; the rest is for the model itself.
ROUNDS, SHARE = 4, 1 / 4
# Rises when the same labels and settings would get another number of steps.
RULES = 3
# Steps of a head on maps at least, where the budget allows as many: before, it knows so little that
# one round is better or worse than another by chance.
ENOUGH = 300
# An improvement by less than this share is none; and this share, over the root of the number of
# images that judge, is noise.
GAIN, NOISE = 0.02, 0.5
# A point farther off than so many `train.pos_dist_thresh` is wrong, no matter how far.
WRONG = 2.0
# What a history calls the error by which steps are chosen.
ERROR = "bounded_error"
# Fewer images than this cannot judge; then the whole budget is trained.
LEAST = 8


class Search(NamedTuple):
    """How the number of steps was found.

    Attributes:
      steps: of the training.
      why: in a few words.
      rounds: number of steps and error of the judging images, see `bounded`; NaN where there was
        nothing to judge.
      judges: images that judged.
      seconds: of training for it.
    """

    steps: int
    why: str
    rounds: list[tuple[int, float]]
    judges: int
    seconds: float


def search(config: Config, dataset: Dataset, *, work: str) -> Search:
    """Finds the number of steps within `train.budget`; nothing is embedded.

    Args:
      config: all of the recipe but the steps is set.
      dataset: its test split is not looked at.
      work: folder for checkpoints: a killed search continues where it was.
    """
    kind = task_kinds.of_info(dataset.info)
    learned = cross_validation.training_part(dataset)
    total = _affordable(config, dataset)
    images = [r for r in learned.records if r.copy == 0]
    judging = _parts(config, images, POOLED_PARTS if kind.pooled else 1)
    if not judging:
        why = (
            f"the whole budget: {counted(len(images), 'image')} {agreed(len(images), 'are')} "
            "too few to hold some out"
        )
        if kind.pooled and len(images) >= LEAST:
            why = "the whole budget: holding images out would leave a class without any"
        return Search(total, why, [], 0, 0.0)
    ends = round_ends(int(total * SHARE / len(judging)))
    errors, seconds = [], 0.0
    for number, names in enumerate(judging):
        view = cross_validation.resplit(learned, names)
        folder = storage.place(work, f"steps-{number}")
        history, took = _rounds(config, view, ends, str(folder))
        errors.append([_error(history, end) for end in ends])
        seconds += took
    rounds = list(zip(ends, np.mean(errors, axis=0).tolist(), strict=True))
    rest, judges = total - ends[-1] * len(judging), sum(len(names) for names in judging)
    if kind.pooled:
        steps, why = first_best(rounds, rest)
    else:
        steps, why = enough(*last_good(rounds, rest, judges), rest)
    return Search(steps, why, rounds, judges, seconds)


def round_ends(most: int) -> list[int]:
    """The steps at which rounds end: each doubles what was trained."""
    last = max(most, cost.FEWEST)
    ends = [max(last >> (ROUNDS - 1 - i), 1) for i in range(ROUNDS)]
    return sorted(set(ends))


def first_best(rounds: Sequence[tuple[int, float]], rest: int) -> tuple[int, str]:
    """The fewest steps that no others beat, and why.

    Args:
      rounds: steps and error of each.
      rest: steps that the budget still allows.
    """
    good = _as_good(rounds, GAIN)
    if not good:
        return max(rest, cost.FEWEST), "the whole budget: nothing could be judged"
    steps = rounds[good[0]][0]
    if good[0] == len(rounds) - 1:
        return max(rest, steps), "the whole budget: held-out images still improved"
    return steps, f"held-out images improve no more after {steps}"


def last_good(rounds: Sequence[tuple[int, float]], rest: int, judges: int) -> tuple[int, str]:
    """The most steps that make held-out images no worse, and why.

    Args:
      rounds, rest: as above.
      judges: images that judged.
    """
    good = _as_good(rounds, NOISE / max(judges, 1) ** 0.5)
    if not good:
        return max(rest, cost.FEWEST), "the whole budget: nothing could be judged"
    steps = rounds[good[-1]][0]
    if good[-1] == len(rounds) - 1:
        return max(rest, steps), "the whole budget: held-out images did not get worse"
    return steps, f"held-out images get worse after {steps}"


def enough(steps: int, why: str, rest: int) -> tuple[int, str]:
    """As many steps, but what the least is, and why.

    Args:
      rest: as above.
    """
    least = min(ENOUGH, rest)
    if steps >= least:
        return steps, why
    return least, f"{why}, where nothing is learned yet: {ENOUGH} at least, or the whole budget"


def _as_good(rounds: Sequence[tuple[int, float]], share: float) -> list[int]:
    """Rounds whose error is the least, or more by this share at most."""
    errors = np.array([error for _, error in rounds])
    if not np.isfinite(errors).any():
        return []
    return np.flatnonzero(errors <= np.nanmin(errors) * (1 + share)).tolist()


def bounded(
    judge: Judge, records: Sequence[LabelRecord], predicted: np.ndarray, bound: float
) -> float:
    """Mean error of labels, none more than `bound`: a few far-off points decide nothing.

    Args:
      bound: source pixels, for points; also the error of one that is not found.

    Returns:
      Source pixels, or the share of wrong classes; NaN if nothing is labeled.
    """
    errors = judge.errors(records, predicted)
    if records[0].keypoints.size:
        known = np.concatenate([r.keypoints for r in records])
        labeled = np.isfinite(known).all(axis=-1).reshape(errors.shape)
        errors = np.where(labeled, np.fmin(errors, bound), np.nan)
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")


def _affordable(config: Config, dataset: Dataset) -> int:
    """Steps that the whole budget allows."""
    records = dataset.of("train")
    kind = task_kinds.of_info(dataset.info)
    cells = 1.0
    if not kind.pooled:
        shape = dataset.features(records[0]).shape
        cells = float(shape[0] * shape[1])
    task = task_table.make(experiment.changed(config, train={"steps": 1}), dataset)
    each = cost.of_step(
        config,
        kind,
        dims=dataset.dims,
        names=len(dataset.bodyparts or dataset.classes),
        cells=cells,
        individuals=len(dataset.info.individuals) or 1,
        edges=task.edges,
    )
    return cost.affordable(config, each)


def _parts(config: Config, images: Sequence[LabelRecord], count: int) -> list[set[str]]:
    """The names of the images that judge, for each time that others learn.

    These others have every class: where all crops of one would judge, the last ones learn.
    """
    if len(images) < LEAST:
        return []
    together = cross_validation.instants_of(images, config.split)
    alone = len(set(together))
    if alone < 2:
        return []
    parts = max(min(ONE_IN, alone // 2), 2)
    units = sorted({r.video for r in images})
    if config.split.by in ("video", "folder") and len(units) >= parts:
        # The figure that counts is that of unseen videos.
        of_unit = {unit: i % parts for i, unit in enumerate(units)}
        numbers = [of_unit[r.video] for r in images]
        together = [r.video for r in images]
    else:
        _, numbers = cross_validation.by_hash(images, parts, config.split)
    found = []
    for part in range(min(count, parts)):
        names = {r.name for r, n in zip(images, numbers, strict=True) if n == part}
        found.append(cross_validation.without_last(images, together, names))
    return [names for names in found if names]


def _rounds(config: Config, view: Dataset, ends: list[int], work: str):
    """Trains in rounds. Returns the history, with a score at the end of each, and the seconds."""
    chosen = experiment.changed(config, train={"steps": ends[-1]})
    training.prepare(chosen)
    task = task_table.make(chosen, view)
    optimizer = updates.adamw(
        updates.Rounds(chosen.head.learning_rate, ends), chosen.train.weight_decay
    )
    optimizer.build(updates.variables_of(task))
    judged, bound = view.of("test"), WRONG * chosen.head.pos_dist_thresh
    run = training.Run(
        task=task,
        optimizer=optimizer,
        batch_size=chosen.head.batch_size,
        digest=storage.digest(["rounds", RULES, ends, training.run_digest(chosen, view, judged)]),
        checkpoint=storage.place(work, training.CHECKPOINT),
        checkpoint_every=chosen.train.checkpoint_every,
        logs=str(storage.place(work, "logs")),
        judging=training.Judging(
            judged,
            chooses=False,
            after=lambda step: step in ends,
            enough=lambda history: task.kind.pooled and _stands_still(history),
            also=lambda predicted: {ERROR: bounded(task.judge, judged, predicted, bound)},
        ),
    )
    batches = training.stream_of(chosen, task, view.of("train", copies=True), ends[-1])
    result = training.fit(run, batches, steps=ends[-1])
    return result.history, result.seconds


def _stands_still(history: list) -> bool:
    """Whether two rounds brought nothing: the ones after them cost as much as all before."""
    errors = [entry.get(ERROR, float("nan")) for entry in history]
    return len(errors) > 2 and min(errors[-2:]) > (1 - GAIN) * min(errors[:-2])


def _error(history: list, end: int) -> float:
    """The error at the end of a round; NaN where it was not reached or could not be judged."""
    found = [entry[ERROR] for entry in history if entry["step"] == end and ERROR in entry]
    return float(found[0]) if found else float("nan")
