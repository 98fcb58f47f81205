"""Calibration of several cameras from corners of a board that they see at one time."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from beampose.core.wording import counted
from beampose.pipelines.space import bundle
from beampose.pipelines.space.boards import Board
from beampose.pipelines.space.bundle import Corners
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera, Rig

# Images of one camera that tell its lens, and the fewest; images that two cameras must share.
MOST_IMAGES, FEWEST_IMAGES, FEWEST_SHARED = 60, 8, 3
# Poses of the board that all cameras are adjusted by.
_MOST_POSES = 80
# Cells a side in which corners are counted for coverage.
_CELLS = 6
# Corners further off than this many times the middle error are left out of the second adjustment.
_WRONG = 6.0
# Boards that all lie as flat as this, in degrees from the first, do not tell a focal length.
_FLAT = 5.0

# By instant, the corners of the board: numbers (n,) and places (n, 2).
Found = Mapping[int, tuple[np.ndarray, np.ndarray]]


class Calibrated(NamedTuple):
    """A calibration and how good it is.

    Attributes:
      errors: by camera, pixels of each corner used. coverage: by camera, the share of the image in
        which corners were seen. images: by camera, how many were used.
    """

    rig: Rig
    errors: dict[str, np.ndarray]
    coverage: dict[str, float]
    images: dict[str, int]
    shared: dict[str, int]
    remarks: list[str]


def calibrate(
    board: Board, found: Mapping[str, Found], sizes: Mapping[str, tuple[int, int]]
) -> Calibrated:
    """Calibrates cameras.

    Args:
      found: by camera, corners by instant.
      sizes: by camera, height and width of the images.

    Raises:
      ValueError: a camera has too few images, all alike, or shares too few with the others.
    """
    names = list(found)
    lenses = {name: _lens(board, name, found[name], sizes[name]) for name in names}
    poses = {name: _poses(board, lenses[name], found[name]) for name in names}
    rig, shared = _placed(names, lenses, poses)
    instants = _instants(found, sizes)
    start = np.stack([_in_world(rig, poses, instant) for instant in instants])
    corners = _corners(board, names, found, instants)
    rig, start = bundle.adjust(rig, start, corners)
    off = bundle.errors(rig, start, corners)
    kept = off <= _WRONG * max(float(np.median(off)), 0.05)
    if not kept.all():
        rig, start = bundle.adjust(rig, start, corners.some(kept))
        off = bundle.errors(rig, start, corners)
    used = corners.some(kept)
    errors = {name: off[kept][used.camera == i] for i, name in enumerate(names)}
    total = float(np.sqrt(np.mean(off[kept] ** 2)))
    coverage = {name: _coverage(list(found[name].values()), sizes[name]) for name in names}
    return Calibrated(
        Rig(tuple(rig), error=total),
        errors,
        coverage,
        {name: len(found[name]) for name in names},
        shared,
        _remarks(errors, coverage, int((~kept).sum()), len(kept)),
    )


def _lens(board: Board, name: str, found: Found, size: tuple[int, int]) -> Camera:
    """The camera by itself (Zhang 2000), at the origin."""
    if len(found) < FEWEST_IMAGES:
        raise ValueError(
            f"The camera {name} shows the board in {counted(len(found), 'frame')}, not "
            f"{FEWEST_IMAGES}: "
            "film the whole board closer, slower and without glare, and check --board."
        )
    chosen = _spread_out(found, size, MOST_IMAGES)
    objects = [board.corners[found[i][0]].astype(np.float32) for i in chosen]
    images = [found[i][1].astype(np.float32) for i in chosen]
    flags = cv2.CALIB_FIX_K3 | cv2.CALIB_USE_INTRINSIC_GUESS
    guess = np.array([[max(size), 0, size[1] / 2], [0, max(size), size[0] / 2], [0, 0, 1.0]])
    try:
        _, matrix, lens, turns, _ = cv2.calibrateCamera(
            objects, images, size[::-1], guess, np.zeros(5), flags=flags
        )
    except cv2.error:
        raise ValueError(
            f"The corners of the board in the camera {name} fit no camera. Check --board."
        ) from None
    normals = np.stack([cv2.Rodrigues(turn)[0][:, 2] for turn in turns])
    tilt = np.degrees(np.arccos(np.clip(np.abs(normals @ normals[0]), 0, 1))).max()
    sane = 0.2 * max(size) < matrix[0, 0] < 50 * max(size) and np.isfinite(lens).all()
    if tilt < _FLAT or not sane:
        raise ValueError(
            f"The camera {name} sees the board at one angle (within {tilt:.0f} degrees), which "
            "does not tell its focal length. Tilt the board while filming."
        )
    return cameras.pinhole(
        name, matrix, np.zeros(3), np.zeros(3), distortion=lens.ravel()[:5], size=size
    )


def _spread_out(found: Found, size: tuple[int, int], most: int) -> list[int]:
    """Instants whose corners lie where few others are, the best first; at most `most`."""
    instants, order = list(found), np.array([_CELLS, 1])
    cells: dict[int, np.ndarray] = {
        i: np.unique(_cells(found[i][1], size), axis=0) @ order for i in instants
    }
    counts = np.zeros(_CELLS * _CELLS)
    chosen: list[int] = []
    while instants and len(chosen) < most:
        gains = [(1 / (1 + counts[cells[i]])).sum() for i in instants]
        best = instants.pop(int(np.argmax(gains)))
        counts[cells[best]] += 1
        chosen.append(best)
    return chosen


def _cells(places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    at = (places / np.array(size[::-1]) * _CELLS).astype(int)
    return np.clip(at, 0, _CELLS - 1)


def _coverage(found: Sequence[tuple[np.ndarray, np.ndarray]], size: tuple[int, int]) -> float:
    every = np.concatenate([places for _, places in found])
    return len(np.unique(_cells(every, size), axis=0)) / _CELLS**2


def _poses(board: Board, camera: Camera, found: Found) -> dict[int, np.ndarray]:
    """(4, 4) by instant, from the board to the camera."""
    poses = {}
    for instant, (numbers, places) in found.items():
        there, turn, shift = cv2.solvePnP(
            board.corners[numbers], places, camera.matrix, camera.distortion
        )
        if there:
            poses[instant] = _matrix(turn, shift)
    return poses


def _matrix(turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = cv2.Rodrigues(turn)[0], np.ravel(shift)
    return found


def _placed(
    names: Sequence[str], lenses: Mapping[str, Camera], poses: Mapping[str, dict[int, np.ndarray]]
) -> tuple[list[Camera], dict[str, int]]:
    """Cameras in the space of the first, along the tree of pairs that share most images."""
    count = np.array([[len(set(poses[a]) & set(poses[b])) for b in names] for a in names])
    np.fill_diagonal(count, 0)
    weights = np.where(count >= FEWEST_SHARED, 1.0 / np.maximum(count, 1), 0.0)
    tree = csgraph.minimum_spanning_tree(sparse.csr_matrix(weights))
    order, before = csgraph.breadth_first_order(tree, 0, directed=False)
    if len(order) < len(names):
        lost = next(name for i, name in enumerate(names) if i not in order)
        raise ValueError(
            f"The camera {lost} shares fewer than {FEWEST_SHARED} instants of the board with the "
            "other cameras. Film the board where two cameras see it at once, and check that the "
            "videos begin together (--offset)."
        )
    places = {0: np.eye(4)}
    shared = {}
    for one in order[1:]:
        a, b = names[int(before[one])], names[int(one)]
        common = sorted(set(poses[a]) & set(poses[b]))
        steps = [poses[b][i] @ np.linalg.inv(poses[a][i]) for i in common]
        places[int(one)] = _middle(steps) @ places[int(before[one])]
        shared[f"{a}-{b}"] = len(common)
    rig = [
        cameras.pinhole(
            name, lenses[name].matrix, places[i][:3, :3], places[i][:3, 3],
            distortion=lenses[name].distortion, size=lenses[name].size,
        )
        for i, name in enumerate(names)
    ]  # fmt: skip
    return rig, shared


def _middle(steps: Sequence[np.ndarray]) -> np.ndarray:
    """The step that is nearest to all others: the mean would be drawn by boards seen wrongly."""
    every = np.stack(steps)
    away = np.linalg.norm(np.median(every[:, :3, 3], axis=0)) or 1.0
    turned = np.abs(every[:, None, :3, :3] - every[None, :, :3, :3]).sum(axis=(-1, -2))
    moved = np.linalg.norm(every[:, None, :3, 3] - every[None, :, :3, 3], axis=-1) / away
    return every[np.median(turned + moved, axis=1).argmin()]


def _instants(found: Mapping[str, Found], sizes: Mapping[str, tuple[int, int]]) -> list[int]:
    """Instants to adjust by: each camera's most different ones, those that several see first."""
    seen: dict[int, int] = {}
    for one in found.values():
        for instant in one:
            seen[instant] = seen.get(instant, 0) + 1
    chosen: dict[int, None] = {}
    each = max(_MOST_POSES // len(found), FEWEST_IMAGES)
    for name, one in found.items():
        several = {i: corners for i, corners in one.items() if seen[i] > 1}
        chosen |= dict.fromkeys(_spread_out(several, sizes[name], each))
        chosen |= dict.fromkeys(_spread_out(one, sizes[name], FEWEST_IMAGES))
    return sorted(chosen)


def _in_world(
    rig: Sequence[Camera], poses: Mapping[str, dict[int, np.ndarray]], instant: int
) -> np.ndarray:
    """(6,), a pose of the board by the cameras that see it."""
    places = []
    for camera in rig:
        if instant in poses[camera.name]:
            back = np.linalg.inv(np.vstack([camera.projection, [0, 0, 0, 1]]))
            places.append(back @ poses[camera.name][instant])
    found = _middle(places) if len(places) > 2 else places[0]
    return np.concatenate([cv2.Rodrigues(found[:3, :3])[0].ravel(), found[:3, 3]])


def _corners(
    board: Board, names: Sequence[str], found: Mapping[str, Found], instants: Sequence[int]
) -> Corners:
    parts = [
        (number, pose, *found[name][instant])
        for number, name in enumerate(names)
        for pose, instant in enumerate(instants)
        if instant in found[name]
    ]
    counts = [len(numbers) for _, _, numbers, _ in parts]
    return Corners(
        np.repeat([number for number, *_ in parts], counts),
        np.repeat([pose for _, pose, *_ in parts], counts),
        board.corners[np.concatenate([numbers for _, _, numbers, _ in parts])],
        np.concatenate([places for *_, places in parts]),
    )


def _remarks(
    errors: Mapping[str, np.ndarray], coverage: Mapping[str, float], wrong: int, count: int
) -> list[str]:
    said = [
        f"the board was seen in {share:.0%} of the image of {name}: move it to the edges too, "
        "points there are less sure"
        for name, share in coverage.items()
        if share < 0.5
    ]
    said += [
        f"{name} is off by {np.sqrt(np.mean(off**2)):.1f} px: was the camera moved, or the film "
        "out of step?"
        for name, off in errors.items()
        if len(off) and np.sqrt(np.mean(off**2)) > 2
    ]
    if wrong:
        said.append(f"{wrong} of {count} corners were left out as wrong")
    return said
