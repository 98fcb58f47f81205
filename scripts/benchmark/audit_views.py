"""Counts the wrong labels that another view shows; prints one JSON line per seed.

Usage: python scripts/benchmark/audit_views.py DATA [--seeds 0 1 2] [--steps 400] [--folds 5]
Labels of the mirror mouse, whose bodyparts are seen from two sides, are corrupted before anything
is trained: in some images two paws of one view are exchanged, and points are moved by 10, 15, 20
and 30 px in any direction. Cameras are found from these labels, heads trained on them, and the
audit asked.
A label counts as found if it is farther from what the other view allows than all but 2 % of
the true labels, and the head that never saw the frame is with the other view. `first_10_percent`
is the share in the first tenth of the audit's whole ranking.
"""

import sys
import time
from pathlib import Path

import audit
import defaults
import numpy as np

VIEWS = ("top", "bot")
SHIFTS = (10.0, 15.0, 20.0, 30.0)


def main() -> int:
    made = audit.parser(__doc__)
    made.add_argument("--each", type=int, default=15, help="points of each shift, and exchanges")
    return audit.run(made.parse_args(), measure)


def measure(arguments, seed: int, folder: str) -> dict:
    from beampose.core.settings import experiment
    from beampose.pipelines.curation import label_audit, label_evidence, suspects
    from beampose.pipelines.features import feature_job
    from beampose.pipelines.space import affine_views

    values = defaults.values(Path(arguments.data), "mirror-mouse", folder)
    wrong = corrupt(values["source"]["path"], f"{folder}/project", seed, arguments.each)
    values["source"]["path"] = f"{folder}/project"
    values["train"] = {"steps": arguments.steps}
    loaded = experiment.from_dict(experiment.Config, values)
    rig = f"{folder}/calibration.toml"
    affine_views.calibrate(loaded, VIEWS, rig)
    feature_job.run(loaded)
    began = time.perf_counter()
    evidence = label_evidence.gather(loaded, folds=arguments.folds, calibration=rig)
    seconds = time.perf_counter() - began
    assert evidence.views is not None
    kind = {
        (i, b): wrong.get((record.name, name), "true")
        for i, record in enumerate(evidence.records)
        for b, name in enumerate(evidence.names)
        if np.isfinite(evidence.views[i, b])
    }
    scores = {place: evidence.views[place] * suspects.this_view(evidence, *place) for place in kind}
    limit = np.quantile([scores[place] for place in kind if kind[place] == "true"], 0.98)
    ranked = label_audit.ranking(evidence)
    first = {(int(i), int(b)) for i, b in ranked[: round(len(ranked) / 10)]}
    found, listed = {}, {}
    for name in sorted(set(kind.values()) - {"true"}):
        places = [place for place in kind if kind[place] == name]
        found[name] = [sum(bool(scores[place] > limit) for place in places), len(places)]
        listed[name] = [sum(place in first for place in places), len(places)]
    return {
        "points": len(kind),
        "limit_px": round(float(limit), 1),
        "found": found,
        "first_10_percent": listed,
        "seconds": round(seconds, 1),
    }


def corrupt(source: str, target: str, seed: int, each: int) -> dict[tuple[str, str], str]:
    """Writes a project with wrong labels; what was done to (image, bodypart)."""
    from beampose.formats.deeplabcut import project_labels

    labels = project_labels.read(source)
    rng = np.random.default_rng(seed)
    keypoints = np.stack([frame.keypoints[0] for frame in labels.items])  # pyright: ignore
    names = [frame.name for frame in labels.items]
    parts = list(labels.bodyparts)
    done: dict[tuple[str, str], str] = {}
    paws = [
        part.removesuffix("_top") for part in parts if part.startswith("paw") and "_top" in part
    ]
    for i in rng.permutation(len(names)):
        view = VIEWS[rng.integers(2)]
        a, b = (parts.index(f"{paw}_{view}") for paw in rng.permutation(paws)[:2])
        if np.isfinite(keypoints[i, [a, b]]).all() and len(done) < 2 * each:
            keypoints[i, [a, b]] = keypoints[i, [b, a]]
            done |= {(names[i], parts[a]): "exchanged", (names[i], parts[b]): "exchanged"}
    both = [
        (i, b)
        for i, b in np.argwhere(np.isfinite(keypoints).all(axis=-1))
        for bare, view in [parts[b].rsplit("_", 1)]
        if view in VIEWS
        and (other := f"{bare}_{VIEWS[1 - VIEWS.index(view)]}") in parts
        and np.isfinite(keypoints[i, parts.index(other)]).all()
        and not {(names[i], parts[b]), (names[i], other)} & set(done)
    ]
    for k, place in enumerate(rng.permutation(len(both))[: each * len(SHIFTS)]):
        i, b = both[place]
        shift, angle = SHIFTS[k % len(SHIFTS)], rng.uniform(0, 2 * np.pi)
        keypoints[i, b] += shift * np.array([np.cos(angle), np.sin(angle)])
        done[names[i], parts[b]] = f"{shift:.0f} px"
    audit.write(Path(source), Path(target), labels, keypoints)
    return done


if __name__ == "__main__":
    sys.exit(main())
