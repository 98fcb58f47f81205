"""Chooses the rules of the recipe without a set and judges them on it, for each set.

Usage: python scripts/benchmark/leave_out.py DATA OUT.jsonl [--sets NAME …] [--budget 30]
       python scripts/benchmark/leave_out.py --judge OUT.jsonl
First, every set is trained at each scale and radius that some version of the rules would choose:
a line each, what OUT has already is passed over. Then the version that is best on all other sets
is judged on the one left out: how many times the error of the best cell of its grid it has, beside
today's rules and the version that is worst there. An error is the mean of pixels, each at most two
radii of today's rules, or what mAP lacks of 1.
Example: python scripts/benchmark/leave_out.py data out.jsonl --sets flies --budget 30
"""

import argparse
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import defaults
import numpy as np

# Versions of the rules: the constants of trainer/recipe.py of the same names.
SPACING = (8.0, 12.0, 14.0, 17.0, 24.0, 34.0)
MOST_PIXELS = (175_000, 350_000, 700_000, 1_000_000)
NEAR = (0.5, 0.7, 1.0, 1.4)
# Radii in cells that are trained; a rule's outcome counts as the one that is next to it.
RADII = (1.1, 1.55, 2.15)
SETS = [
    "openfield-block",
    "reaching-block",
    "mirror-mouse-fixed",
    "flies",
    "flies-other-film",
    "reaching-v1",
]


def main() -> int:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("data", type=Path, nargs="?")
    made.add_argument("out", type=Path, nargs="?")
    made.add_argument("--judge", type=Path, metavar="OUT.jsonl")
    made.add_argument("--sets", nargs="+", choices=defaults.SETS, default=SETS)
    made.add_argument("--budget", type=float, default=30.0)
    arguments = made.parse_args()
    if arguments.judge:
        print("\n".join(judged(defaults.lines(arguments.judge))))
        return 0
    if not arguments.data or not arguments.out:
        made.error("DATA and OUT.jsonl are missing")
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as folder:
            measure(arguments.data, name, arguments.out, arguments.budget, folder)
    return 0


def measure(data: Path, name: str, out: Path, budget: float, folder: str) -> None:
    """Trains a set at every scale and radius that a version of the rules chooses for it."""
    from beampose.core.settings import experiment
    from beampose.pipelines.features import feature_job
    from beampose.trainer import cells, choice, steps
    from beampose.trainer.training import train

    values = {**defaults.values(data, name, f"{folder}/facts"), "store": f"{folder}/store"}
    values["train"] = {"budget": budget, "seed": 0}
    first = experiment.from_dict(experiment.Config, values)
    feature_job.run(first)
    dataset, today = choice.of_experiment(experiment.changed(first, train={"steps": 1}))
    facts = choice.facts_of(dataset.of("train"))
    assert facts is not None
    outcomes = {version: outcome(facts, version) for version in versions()}
    have = {(one["set"], one["scale"], one["radius"]) for one in defaults.lines(out)}
    for scale in sorted({scale for scale, _ in outcomes.values()}):
        radii = sorted({radius for other, radius in outcomes.values() if other == scale})
        radii = [radius for radius in radii if (name, scale, radius) not in have]
        if not radii:
            continue
        changed = {**values, "features": {"scale": scale}, "output": f"{folder}/at"}
        config = experiment.from_dict(experiment.Config, changed)
        feature_job.run(config)
        for radius in radii:
            cell = cells.STRIDE / scale
            one = experiment.changed(config, train={"pos_dist_thresh": round(radius * cell, 1)})
            dataset, chosen = choice.of_experiment(one)
            place = f"{folder}/train-{scale}-{radius}"
            result = train(chosen, dataset, checkpoints=f"{place}/c", logs=f"{place}/logs")
            test = dataset.of("test")
            predicted = result.task.predict(test, 8)
            figures = result.task.judge.measure(test, predicted)
            bound = steps.WRONG * today.head.pos_dist_thresh
            line: dict[str, Any] = {
                "set": name,
                "scale": scale,
                "radius": radius,
                "steps": chosen.train.steps,
                "facts": facts._asdict(),
                "bounded_px": steps.bounded(result.task.judge, test, predicted, bound),
                **{
                    key: value
                    for key in ("mean_error_px", "median_error_px", "mAP")
                    if (value := getattr(figures, key)) is not None
                },
            }
            with out.open("a", encoding="utf-8") as stream:
                print(json.dumps(line), file=stream, flush=True)


def rules() -> tuple[float, int, float]:
    """Today's version."""
    from beampose.trainer import recipe

    return recipe.SPACING, recipe.MOST_PIXELS, recipe.NEAR


def versions() -> list[tuple[float, int, float]]:
    """All of them, today's first."""
    return list(dict.fromkeys([rules(), *itertools.product(SPACING, MOST_PIXELS, NEAR)]))


def outcome(facts, version: tuple[float, int, float]) -> tuple[float, float]:
    """Scale and radius in cells that a version of the rules chooses."""
    from beampose.trainer import cells, recipe

    before = rules()
    recipe.SPACING, recipe.MOST_PIXELS, recipe.NEAR = version
    try:
        scale = float(recipe._scale(facts, recipe.TINY_PIXELS).value)
        cell = cells.STRIDE / scale
        radius = float(recipe._radius(facts, cell).value) / cell
    finally:
        recipe.SPACING, recipe.MOST_PIXELS, recipe.NEAR = before
    return scale, min(RADII, key=lambda one: abs(np.log(one / radius)))


def judged(lines: list[dict[str, Any]]) -> list[str]:
    """A row for each set: what the rules cost that were chosen by the others."""
    from beampose.trainer.label_facts import LabelFacts

    names = list(dict.fromkeys(one["set"] for one in lines))
    errors = np.full((len(versions()), len(names)), np.nan)
    picked: dict[tuple[int, int], str] = {}
    for column, name in enumerate(names):
        cells = {(one["scale"], one["radius"]): _error(one) for one in lines if one["set"] == name}
        facts = LabelFacts(**next(one["facts"] for one in lines if one["set"] == name))
        for row, version in enumerate(versions()):
            cell = outcome(facts, version)
            picked[row, column] = f"scale {cell[0]:g}, {cell[1]:g} cells"
            errors[row, column] = cells[cell] / min(cells.values())
    logs = np.log(errors)
    rows = ["| left out | chosen by the others | there | today's rules | best of all | worst |"]
    rows.append("|---|---|---|---|---|---|")
    kinds = [name.partition("-")[0] for name in names]
    for column, name in enumerate(names):
        # Sets of one project are left out together.
        others = [i for i, kind in enumerate(kinds) if kind != kinds[column]]
        best = int(np.argmin(logs[:, others].mean(axis=1)))
        every = int(np.argmin(logs.mean(axis=1)))
        spacing, pixels, near = versions()[best]
        rows.append(
            f"| {name} | spacing {spacing:g}, {pixels:,} pixels, near {near:g} "
            f"| {errors[best, column]:.2f} ({picked[best, column]}) "
            f"| {errors[0, column]:.2f} ({picked[0, column]}) "
            f"| {errors[every, column]:.2f} | {errors[:, column].max():.2f} |"
        )
    return rows


def _error(line: dict[str, Any]) -> float:
    return 1 - line["mAP"] if "mAP" in line else line["bounded_px"]


if __name__ == "__main__":
    sys.exit(main())
