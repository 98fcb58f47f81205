#!/usr/bin/env python
"""Clicks until a model is as good as one of all labels: a simulated person with the model in the
loop, against labeling frames in random order from scratch.

The person knows the truth of a project. A point without a suggestion is a click; a suggestion that
is off by more than 3 px is dragged, which is a click, too; the rest of a frame is accepted by one
key. A fifth of the frames is held out and only measures. Prints one JSON line a way and seed.

Usage: scripts/benchmark/labeling.py PROJECT [--seeds 2] [--frames 40] [--every 4]
"""

import argparse
import json
import time
from collections.abc import Sequence

import numpy as np

from beampose.core import files
from beampose.pipelines.label.label_session import LabelSession
from beampose.pipelines.label.learning import Learning
from beampose.pipelines.label.live_frames import LEAST, Material
from beampose.preprocess import images

OFF = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--frames", type=int, default=40, help="labeled at most")
    parser.add_argument("--every", type=int, default=4, help="frames between two measurements")
    arguments = parser.parse_args()
    session = LabelSession(arguments.project)
    truth = {one.key: session.keypoints(one.key) for one in session.frames}
    truth = {key: one for key, one in truth.items() if np.isfinite(one).any()}
    for seed in range(arguments.seeds):
        for way in ("loop", "uniform"):
            began = time.perf_counter()
            found = simulate(session, truth, way, seed, arguments.frames, arguments.every)
            print(
                json.dumps(
                    {"way": way, "seed": seed, **found, "seconds": time.perf_counter() - began}
                )
            )


def simulate(
    session: LabelSession,
    truth: dict[str, np.ndarray],
    way: str,
    seed: int,
    most: int,
    every: int,
) -> dict:
    """Clicks and held-out error after every few frames."""
    rng = np.random.default_rng(seed)
    keys = [str(key) for key in rng.permutation(sorted(truth))]
    held, free = keys[: len(keys) // 5], keys[len(keys) // 5 :]

    def pixels(key: str) -> np.ndarray:
        return images.decode(files.read_bytes(session.path(session.frame(key))))

    learning = Learning(session.names, session.edges)
    labeled: dict[str, np.ndarray] = {}
    clicks, curve = 0, []
    while len(labeled) < min(most, len(free)):
        suggested = learning.news["suggestions"] if way == "loop" else {}
        key = _next(free, labeled, learning.news.get("next", []) if way == "loop" else [])
        clicks += _clicks(truth[key], suggested.get(key))
        labeled[key] = truth[key]
        if len(labeled) < LEAST or len(labeled) % every:
            continue
        learning.know(Material([*free, *held], dict(labeled), frozenset(labeled), (), pixels))
        _work(learning, held)
        curve.append([len(labeled), clicks, round(_error(learning, truth, held), 2)])
    return {"frames_clicks_error": curve}


def _next(free: Sequence[str], labeled: dict, proposed: Sequence[str]) -> str:
    wanted = [key for key in proposed if key in set(free) and key not in labeled]
    return wanted[0] if wanted else next(key for key in free if key not in labeled)


def _clicks(truth: np.ndarray, suggested: list | None) -> int:
    count, accepted = 0, False
    for i, b in np.argwhere(np.isfinite(truth).all(axis=-1)).tolist():
        said = suggested[i][b] if suggested else None
        if said is None or np.linalg.norm(np.array(said[:2]) - truth[i, b]) > OFF:
            count += 1
        else:
            accepted = True
    return count + accepted


def _work(learning: Learning, held: Sequence[str]) -> None:
    """Until the head knows all labels and has said what it thinks of all frames."""
    while learning.busy_with_suggestions(held) and learning.step():
        pass


def _error(learning: Learning, truth: dict[str, np.ndarray], held: Sequence[str]) -> float:
    apart = [
        np.linalg.norm(np.array(one[:2]) - truth[key][i, b])
        for key in held
        for i, row in enumerate(learning.news["suggestions"].get(key, []))
        for b, one in enumerate(row)
        if one is not None and np.isfinite(truth[key][i, b]).all()
    ]
    return float(np.mean(apart)) if apart else float("nan")


if __name__ == "__main__":
    main()
