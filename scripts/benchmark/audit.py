"""Counts the wrong labels that the audit finds; prints one JSON line per seed.

Usage: python scripts/benchmark/audit.py DATA [--set openfield-image] [--share 0.05] [--shift 25]
           [--pair leftear rightear] [--seeds 0 1 2] [--steps 400] [--folds 5] [--store FOLDER]
Corrupts a share of a project's label points: half are moved by `shift` pixels in any direction,
half are exchanged with the other of the pair. Then the audit ranks all points, without being told.
A line says which share of the corrupted points stands in the first 5 and 10 % of the ranking, moved
and exchanged ones apart, and where pure residuals would have put them. Builtin backbone, scale 1.0.
"""

import argparse
import csv
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sets


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Arguments of all audits."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("data")
    made.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    made.add_argument("--steps", type=int, default=400)
    made.add_argument("--folds", type=int, default=5)
    return made


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--set", default="openfield-image")
    made.add_argument("--share", type=float, default=0.05)
    made.add_argument("--shift", type=float, default=25.0)
    made.add_argument("--pair", nargs=2, default=["leftear", "rightear"])
    made.add_argument("--store", help="default: a temporary folder")
    return run(made.parse_args(), measure)


def run(arguments, measured: Callable[..., dict]) -> int:
    """Prints a line for each seed; `measured` takes the arguments, the seed and a folder."""
    from beampose.trainer.quiet import import_tensorflow

    import_tensorflow()
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps({"seed": seed, **measured(arguments, seed, folder)}), flush=True)
    return 0


def measure(arguments, seed: int, folder: str) -> dict:
    from beampose.core.settings import experiment
    from beampose.pipelines.curation import label_audit, label_evidence
    from beampose.pipelines.features import feature_job

    values = sets.values(arguments.data, arguments.set, f"{folder}/out")
    moved, exchanged = corrupt(arguments, seed, values["source"]["path"], f"{folder}/project")
    values["source"]["path"] = f"{folder}/project"
    values["store"] = arguments.store or f"{folder}/store"
    values["train"]["steps"] = arguments.steps
    loaded = experiment.from_dict(experiment.Config, values)
    feature_job.run(loaded)
    began = time.perf_counter()
    evidence = label_evidence.gather(loaded, folds=arguments.folds)
    seconds = time.perf_counter() - began
    ranked = label_audit.ranking(evidence)
    names = [(evidence.records[i].name, evidence.names[b]) for i, b in ranked]
    plain = [names[k] for k in np.argsort([-evidence.errors[i, b] for i, b in ranked])]
    return {
        "points": len(names),
        "moved": len(moved),
        "exchanged": len(exchanged),
        **{
            f"found_in_{percent}_percent": {
                "all": found(names, moved | exchanged, percent),
                "moved": found(names, moved, percent),
                "exchanged": found(names, exchanged, percent),
                "by_residual_alone": found(plain, moved | exchanged, percent),
            }
            for percent in (5, 10)
        },
        "seconds": round(seconds, 1),
    }


def found(names: list, wrong: set, percent: int) -> float:
    """Share of the wrong points among the first of a ranking."""
    first = names[: round(len(names) * percent / 100)]
    return round(len(wrong & set(first)) / max(len(wrong), 1), 3)


def corrupt(arguments, seed: int, source: str, target: str) -> tuple[set, set]:
    """Writes a project with wrong labels. The (image, bodypart) that were moved and exchanged."""
    from beampose.core import files
    from beampose.formats.deeplabcut import project_labels
    from beampose.preprocess import images

    labels = project_labels.read(source)
    rng = np.random.default_rng(seed)
    keypoints = np.stack([frame.keypoints[0] for frame in labels.items])  # pyright: ignore
    names = [frame.name for frame in labels.items]
    parts = list(labels.bodyparts)
    labeled = np.argwhere(np.isfinite(keypoints).all(axis=-1))
    half = round(arguments.share * len(labeled) / 2)
    a, b = (parts.index(part) for part in arguments.pair)
    both = np.flatnonzero(np.isfinite(keypoints[:, [a, b]]).all(axis=(1, 2)))
    frames = rng.choice(both, round(half / 2), replace=False)
    keypoints[frames[:, None], [a, b]] = keypoints[frames[:, None], [b, a]]
    exchanged = {(names[i], parts[part]) for i in frames for part in (a, b)}
    rest = [(i, part) for i, part in labeled if (names[i], parts[part]) not in exchanged]
    moved = set()
    for k in rng.choice(len(rest), half, replace=False):
        i, part = rest[k]
        limit = images.decode(files.read_bytes(labels.items[i].image)).shape[1::-1]
        point = np.full(2, -1.0)
        while not (point >= 0).all() or not (point < limit).all():
            angle = rng.uniform(0, 2 * np.pi)
            point = keypoints[i, part] + arguments.shift * np.array([np.cos(angle), np.sin(angle)])
        keypoints[i, part] = point
        moved.add((names[i], parts[part]))
    write(Path(source), Path(target), labels, keypoints)
    return moved, exchanged


def write(source: Path, target: Path, labels, keypoints: np.ndarray) -> None:
    target.mkdir(parents=True)
    (target / "config.yaml").write_bytes((source / "config.yaml").read_bytes())
    by_video: dict[str, list[int]] = {}
    for i, frame in enumerate(labels.items):
        by_video.setdefault(frame.video, []).append(i)
    for video, rows in by_video.items():
        folder = target / "labeled-data" / video
        folder.mkdir(parents=True)
        stream = io.StringIO()
        writer = csv.writer(stream)
        writer.writerow(["scorer"] + [labels.scorer] * 2 * len(labels.bodyparts))
        writer.writerow(["bodyparts", *[p for p in labels.bodyparts for _ in "xy"]])
        writer.writerow(["coords", *["x", "y"] * len(labels.bodyparts)])
        for i in rows:
            frame = labels.items[i]
            os.symlink(frame.image, folder / Path(frame.image).name)
            cells = ["" if np.isnan(v) else repr(float(v)) for v in keypoints[i].ravel()]
            writer.writerow([frame.name, *cells])
        (folder / f"CollectedData_{labels.scorer}.csv").write_text(stream.getvalue())


if __name__ == "__main__":
    sys.exit(main())
