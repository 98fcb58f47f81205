"""Measures how fast peaks become individuals: one JSON line. `python scripts/benchmark/assemble.py`

Simulated frames, as a model of 9 bodyparts would answer to them: noisy peaks and edge costs, one
bodypart in ten not seen, and false peaks in what is left of the bounded number.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from beampose.trainer import assemble, graph

BODYPARTS = 9
SIDE = 1000.0
BODY = 40.0


def frame(rng: np.random.Generator, animals: int, peaks: int, edges: np.ndarray) -> tuple:
    """Outputs of a model for one frame, and whose each peak is, -1 = nobody's."""
    centres = rng.uniform(0, SIDE, (animals, 1, 2))
    truth = centres + rng.normal(0, BODY, (animals, BODYPARTS, 2))
    place = rng.uniform(0, SIDE, (BODYPARTS, peaks, 2))
    likelihood = rng.uniform(0, 0.3, (BODYPARTS, peaks))
    owner = np.full((BODYPARTS, peaks), -1)
    for part in range(BODYPARTS):
        slots = rng.permutation(peaks)[:animals]
        seen = rng.random(animals) > 0.1
        place[part, slots[seen]] = truth[seen, part] + rng.normal(0, 1, (seen.sum(), 2))
        likelihood[part, slots[seen]] = rng.uniform(0.5, 1, seen.sum())
        owner[part, slots[seen]] = np.flatnonzero(seen)
    first, second = owner[edges[:, 0]][:, :, None], owner[edges[:, 1]][:, None]
    same = (first == second) & (first >= 0)
    costs = np.where(same, rng.normal(0.6, 0.2, same.shape), rng.normal(0.0, 0.1, same.shape))
    return {"peaks": place, "likelihood": likelihood, "edge_costs": costs}, owner


def rules(animals: int, edges: np.ndarray) -> assemble.Rules:
    """Of a model that was just trained."""
    reach = np.full((BODYPARTS, BODYPARTS), 6 * BODY)
    np.fill_diagonal(reach, np.inf)
    return assemble.Rules(
        individuals=tuple(f"animal{i}" for i in range(animals)),
        bodyparts=tuple(f"part{i}" for i in range(BODYPARTS)),
        animals=animals,
        unique=(),
        edges=edges,
        min_affinity=np.full(len(edges), assemble.MIN_AFFINITY),
        weights=np.ones(len(edges)),
        reach=reach,
        min_likelihood=assemble.MIN_LIKELIHOOD,
        min_parts=3,
        identity=False,
    )


def whole(found: np.ndarray, outputs: dict, owner: np.ndarray) -> float:
    """Share of real peaks that stand in one animal with the others of their owner."""
    right = total = 0
    for animal in range(owner.max() + 1):
        rows = []
        for part, slot in np.argwhere(owner == animal):
            same = np.isclose(found[:, part, 0], outputs["peaks"][part, slot, 0])
            rows.append(int(same.argmax()) if same.any() else -1)
        counts = np.bincount([row for row in rows if row >= 0], minlength=1)
        right, total = right + counts.max(), total + len(rows)
    return right / total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100)
    frames = parser.parse_args().frames
    rng = np.random.default_rng(0)
    edges = graph.choose(np.zeros((1, BODYPARTS, 2)), range(BODYPARTS), [], most=91)
    found = {}
    for animals in (2, 10, 30):
        known = rules(animals, edges)
        peaks = animals + max(2, animals // 2)
        made = [frame(rng, animals, peaks, edges) for _ in range(frames)]
        assemble.assemble(made[0][0], known)
        began = time.perf_counter()
        assembled = [assemble.assemble(outputs, known) for outputs, _ in made]
        seconds = time.perf_counter() - began
        share = [whole(a, *one) for a, one in zip(assembled, made, strict=True)]
        found[str(animals)] = {
            "frames_per_second": round(frames / seconds, 1),
            "points_in_their_animal": round(float(np.mean(share)), 4),
        }
    print(json.dumps({"bodyparts": BODYPARTS, "edges": len(edges), "animals": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
