"""State of a training that a killed run continues from, and its log for TensorBoard."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from upath import UPath

from beampose.core import disk, json_files, npz_files, storage
from beampose.core.answering import Unanswered

LOG = logging.getLogger(__name__)
# One of a training's history: numbers by name, and maybe why an evaluation failed.
Entry = dict[str, float | str]


class Board:
    """TensorBoard's log of a run; one in a bucket is written here and copied at checkpoints."""

    def __init__(self, folder: str):
        self._folder = folder
        self._local = Path(folder) if storage.is_local(folder) else storage.scratch(self)
        storage.check_writable(self._local)
        with disk.naming(folder, self._local):
            self._writer = tf.summary.create_file_writer(str(self._local))

    def write(self, step: int, entry: Entry) -> None:
        with disk.naming(self._folder, self._local), self._writer.as_default(step=step):
            for name, value in entry.items():
                if isinstance(value, float):
                    tf.summary.scalar(name, value)

    def publish(self) -> None:
        with disk.naming(self._folder, self._local):
            self._writer.flush()
        if not storage.is_local(self._folder):
            storage.upload(self._local, self._folder)


class State:
    """State a killed run needs to continue: weights, optimizer, history, best weights so far."""

    def __init__(self, trained: Sequence[keras.Model], optimizer: keras.optimizers.Optimizer):
        # `variables` includes the state of dropout's random generators; `weights` does not.
        self._variables = [v for model in trained for v in model.variables]
        self._live = [*self._variables, *optimizer.variables]
        self.step = 0
        self.seconds = 0.0
        self.history: list[Entry] = []
        self.losses: dict[str, float] = {}
        self.summed = 0
        self.best_step = 0
        self.best_score = float("nan")
        self.best = [v.numpy() for v in self._variables]

    def add(self, losses: Mapping[str, Any]) -> None:
        """Counts the losses of a step."""
        self.summed += 1
        for name, value in losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + float(value)

    def mean_losses(self) -> dict[str, float]:
        """Means over the steps since they were asked for: that of one batch is mostly chance."""
        found = {name: value / self.summed for name, value in self.losses.items()}
        self.losses, self.summed = {}, 0
        return found

    def keep(self, score: float) -> None:
        self.best_step, self.best_score = self.step, score
        self.best = [v.numpy() for v in self._variables]

    def restore_best(self) -> None:
        for variable, value in zip(self._variables, self.best, strict=True):
            variable.assign(value)

    def save(self, file: UPath, run: str) -> None:
        facts = {
            "run": run,
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "losses": self.losses,
            "summed": self.summed,
            "best_step": self.best_step,
            "best_score": self.best_score,
        }
        arrays = {f"live{i}": v.numpy() for i, v in enumerate(self._live)}
        arrays |= {f"best{i}": value for i, value in enumerate(self.best)}
        with storage.replacing(file) as temporary, temporary.open("wb") as handle:
            np.savez(handle, facts=np.array(json.dumps(facts)), allow_pickle=False, **arrays)

    def load(self, file: UPath, run: str) -> bool:
        """Takes up the run the file belongs to; False if it is another run's, or damaged."""
        try:
            with file.open("rb") as handle, npz_files.opened(handle) as saved:
                facts = json_files.record(str(saved["facts"]), "facts", "run")
                if facts.pop("run") != run:
                    LOG.info("%s belongs to other settings or labels: training starts again.", file)
                    return False
                live = [saved[f"live{i}"] for i in range(len(self._live))]
                self.best = [saved[f"best{i}"] for i in range(len(self.best))]
        except Unanswered:
            raise
        except (OSError, ValueError) as error:
            LOG.warning("%s cannot be read (%s): training starts again.", file, error)
            return False
        for variable, value in zip(self._live, live, strict=True):
            variable.assign(value)
        for name, value in facts.items():
            setattr(self, name, value)
        return True
