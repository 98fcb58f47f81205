"""Compares heads trained on features of several backbones; prints one JSON line per figure.

Usage: python scripts/benchmark/backbones.py DATA NAME=WEIGHTS [NAME=WEIGHTS ...] [--sets ...]
           [--seeds 0] [--steps 400]
DATA holds the sets below by their folder names. The same protocol for all: scale 1.0 (the two flies
0.5), PCA 64, no augmented copies, batches of 8; crops at 224 pixels with one dense layer. A line
holds the error on the held-out images after the last step (mean, median, pixels) or the accuracy,
of several animals also what was found of them, and the images a second the network takes, start-up
left out.
Example: python scripts/benchmark/backbones.py data resnet_compact=builtin resnet_compact=random:0
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import sets


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("data")
    made.add_argument("backbones", nargs="+", metavar="NAME=WEIGHTS")
    made.add_argument("--sets", nargs="+", choices=sets.SETS, default=list(sets.SETS))
    made.add_argument("--seeds", nargs="+", type=int, default=[0])
    made.add_argument("--steps", type=int, default=400)
    return made


def main() -> int:
    arguments = parser().parse_args()
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        for backbone in arguments.backbones:
            name, _, weights = backbone.partition("=")
            for which in arguments.sets:
                for result in measure(arguments, name, weights, which, folder):
                    print(json.dumps({"backbone": backbone, "set": which, **result}), flush=True)
    return 0


def measure(arguments, name: str, weights: str, which: str, folder: str):
    """One result a seed of training; the features are made once."""
    from beampose.core.names import NAMED_WEIGHTS
    from beampose.core.settings import experiment
    from beampose.pipelines.features import feature_job
    from beampose.trainer import choice
    from beampose.trainer.training import train

    values = sets.values(arguments.data, which, f"{folder}/{which}")
    if not weights.startswith("random:") and weights not in NAMED_WEIGHTS:
        weights = str(Path(weights).absolute())
    values["features"] |= {"backbone": name, "weights": weights, "copies": 0}
    values["train"]["steps"] = arguments.steps
    loaded = experiment.from_dict(experiment.Config, values)
    feature_job.run(loaded)
    speed = round(frames_a_second(loaded), 1)
    for seed in arguments.seeds:
        values["train"]["seed"] = seed
        chosen = experiment.from_dict(experiment.Config, values)
        dataset, chosen = choice.of_experiment(chosen)
        place = f"{folder}/train-{which}-{name}-{seed}"
        result = train(chosen, dataset, checkpoints=f"{place}/checkpoints", logs=f"{place}/logs")
        held_out = dataset.of("test")
        found = result.task.predict(held_out, chosen.head.batch_size)
        test = result.task.judge.measure(held_out, found)
        figures = ("mean_error_px", "median_error_px", "share_found", "mAP", "accuracy")
        yield {
            "seed": seed,
            **{key: round(value, 3) for key in figures if (value := test[key]) is not None},
            **{
                f"within_{px}_px": round(value, 3)
                for px, value in test.share_within_px.items()
                if value is not None
            },
            "train_s": round(result.seconds, 1),
            "features_per_s": speed,
        }


def frames_a_second(loaded) -> float:
    """Decoded images of the set through the network, in batches, after the first batch."""
    from beampose.core import files
    from beampose.pipelines.features import embedding_worker, labeled_source
    from beampose.preprocess import images

    model = embedding_worker.without_store(loaded)
    size = loaded.features.batch_size
    pixels = [
        images.decode(files.read_bytes(i.image)) for i in labeled_source.read(loaded)[0].items[:64]
    ]
    alike = [p for p in pixels if p.shape == pixels[0].shape]
    batches = [
        embedding_worker.fixed(alike[i : i + size], size) for i in range(0, len(alike), size)
    ]
    model.frames(batches[0]).numpy()
    began = time.perf_counter()
    for batch in batches:
        model.frames(batch).numpy()
    return len(batches) * size / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
