"""Trains crop classifiers on a few crops of one class beside many of another, at each balance.

Usage: python scripts/benchmark/rare.py DATA [--draws 3] [--balances 0 1 2]
DATA holds crops-birdfeeder and crops-pollenbees. Each draw takes other crops to learn from; what is
held out stays the same. A set has a store, made of its first draw. Prints one JSON line for each
set, draw and `train.balance`: `balanced` is the share of held-out crops that are right, each class
counting as much. Nothing is exported.
"""

import argparse
import json
import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from beampose.core.settings import experiment
from beampose.pipelines.features import feature_job
from beampose.trainer import choice, training

CLASSES = {
    "bird": "crops-birdfeeder/{}/Positive",
    "background": "crops-birdfeeder/{}/Negative",
    "pollen": "crops-pollenbees/{}/Positive",
    "none": "crops-pollenbees/{}/Negative",
}
# How many crops of each class are learned from.
SETS = {
    "pollen-15": {"pollen": 15, "none": 250},
    "bird-5": {"bird": 5, "background": 240},
    "none-60": {"pollen": 180, "none": 60},
    "four-20": dict.fromkeys(CLASSES, 20),
}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("data", type=Path)
    made.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    made.add_argument("--draws", type=int, default=3)
    made.add_argument("--balances", type=float, nargs="+", default=[0.0, 1.0, 2.0])
    return made


def main() -> int:
    arguments = parser().parse_args()
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as work:
        for name in arguments.sets:
            for draw in range(arguments.draws):
                folder = Path(work, f"{name}-{draw}")
                copy(arguments.data, folder / "crops", SETS[name], draw)
                for balance in arguments.balances:
                    found = trained(folder, draw, balance, str(Path(work, f"store-{name}")))
                    line = {"set": name, "draw": draw, "balance": balance, **found}
                    print(json.dumps(line), flush=True)
    return 0


def copy(data: Path, folder: Path, counts: dict[str, int], draw: int) -> None:
    """A folder of crops: some to learn from, all that the sets hold out."""
    for label, count in counts.items():
        for part in ("Training", "Testing"):
            crops = sorted((data / CLASSES[label].format(part)).iterdir())
            if part == "Training":
                crops = random.Random(draw).sample(crops, count)
            target = folder / part / label
            target.mkdir(parents=True)
            for crop in crops:
                shutil.copy(crop, target)


def trained(folder: Path, seed: int, balance: float, store: str) -> dict[str, float]:
    """Figures of a model by the defaults but for its balance."""
    file = folder / f"balance-{balance:g}.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "task": "crops",
                "source": {"format": "crops", "path": "crops"},
                "split": {"by": "folder"},
                "train": {"seed": seed, "balance": balance},
                "output": f"run-{balance:g}",
                "store": store,
            }
        )
    )
    config = experiment.load(str(file))
    feature_job.run(config)
    dataset, config = choice.of_experiment(config)
    work = folder / f"work-{balance:g}"
    result = training.train(
        config, dataset, checkpoints=str(work / "checkpoints"), logs=str(work / "logs")
    )
    held_out = dataset.of("test")
    figures = result.task.judge.measure(held_out, result.task.predict(held_out, 64))
    confusion = np.array(figures.confusion)
    right = confusion.diagonal() / confusion.sum(axis=1)
    return {
        "balanced": round(float(right.mean()), 4),
        "accuracy": round(float(confusion.trace() / confusion.sum()), 4),
        **{
            f"found_{name}": round(float(r), 4)
            for name, r in zip(dataset.classes, right, strict=True)
        },
    }


if __name__ == "__main__":
    sys.exit(main())
