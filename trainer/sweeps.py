"""Many trainings over one store: which settings of the head do best."""

import itertools
import json
import logging
from collections.abc import Sequence
from typing import Any

from beampose.core import storage, task_kinds, yaml_files
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.core.settings.section import ANIMALS, HEAD, outcome
from beampose.trainer import choice, cross_validation, recipe
from beampose.trainer.dataset import Dataset
from beampose.trainer.outcomes import Trial

LOG = logging.getLogger(__name__)


def combinations(path: str, overrides: Sequence[str]) -> list[tuple[dict[str, Any], Config]]:
    """All combinations of `section.key=a,b,c`, with the experiment each makes.

    Raises:
      ValueError: nothing varies, or something that decides the features does.
    """
    choices: dict[str, list[Any]] = {}
    for override in overrides:
        key, _, text = override.partition("=")
        try:
            values = yaml_files.parse(f"[{text}]")
        except ValueError as error:
            raise ValueError(f"--set {override}: the values are not YAML: {error}") from error
        if len(values) > 1 and not key.strip().startswith("train."):
            raise ValueError(
                f"--set {override}: a sweep varies settings below `train.`; the others decide what "
                "is embedded, and each value is an experiment of its own."
            )
        # Of a setting that is given twice the last counts, as in every verb.
        choices[key.strip()] = values or [None]
    varied = [key for key, values in choices.items() if len(values) > 1]
    if not varied:
        raise ValueError(
            "Nothing varies: give a setting several values, such as "
            "--set train.learning_rate=0.001,0.002,0.005."
        )
    found = []
    for values in itertools.product(*choices.values()):
        settings = dict(zip(choices, values, strict=True))
        words = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
        chosen = experiment.load(path, words)
        if chosen.train.mode == "finetune":
            raise ValueError(
                "A sweep trains heads on stored features: give --set train.mode=features, and "
                "finetune the best by `beampose train`."
            )
        found.append(({key: settings[key] for key in varied}, chosen))
    return found


def run(
    trials: Sequence[tuple[dict[str, Any], Config]], dataset: Dataset, *, work: str, count: int
) -> list[Trial]:
    """Trains every combination, best first. A failed one has no score and stands last.

    The test split stays unseen: it measures the combination that is chosen. What no combination
    sets is chosen once, by the first of them.

    Args:
      work: folder for checkpoints; a killed sweep continues where it was.
      count: folds, inside the training split, of a cross validation that scores each; 0 holds out
        a fifth of the training split.
    """
    kind = task_kinds.of_info(dataset.info)
    unit, sign = kind.score.replace("mean_error_px", "mean error (px)"), kind.sign
    common = choice.choose(trials[0][1], dataset, work=work)
    results = []
    for number, (settings, given) in enumerate(trials, 1):
        chosen = recipe.resolved(given, common.chosen)
        place = str(storage.place(work, storage.digest(outcome(chosen.train, HEAD, ANIMALS))[:16]))
        try:
            score, seconds = _score(chosen, dataset, place, count)
            failure = ""
        except (ValueError, ArithmeticError) as error:
            score, seconds, failure = None, 0.0, str(error)
        LOG.info("%d of %d: %s  %s", number, len(trials), settings, failure or score)
        results.append(Trial(settings, chosen, score, seconds, place, failure, unit))
    return sorted(results, key=lambda t: float("inf") if t.score is None else -sign * t.score)


def _score(chosen: Config, dataset: Dataset, place: str, count: int) -> tuple[float | None, float]:
    score = task_kinds.of_info(dataset.info).score
    learned = cross_validation.training_part(dataset)
    if count:
        judged = cross_validation.cross_validate(
            chosen, learned, folds=count, by_video=False, work=f"{place}/folds"
        )
        return judged.metrics[score], judged.seconds
    from beampose.trainer.training import train

    view = cross_validation.resplit(learned, cross_validation.held_out(learned, chosen.split))
    result = train(chosen, view, checkpoints=f"{place}/checkpoints", logs=f"{place}/logs")
    test = view.of("test")
    found = result.task.predict(test, chosen.head.batch_size)
    return result.task.judge.measure(test, found)[score], result.seconds
