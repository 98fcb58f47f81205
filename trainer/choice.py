"""The whole recipe of a dataset: by rules, then the steps by training; the same for every verb."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import artefacts, class_sizes, files, storage, task_kinds
from beampose.core.infos import ChoiceInfo, Chosen, Round
from beampose.core.infos.dataset_info import worth_telling
from beampose.core.names import CHECKPOINTS
from beampose.core.settings.experiment import Config
from beampose.trainer import label_facts, recipe
from beampose.trainer.dataset import Dataset
from beampose.trainer.label_facts import LabelFacts
from beampose.trainer.schema import LabelRecord

LOG = logging.getLogger(__name__)
CHOICE = "choice.json"


class Choice(NamedTuple):
    """An experiment with all of its settings.

    Attributes:
      config: nothing is left open.
      chosen: what was, by setting, and why.
      seconds: that training for it took, now or before.
      rounds: of that training; empty if the steps were set.
    """

    config: Config
    chosen: dict[str, Chosen]
    seconds: float = 0.0
    rounds: Sequence[Round] = ()

    def lines(self) -> list[str]:
        """What was chosen, for a terminal."""
        told = worth_telling(self.chosen)
        if not told:
            return []
        values = ", ".join(f"{key} {one.value:g}" for key, one in told.items())
        whys = dict.fromkeys(one.why for one in told.values())
        return [f"chosen by the data: {values}", f"because: {'; '.join(whys)}"]


def choose(config: Config, dataset: Dataset, *, work: str) -> Choice:
    """Chooses what the config leaves open, by the labels and by the training split alone.

    Args:
      work: folder in which a search is continued and its outcome kept.

    Raises:
      ValueError: the training split is empty, or has no crop of a class.
    """
    info = dataset.info
    config = recipe.of_dataset(config, info, dataset.store_info.recipe.scale)
    records = dataset.of("train")
    if not records:
        raise ValueError("The training split is empty. Lower split.test or add labels.")
    sizes = Counter(r.label for r in records)
    by_class = {name: sizes[i] for i, name in enumerate(dataset.classes)}
    if what := class_sizes.unlearned("train", by_class):
        raise ValueError(f"{config.source.path}: {what}.")
    rules = recipe.of_head(config, facts_of(records), _cell(dataset, records))
    config = recipe.resolved(config, rules)
    chosen = {**info.chosen, **rules}
    if config.train.steps is not None:
        return Choice(config, chosen)
    found = _steps(config, dataset, work)
    chosen["train.steps"] = Chosen(value=found.steps, why=found.why)
    return Choice(recipe.resolved(config, chosen), chosen, found.seconds, found.rounds)


def of_experiment(config: Config) -> tuple[Dataset, Config]:
    """The dataset of an experiment, and the experiment with the recipe its model is trained by.

    Raises:
      FileNotFoundError: there is no dataset.
    """
    dataset = Dataset(config.dataset, config.store, cache_mb=config.train.cache_mb)
    return dataset, choose(config, dataset, work=files.join(config.output, CHECKPOINTS)).config


def facts_of(records: list[LabelRecord]) -> LabelFacts | None:
    """Facts of labels; None for crops."""
    if not records[0].keypoints.size:
        return None
    return label_facts.facts(
        np.stack([r.keypoints for r in records]),
        [r.video for r in records],
        [r.height for r in records],
        [r.width for r in records],
    )


def _cell(dataset: Dataset, records: list[LabelRecord]) -> float:
    """Side of a cell of the maps in source pixels; that of the first image."""
    if task_kinds.of_info(dataset.info).pooled:
        return 0.0
    shape = dataset.features(records[0]).shape
    return (records[0].height / shape[0] * records[0].width / shape[1]) ** 0.5


def _steps(config: Config, dataset: Dataset, work: str) -> ChoiceInfo:
    """The outcome of a search for the number of steps; one that was made before is taken again."""
    from beampose.trainer import steps, training

    file = storage.place(work, CHOICE)
    about = [steps.RULES, training.run_digest(config, dataset), config.train.budget]
    about += [config.split.by, *([config.split.views] if config.split.views else [])]
    of = storage.digest(about)
    if file.is_file():
        try:
            before = artefacts.read_info(file, ChoiceInfo)
            if before.of == of:
                return before
        except ValueError as error:
            LOG.warning("%s: the number of steps is searched again.", error)
    found = steps.search(config, dataset, work=str(storage.place(work, "steps")))
    info = ChoiceInfo(
        of=of,
        steps=found.steps,
        why=found.why,
        rounds=[
            Round(steps=steps, error=None if np.isnan(error) else error)
            for steps, error in found.rounds
        ],
        judges=found.judges,
        seconds=round(found.seconds, 2),
    )
    artefacts.write_info(file, info)
    return info
