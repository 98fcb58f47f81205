"""Heads that go on learning while labels are added: one of all labels, and one without each fold.

TensorFlow is imported by whoever makes one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from beampose.core.settings.experiment import Config
from beampose.pipelines.label.live_features import LiveDataset
from beampose.trainer.schema import LabelRecord

FOLDS = 3
# Steps of a head that is new, and of one that saw most of the labels before.
FIRST_STEPS, STEPS = 160, 80
# Steps between two looks at what a person did meanwhile.
CHUNK = 8
# Copies of frames beside the frames themselves, in a batch.
_ORIGINALS = 0.5


class LiveHead:
    """A head and its optimizer, trained in small pieces.

    Args:
      config: all settings of the head are set.
      dataset: its records are those at the start, by which the task is shaped.
      seed: of its batches.
    """

    def __init__(self, config: Config, dataset: LiveDataset, seed: int):
        from beampose.trainer import updates
        from beampose.trainer.tasks import task_table

        self.task: Any = task_table.make(config, dataset)
        self._config = config
        self._rate = float(config.head.learning_rate)
        self._optimizer = updates.adamw(self._rate, 0.0)  # pyright: ignore[reportArgumentType]
        self._optimizer.build(updates.variables_of(self.task))
        self._step = updates.update(self.task, self._optimizer)
        self._rng = np.random.default_rng(seed)
        self._done = self._round = 0
        self.left = FIRST_STEPS

    @property
    def taught(self) -> bool:
        return self._done > 0 and not self.left

    def begin(self) -> None:
        """A round for new labels; a first one that has not ended goes on."""
        if not self._done:
            self.left = FIRST_STEPS
        else:
            self.left = max(self.left, STEPS)
        self._round = self.left

    def learn(self, records: Sequence[LabelRecord]) -> bool:
        """A few steps on some records. Returns True when the round has ended."""
        plain = [r for r in records if not r.copy]
        copies = [r for r in records if r.copy]
        size = self._config.head.batch_size
        many = round(size * _ORIGINALS) if copies else size
        for _ in range(min(CHUNK, self.left)):
            batch = [plain[i] for i in self._rng.integers(len(plain), size=many)]
            if copies:
                batch += [copies[i] for i in self._rng.integers(len(copies), size=size - many)]
            progress = 1 - self.left / max(self._round, 1)
            self._optimizer.learning_rate.assign(  # pyright: ignore[reportAttributeAccessIssue]
                self._rate * max(0.5 * (1 + np.cos(np.pi * progress)), 0.02)
            )
            self._step(self.task.make_batch(batch, self._rng))
            self.left -= 1
            self._done += 1
        if not self.left:
            self.task.finish()
        return not self.left

    def predict(self, records: Sequence[LabelRecord]) -> np.ndarray:
        """(images, individuals, bodyparts, 3), NaN = missing."""
        found = self.task.predict(records, 4)[..., :3]
        return found[:, None] if found.ndim == 3 else found
