"""Nominal seconds of training, by arithmetic alone: the same on every machine.

A budget in seconds of a clock would give another model on a busy machine. These are the seconds of
two cores of 2026, fitted to measured steps (docs/accuracy.md).
"""

import numpy as np

from beampose.core.settings.experiment import Config
from beampose.core.task_kinds import TaskKind

# No head is trained for more or fewer steps, whatever the budget.
MOST, FEWEST = 20_000, 50
# Seconds of a step beside its arithmetic, operations a second of the convolutions of two cores, and
# seconds for each cell, pair of bodyparts and animal of the target of a part affinity field.
STEP, SPEED, FIELD = 0.002, 42e9, 6e-8


def of_step(
    config: Config,
    kind: TaskKind,
    *,
    dims: int,
    names: int,
    cells: float,
    individuals: int = 1,
    edges: int = 0,
) -> float:
    """Seconds of a training step.

    Args:
      config: all of its recipe but the steps is set.
      dims: of the features.
      names: number of bodyparts or classes.
      cells: of a whole map; a window takes fewer.
      individuals: of pose.
      edges: part affinity fields.
    """
    train, hidden = config.train, config.train.hidden
    size = train.batch_size or 1
    if kind.pooled:
        return STEP + 6 * size * dims * max(hidden, names) / SPEED
    seen = min(train.window**2, cells) if train.window else cells
    weights = 9 * dims * hidden + 9 * hidden**2 * (config.layers - 1)
    weights += hidden * (3 * names + 2 * edges)
    # Forward once, and back to the weights and to what lies before them.
    arithmetic = 6 * seen * size * weights / SPEED
    return STEP + arithmetic + FIELD * seen * size * edges * individuals


def affordable(config: Config, each: float) -> int:
    """Steps that `train.budget` allows in all, each of so many seconds."""
    return int(np.clip(config.train.budget / each, FEWEST, MOST))
