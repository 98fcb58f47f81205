"""Frozen networks up to their taps by TensorFlow and by LiteRT, in turn; one JSON line a network.

Usage: python scripts/benchmark/lite.py NAME=WEIGHTS [NAME=WEIGHTS …] [--height 480] [--width 640]
           [--batch 2] [--pooled] [--rounds 5]
A line holds milliseconds of the processor and of the clock for an image, the median of the rounds;
seconds in which the LiteRT file is made; its bytes; and how far the maps are apart, as a share of
their largest value.
Example: python scripts/benchmark/lite.py resnet_compact=builtin efficientnet_lite0=package
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("networks", nargs="+", metavar="NAME=WEIGHTS")
    made.add_argument("--height", type=int, default=480)
    made.add_argument("--width", type=int, default=640)
    made.add_argument("--batch", type=int, default=2)
    made.add_argument("--pooled", action="store_true", help="as crops are seen")
    made.add_argument("--rounds", type=int, default=5)
    return made


def main() -> int:
    arguments = parser().parse_args()
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    for one in arguments.networks:
        name, _, weights = one.partition("=")
        print(json.dumps({"network": name, **measure(name, weights, arguments)}), flush=True)
    return 0


def measure(name: str, weights: str, arguments: argparse.Namespace) -> dict:
    import numpy as np
    import tensorflow as tf

    from beampose.trainer.backbone import Backbone
    from beampose.trainer.lite.runner import LiteRunner
    from beampose.trainer.traced import traced

    backbone = Backbone(name, weights, pooled=arguments.pooled)
    shape = (arguments.batch, arguments.height, arguments.width, 3)
    images = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    pixels = backbone.pixels(tf.constant(images))
    graph = traced(backbone.maps, [tf.TensorSpec((None, None, None, 3), tf.float32)])
    began = time.perf_counter()
    content = backbone.lite_file()
    made = time.perf_counter() - began
    if content is None:
        return {"lite": None}
    lite, given = LiteRunner(content), pixels.numpy()

    def by_tensorflow() -> list:
        return [each.numpy() for each in graph(pixels)]

    sides: dict[str, Callable[[], list]] = {
        "tensorflow": by_tensorflow,
        "lite": lambda: lite(given),
    }
    answers = {side: run() for side, run in sides.items()}
    apart = max(
        float(np.abs(a - b).max() / np.abs(a).max())
        for a, b in zip(answers["tensorflow"], answers["lite"], strict=True)
    )
    times: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for _ in range(arguments.rounds):
        for side, run in sides.items():
            of_processor, of_clock = time.process_time(), time.perf_counter()
            run()
            times[side].append((time.process_time() - of_processor, time.perf_counter() - of_clock))
    found = {
        side: {
            kind: round(1000 * statistics.median(one[i] for one in each) / arguments.batch, 1)
            for i, kind in enumerate(("processor_ms", "clock_ms"))
        }
        for side, each in times.items()
    }
    return {**found, "made_s": round(made, 1), "bytes": len(content), "apart": apart}


if __name__ == "__main__":
    sys.exit(main())
