"""The seconds of a training step on this machine, for a plan."""

import time

import keras
import numpy as np

from beampose.core import task_kinds
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config
from beampose.trainer import updates
from beampose.trainer.noise import Noise
from beampose.trainer.tasks import task_table

PROBED_STEPS = 10


def seconds_a_step(
    config: Config, *, dims: int, names: int, side: int, individuals: int = 1
) -> float:
    """Times some training steps on noise, for a plan.

    Args:
      dims: of the features.
      names: number of bodyparts or classes.
      side: of a square window, in cells.
      individuals: of pose.
    """
    config = experiment.changed(config, train={"steps": PROBED_STEPS})
    noise = Noise(
        task_kinds.of_names(config.task, individuals),
        dims=dims,
        names=names,
        side=side,
        count=config.head.batch_size,
        individuals=individuals,
    )
    task = task_table.make(config, noise)
    optimizer = keras.optimizers.AdamW(config.head.learning_rate)
    optimizer.build(updates.variables_of(task))
    step = updates.update(task, optimizer)
    records = noise.records[: config.head.batch_size]
    batch = task.make_batch(records, np.random.default_rng(0))
    step(batch)
    began = time.perf_counter()
    for _ in range(PROBED_STEPS):
        total, _ = step(batch)
    float(total)  # pyright: ignore[reportPossiblyUnboundVariable]
    return (time.perf_counter() - began) / PROBED_STEPS
