"""Tells Vertex AI's hyperparameter tuning how a trial did; elsewhere nothing."""

import json
import os
import time
from pathlib import Path
from typing import Any

# Where Vertex AI looks, and what says that this is a trial.
FILE = "CLOUD_ML_HP_METRIC_FILE"
TRIAL = "CLOUD_ML_TRIAL_ID"
DEFAULT = "/tmp/hypertune/output.metrics"  # noqa: S108


def is_trial() -> bool:
    """Whether a study runs this training."""
    return TRIAL in os.environ


def report(name: str, value: float | None, step: int) -> None:
    """Writes the figure of a finished training, one JSON line, if it is a trial."""
    trial = os.environ.get(TRIAL)
    if trial is None or value is None:
        return
    line = {
        "timestamp": time.time(),
        "trial": trial,
        name: str(float(value)),
        "global_step": str(step),
        "checkpoint_path": "",
    }
    file = Path(os.environ.get(FILE, DEFAULT))
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line, sort_keys=True) + "\n")


def overrides(words: list[str]) -> list[str]:
    """`--train.layers=3.0`, as a study calls its trials, to `train.layers=3`.

    Raises:
      ValueError: a word is no setting.
    """
    found = []
    for word in words:
        key, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not equals or "." not in key:
            raise ValueError(f"Unknown argument {word!r}. Settings look like --train.steps=400.")
        found.append(f"{key}={_whole(text)}")
    return found


def _whole(text: str) -> Any:
    # Discrete values are all floats to Vertex AI.
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else text
