"""Measures what choosing the frames to label gains; prints one JSON line.

Usage: python scripts/benchmark/selection.py DATA [--set openfield-image] [--count 20]
           [--repeats 10] [--steps 200] [--methods random pixels features ...] [--store FOLDER]
DATA holds the sets of `sets.py` by their folder names. The frames a set trains on are the pool:
each method chooses `count` of them, a head is trained on these (and their augmented copies) for
`steps` steps, and the held-out frames, always the same, are measured after the last step. Builtin
backbone, scale 1.0; each repeat has another seed, for the choice and for the training. All are
embedded once; `--store` keeps the features between runs.
"""

import argparse
import copy
import json
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import sets


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("data")
    made.add_argument("--set", default="openfield-image", choices=sets.SETS)
    made.add_argument("--count", type=int, default=20)
    made.add_argument("--repeats", type=int, default=10)
    made.add_argument("--steps", type=int, default=200)
    made.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    made.add_argument("--store", help="default: a temporary folder")
    return made


def random(pool, count, rng):
    from beampose.preprocess import select

    return select.uniform(len(pool.pixels), count, rng)


def pixels(pool, count, rng):
    from beampose.preprocess import select

    return select.by_kmeans(pool.pixels, count, rng)


def features(pool, count, rng):
    from beampose.preprocess import select

    return select.by_kmeans(pool.vectors, count, rng, central=True)


def core_set(pool, count, rng):
    from beampose.preprocess import select

    return select.by_core_set(pool.vectors, count, rng)


METHODS: dict[str, Callable] = {
    "random": random,
    "pixels": pixels,
    "features": features,
    "core-set": core_set,
}


class Pool:
    """The training frames of a set: names, and what the methods see of them."""

    def __init__(self, records):
        from beampose.pipelines.curation import frame_vectors
        from beampose.preprocess import select

        self.names = [record.name for record in records]
        found = list(frame_vectors.read(record.image_uri for record in records))
        assert len(found) == len(records)
        self.pixels = np.stack([select.thumbnail(one) for one in found])
        embed = frame_vectors.Embedding("resnet_compact", "builtin", frame_vectors.SCALE)
        self.vectors, _ = select.standardised(embed.all(found), np.empty((0, 1)))


def main() -> int:
    arguments = parser().parse_args()
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        values = sets.values(arguments.data, arguments.set, f"{folder}/out")
        values["store"] = arguments.store or f"{folder}/store"
        values["train"]["steps"] = arguments.steps
        # Nothing is measured before the last step.
        values["train"]["evaluate_every"] = arguments.steps
        print(json.dumps(measure(arguments, values)), flush=True)
    return 0


def measure(arguments, values) -> dict:
    from beampose.core.settings import experiment
    from beampose.pipelines.features import feature_job
    from beampose.trainer import choice

    loaded = experiment.from_dict(experiment.Config, values)
    feature_job.run(loaded)
    dataset, loaded = choice.of_experiment(loaded)
    pool = Pool(dataset.of("train"))
    errors: dict[str, list[float]] = {name: [] for name in arguments.methods}
    began = time.perf_counter()
    for repeat in range(arguments.repeats):
        values["train"]["seed"] = repeat
        chosen = experiment.from_dict(experiment.Config, values)
        for name, found in errors.items():
            picked = METHODS[name](pool, arguments.count, np.random.default_rng(repeat))
            names = {pool.names[i] for i in picked}
            place = f"{loaded.output}/{name}-{repeat}"
            found.append(trained(chosen, dataset, names, place))
            print(f"{name} {repeat}: {len(names)} frames, {found[-1]:.2f} px", file=sys.stderr)
    return {
        "set": arguments.set,
        "pool": len(pool.names),
        "held_out": len(dataset.of("test")),
        "count": arguments.count,
        "steps": arguments.steps,
        "mean_error_px": {name: round(float(np.mean(e)), 3) for name, e in errors.items()},
        "standard_error": {
            name: round(float(np.std(e, ddof=1) / np.sqrt(len(e))), 3) if len(e) > 1 else None
            for name, e in errors.items()
        },
        "worst": {name: round(float(np.max(e)), 3) for name, e in errors.items()},
        "each": {name: [round(one, 3) for one in e] for name, e in errors.items()},
        "seconds": round(time.perf_counter() - began, 1),
    }


def trained(config, dataset, names: set[str], place: str) -> float:
    """Mean error on the held-out frames of a head that learned from some frames."""
    from beampose.trainer.training import train

    view = copy.copy(dataset)
    view.records = [r for r in dataset.records if r.split == "test" or r.name in names]
    result = train(config, view, checkpoints=f"{place}/checkpoints", logs=f"{place}/logs")
    test = view.of("test")
    found = result.task.judge.measure(test, result.task.predict(test, config.head.batch_size))
    if found.mean_error_px is None:
        raise ValueError("No held-out frame is labeled.")
    return found.mean_error_px


if __name__ == "__main__":
    sys.exit(main())
