"""Error, training seconds and store size over settings of an experiment; prints JSON lines.

Usage: python scripts/benchmark/vary.py DATA --vary KEY=A,B,C [--vary KEY=A,B ...] [--sets ...]
           [--set KEY=VALUE ...] [--seeds 0] [--folder FOLDER]
DATA holds the sets of sets.py by their folder names. Every combination of values, each seed: one
line with the error in pixels (or the accuracy) on the held-out images after the last step, with no
step chosen by it. Features are embedded once a setting that changes them. The answer for the
docs' copies curve:
  vary.py data --vary features.copies=0,1,2,4,8,16 --set train.steps=1000 train.window=16
"""

import argparse
import itertools
import json
import sys
import tempfile

import sets
import yaml


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("data")
    made.add_argument("--vary", action="append", required=True, metavar="KEY=A,B,C")
    made.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    made.add_argument("--sets", nargs="+", choices=sets.SETS, default=list(sets.SETS))
    made.add_argument("--seeds", nargs="+", type=int, default=[0])
    made.add_argument("--folder", help="for stores, to use them again; default: a temporary one")
    return made


def main() -> int:
    arguments = parser().parse_args()
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    fixed = dict(_parsed(word) for word in arguments.set)
    varied = dict(_parsed(word, several=True) for word in arguments.vary)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or temporary
        for which in arguments.sets:
            for chosen in itertools.product(*varied.values()):
                settings = dict(zip(varied, chosen, strict=True))
                for seed in arguments.seeds:
                    every = {**fixed, **settings, "train.seed": seed}
                    found = measure(arguments.data, which, every, folder)
                    line = {"set": which, **settings, "seed": seed, **found}
                    print(json.dumps(line), flush=True)
    return 0


def measure(data: str, which: str, settings: dict, folder: str) -> dict:
    """One training; features that the store holds are not made again."""
    import os

    from beampose.core import storage
    from beampose.core.settings import experiment
    from beampose.pipelines.features import feature_job
    from beampose.trainer import choice
    from beampose.trainer.training import train

    values = sets.values(data, which, f"{folder}/{which}")
    values["store"] = f"{folder}/store"
    for key, value in settings.items():
        section, _, name = key.partition(".")
        values[section] = {**values[section], name: value}
    chosen = experiment.from_dict(experiment.Config, values)
    embedded = feature_job.run(chosen).embedded
    dataset, chosen = choice.of_experiment(chosen)
    place = f"{folder}/train/{storage.digest([which, settings, os.getpid()])[:16]}"
    result = train(chosen, dataset, checkpoints=f"{place}/checkpoints", logs=f"{place}/logs")
    test = dataset.of("test")
    found = result.task.judge.measure(test, result.task.predict(test, 8))
    figures = ("mean_error_px", "median_error_px", "accuracy")
    store = dataset.store_info
    return {
        **{key: round(value, 3) for key in figures if (value := found[key]) is not None},
        "train_s": round(result.seconds, 1),
        "embedded": embedded,
        "kb_a_record": round(store.bytes / store.records / 1e3, 1),
    }


def _parsed(word: str, *, several: bool = False):
    key, _, text = word.partition("=")
    return key, yaml.safe_load(f"[{text}]" if several else text)


if __name__ == "__main__":
    sys.exit(main())
