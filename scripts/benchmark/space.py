"""Measures points in space from simulated cameras: one JSON line.

`[ANIPOSE=PYTHON] python scripts/benchmark/space.py [--frames 4000]`: the errors, the share of them
inside the radius and the calibrations that docs/cameras.md prints, frames a second of one core for
six views of 30 bodyparts, and peak memory at `--frames` / 10 and at `--frames`. ANIPOSE names a
Python that has aniposelib, to which the same points are given.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
import rigs  # pyright: ignore[reportMissingImports]

from beampose.pipelines.space import boards, point_fit, rig_calibration, space_fit
from beampose.pipelines.space.view_points import UNKNOWN, Seen
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera

FOCAL = 1000.0
BOARD = "charuco:8x6:40:30"
# Takes a calibration, points (views, points, 2) and the name of what it writes.
THEIRS = """
import sys
import numpy as np
from aniposelib.cameras import CameraGroup
group = CameraGroup.load(sys.argv[1])
given = np.load(sys.argv[2])
found = {"linear": group.triangulate(given["points"], undistort=True)}
found["ransac"] = group.triangulate_ransac(given["points"], min_cams=2)[0]
np.savez(sys.argv[3], **found)
"""


def animal(frames: int, bodyparts: int) -> np.ndarray:
    """(frames, bodyparts, 3), mm."""
    walks = [rigs.walk(frames, seed) for seed in range(-(-bodyparts // 5))]
    return np.concatenate(walks, axis=1)[:, :bodyparts]


def seen(cams: list[Camera], places: np.ndarray, **errors: float) -> Seen:
    """What cameras see; `noise` pixels, `wrong` and `missing` shares, `moved` pixels of one camera;
    `told` the deviation that a model tells."""
    rng = np.random.default_rng(0)
    pixels = cameras.project(cams, places)[:, None]
    pixels = pixels + rng.normal(size=pixels.shape) * errors.get("noise", 1.0)
    odd = rng.random(pixels.shape[:4]) < errors.get("wrong", 0.0)
    pixels[odd] += rng.normal(0, 40, (odd.sum(), 2))
    pixels[rng.random(pixels.shape[:4]) < errors.get("missing", 0.0)] = np.nan
    pixels[..., -1, :] += errors.get("moved", 0.0)
    sigma = np.full((places.shape[1], len(cams)), errors.get("told", UNKNOWN))
    known = np.full(places.shape[1], "told" in errors)
    names = tuple(f"part{i}" for i in range(places.shape[1]))
    return Seen(pixels, np.ones(pixels.shape[:4]), sigma, known, ("",), names)


def figures(count: int, **errors: float) -> dict[str, Any]:
    places, cams = animal(2000, 8), rigs.rig(count, focal=FOCAL)
    fit = space_fit.fit(cams, seen(cams, places, **errors))
    off = np.linalg.norm(fit.places[:, 0] - places, axis=-1)
    there = np.isfinite(off)
    return {
        "mean_mm": float(f"{off[there].mean():.3g}"),
        "99_in_100_mm": float(f"{np.percentile(off[there], 99):.3g}"),
        "inside_radius": round(float((off < fit.radius[:, 0])[there].mean()), 3),
        "found": round(float(there.mean()), 4),
        "camera_left_out": fit.doubted,
    }


def beside_others(python: str | None) -> dict[str, Any]:
    """The linear solutions of two views and six, and points of which a tenth is wrong."""
    places = animal(12, 5).reshape(-1, 3)
    found = {}
    two = rigs.rig(2, focal=FOCAL)
    pixels = cameras.project(two, places) + np.random.default_rng(1).normal(size=(60, 2, 2))
    rays, projections = cameras.rays(two, pixels), cameras.projections(two)
    theirs = cv2.triangulatePoints(*projections, *(rays[:, i].T.copy() for i in range(2)))
    ours = point_fit.linear(rays, projections, np.ones((60, 2)))
    found["two_views_from_opencv_mm"] = float(np.abs(ours - (theirs[:3] / theirs[3]).T).max())

    six = rigs.rig(6, focal=FOCAL)
    view = seen(six, places[:, None], wrong=0.1)
    pixels = view.pixels[:, 0, 0]
    rays, projections = cameras.rays(six, pixels), cameras.projections(six)
    linear = point_fit.linear(rays, projections, np.ones((60, 6)))
    off = {"linear": linear, "ours": space_fit.fit(six, view).places[:, 0, 0]}
    if python:
        with tempfile.TemporaryDirectory() as folder:
            file = rigs.calibration(Path(folder), six)
            np.savez(f"{folder}/given.npz", points=np.swapaxes(pixels, 0, 1))
            words = [python, "-c", THEIRS, file, f"{folder}/given.npz", f"{folder}/made.npz"]
            subprocess.run(words, check=True, stdout=sys.stderr)
            made = np.load(f"{folder}/made.npz")
            found["six_views_from_aniposelib_mm"] = float(np.abs(linear - made["linear"]).max())
            off["aniposelib_ransac"] = made["ransac"]
    for name, points in off.items():
        found[f"{name}_mean_mm"] = round(float(np.linalg.norm(points - places, axis=1).mean()), 2)
    return found


def calibrated(wrong: float) -> dict[str, Any]:
    """Four cameras by the corners of a board in 30 poses, found to 0.1 px."""
    board, cams = boards.parse(BOARD), rigs.rig(4)
    rng = np.random.default_rng(1)
    shown: dict[str, dict[int, Any]] = {one.name: {} for one in cams}
    for instant, pose in enumerate(rigs.board_poses(board.corners, 30)):
        for one in cams:
            at = one.project(rigs.board_corners(board.corners, pose))
            inside = ((at > 5) & (at < [rigs.WIDTH - 5, rigs.HEIGHT - 5])).all(axis=1)
            at = at + rng.normal(size=at.shape) * 0.1
            odd = rng.random(len(at)) < wrong
            at[odd] += rng.normal(0, 20, (odd.sum(), 2))
            if inside.sum() >= boards.FEWEST:
                shown[one.name][instant] = np.flatnonzero(inside), at[inside]
    sizes = {one.name: (rigs.HEIGHT, rigs.WIDTH) for one in cams}
    began = time.process_time()
    made = rig_calibration.calibrate(board, shown, sizes)
    seconds = time.process_time() - began
    truth = rigs.walk(60).reshape(-1, 3)
    rays = cameras.rays(made.rig.cameras, cameras.project(cams, truth))
    measured = point_fit.linear(
        rays, cameras.projections(made.rig.cameras), np.ones(rays.shape[:2])
    )
    off = np.linalg.norm(rigs.aligned(measured, truth) - truth, axis=1)
    focal = [
        abs(one.matrix[0, 0] / other.matrix[0, 0] - 1)
        for one, other in zip(made.rig.cameras, cams, strict=True)
    ]
    return {
        "animal_off_mm": float(f"{off.mean():.2g}"),
        "focal_off": float(f"{max(focal):.2g}"),
        "reprojection_px": made.rig.error,
        "cpu_seconds": round(seconds, 1),
    }


def speed(frames: int) -> dict[str, Any]:
    """In a process of its own, so that its peak is its own."""
    cams = rigs.rig(6, focal=FOCAL)
    view = seen(cams, animal(frames, 30), wrong=0.03)
    before = _peak()
    began, cpu = time.perf_counter(), time.process_time()
    space_fit.fit(cams, view)
    return {
        "frames": frames,
        "frames_per_second": round(frames / (time.perf_counter() - began), 1),
        "frames_per_cpu_second": round(frames / (time.process_time() - cpu), 1),
        "peak_mb": _peak(),
        "peak_mb_before": before,
    }


def _peak() -> int:
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=4000)
    parser.add_argument("--speed", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.speed:
        print(json.dumps(speed(arguments.speed)))
        return 0
    mixed = {"wrong": 0.1, "missing": 0.2}
    rows = {f"{count}_views": figures(count) for count in (2, 3, 4, 6)}
    rows |= {f"{count}_views_told": figures(count, told=1.0) for count in (2, 3, 4, 6)}
    rows |= {f"{count}_views_without_noise": figures(count, noise=0.0) for count in (2, 3, 4, 6)}
    rows |= {f"{count}_views_wrong_and_missing": figures(count, **mixed) for count in (6, 4, 3)}
    rows |= {f"{count}_views_one_moved": figures(count, moved=30.0) for count in (6, 3)}
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    speeds = []
    for frames in (arguments.frames // 10, arguments.frames):
        words = [sys.executable, __file__, "--speed", str(frames)]
        speeds.append(
            json.loads(subprocess.run(words, check=True, capture_output=True, env=one_core).stdout)
        )
    print(
        json.dumps(
            {
                "points": rows,
                "others": beside_others(os.environ.get("ANIPOSE")),
                "calibration": {str(wrong): calibrated(wrong) for wrong in (0.0, 0.02)},
                "speed": speeds,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
