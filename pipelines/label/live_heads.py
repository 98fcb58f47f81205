"""Heads that go on learning while labels are added, one after the other on one graph.

What is predicted with is the running average of a head's weights (Polyak & Juditsky 1992): it is as
settled after any step as a training that ends there, so that nothing has to be wound down, and
labels may come at any time. TensorFlow is imported by whoever makes a network.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from beampose.core.settings.experiment import Config
from beampose.pipelines.label.live_features import LiveDataset
from beampose.trainer.schema import LabelRecord

# Steps between two looks at what a person did meanwhile.
CHUNK = 8
# Share of frames as they are in a batch; the rest are copies.
_ORIGINALS = 0.5
# Steps over which weights are averaged, about, and the share of the steps so far.
_AVERAGED, _SHARE = 80, 0.2


class LiveNetwork:
    """A network that several heads take turns on: it is traced once, which takes seconds.

    Args:
      config: all settings of the head are set.
      dataset: its records shape the task.
    """

    def __init__(self, config: Config, dataset: LiveDataset):
        import keras

        from beampose.trainer import updates
        from beampose.trainer.tasks import task_table

        # Each head starts with the same weights: they differ by what they learn from.
        keras.utils.set_random_seed(0)
        self.task: Any = task_table.make(config, dataset)
        self.config = config
        optimizer = updates.adamw(config.head.learning_rate, 0.0)  # pyright: ignore[reportArgumentType]
        optimizer.build(updates.variables_of(self.task))
        self._trained = updates.variables_of(self.task)
        self._changed = [*self._trained, *optimizer.variables]
        self._update = updates.update(self.task, optimizer)
        self._new = [np.array(one) for one in self._changed]

    def new(self) -> list[np.ndarray]:
        """The state of a head that has learned nothing: weights, and what the optimizer keeps."""
        return [one.copy() for one in self._new]

    def weights_of(self, state: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [one.copy() for one in state[: len(self._trained)]]

    def learn(self, head: "LiveHead", batch: Any) -> None:
        """Changes a head, whose turn it is, by a batch."""
        self._update(batch)
        head.done += 1
        share = 1 / min(_AVERAGED, 1 + _SHARE * head.done)
        for average, variable in zip(head.average, self._trained, strict=True):
            average += share * (np.array(variable) - average)

    def turn(self, head: "LiveHead") -> None:
        self._put(head.state)

    def state(self) -> list[np.ndarray]:
        return [np.array(one) for one in self._changed]

    def predict(self, head: "LiveHead", records: Sequence[LabelRecord]) -> np.ndarray:
        """(images, individuals, bodyparts, 3) by a head's average, NaN = missing."""
        self._put(head.average)
        if head.rules is not None:
            self.task.rules = head.rules
        found = self.task.predict(records, 4)[..., :3]
        return found[:, None] if found.ndim == 3 else found

    def finish(self, head: "LiveHead", records: Sequence[LabelRecord]) -> None:
        """Calibrates what follows the maps by the frames that the head learned from."""
        self._put(head.average)
        self.task.dataset.records = list(records)
        self.task.finish()
        head.rules = getattr(self.task, "rules", None)

    def _put(self, values: Sequence[np.ndarray]) -> None:
        for variable, value in zip(self._changed, values, strict=False):
            variable.assign(value)


class LiveHead:
    """What one head has learned.

    Attributes:
      state: weights, and what the optimizer keeps.
      average: of the weights over the last steps.
      done: steps.
      rules: of assembly, of several animals.

    Args:
      network: what it learns on.
      seed: of its batches.
    """

    def __init__(self, network: LiveNetwork, seed: int):
        self._rng = np.random.default_rng(seed)
        self.done = 0
        self.rules: Any = None
        self.network = network
        self.state = network.new()
        self.average = network.weights_of(self.state)

    def move(self, network: LiveNetwork) -> None:
        """Goes on learning on another network, from the start if that has other weights."""
        self.network, self.rules = network, None
        new = network.new()
        if [one.shape for one in new] != [one.shape for one in self.state]:
            self.state, self.average, self.done = new, network.weights_of(new), 0

    def learn(self, records: Sequence[LabelRecord], steps: int) -> None:
        """A few steps on some frames and copies of them."""
        plain = [r for r in records if not r.copy]
        copies = [r for r in records if r.copy]
        size = self.network.config.head.batch_size
        many = round(size * _ORIGINALS) if copies else size
        self.network.turn(self)
        for _ in range(steps):
            batch = [plain[i] for i in self._rng.integers(len(plain), size=many)]
            if copies:
                batch += [copies[i] for i in self._rng.integers(len(copies), size=size - many)]
            self.network.learn(self, self.network.task.make_batch(batch, self._rng))
        self.state = self.network.state()

    def finish(self, records: Sequence[LabelRecord]) -> None:
        """Calibrates by these frames how several animals are put together."""
        self.network.finish(self, records)

    def predict(self, records: Sequence[LabelRecord]) -> np.ndarray:
        """(images, individuals, bodyparts, 3), NaN = missing."""
        return self.network.predict(self, records)
