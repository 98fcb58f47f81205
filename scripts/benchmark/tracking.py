"""Measures how fast and how well detections become tracks: one JSON line.

`python scripts/benchmark/tracking.py [--frames 500]`: simulated animals of 9 bodyparts that cross
in a square of 1000 pixels; one point in ten and one animal in twenty is not seen, and one frame in
twenty has a false animal.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
import herd  # pyright: ignore[reportMissingImports]

from beampose.pipelines.tracking import identity_metrics, stitch, tracklets
from beampose.pipelines.tracking.similarity import KINDS


def measured(detections: list[np.ndarray], truth: np.ndarray, kind: str) -> dict:
    frames, animals = truth.shape[:2]
    began = time.perf_counter()
    found = list(tracklets.track(detections, tracklets.Settings(similarity=kind)))
    tracked = time.perf_counter()
    made = stitch.stitch(found, stitch.Settings(tracks=animals), frames=frames)
    stitched = time.perf_counter()
    figures = identity_metrics.figures(truth, made.keypoints)
    return {
        "frames_per_second": round(frames / (tracked - began), 1),
        "stitching_seconds": round(stitched - tracked, 2),
        "tracklets": len(found),
        "idf1": round(figures["idf1"], 4),
        "idf1_at_best": round(best(detections, frames * animals), 4),
        "switches": figures["switches"],
    }


def best(detections: list[np.ndarray], labeled: int) -> float:
    """IDF1 if all that was seen of real animals were in the right track, and nothing else."""
    real = sum(
        int(((~np.isnan(one[..., 0])).any(axis=1) & ~(one[..., 2] == 0.3).any(axis=1)).sum())
        for one in detections
    )
    return 2 * real / (labeled + real)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=500)
    frames = parser.parse_args().frames
    results = {}
    for animals in (2, 10, 30):
        rng = np.random.default_rng(0)
        truth = herd.walk(rng, frames, animals)
        detections = herd.see(rng, truth)
        results[str(animals)] = {kind: measured(detections, truth, kind) for kind in KINDS}
    print(json.dumps({"frames": frames, "bodyparts": truth.shape[2], "animals": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
