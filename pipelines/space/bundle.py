"""Bundle adjustment: cameras and boards moved until all corners fit best (Triggs 2000)."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy import sparse
from scipy.optimize import least_squares

from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera

# Numbers of a camera: turn, shift, two focal lengths, principal point, five of the lens.
_CAMERA, _POSE, _LENS = 15, 6, 5
# Pixels from which a corner counts less: a wrong corner must not bend the rig.
_LOSS = 1.0


class Corners(NamedTuple):
    """Corners seen, one a row.

    Attributes:
      camera, pose: (corners,), of which camera and of which pose of the board.
      board: (corners, 3), on the board. pixels: (corners, 2).
    """

    camera: np.ndarray
    pose: np.ndarray
    board: np.ndarray
    pixels: np.ndarray

    def some(self, rows: np.ndarray) -> "Corners":
        return Corners(*(part[rows] for part in self))


def adjust(
    rig: Sequence[Camera], poses: np.ndarray, corners: Corners
) -> tuple[list[Camera], np.ndarray]:
    """The rig and the poses of the board (poses, 6), turn and shift, that fit best.

    The first camera keeps its place.
    """
    start = np.concatenate([*(_numbers(one) for one in rig), poses.ravel()])
    # One unit of each number moves corners by about as much.
    scale = np.concatenate(
        [*(_scales(one) for one in rig), np.tile([1e-3] * 3 + [_step(poses)] * 3, len(poses))]
    )
    free = np.ones(len(start), bool)
    free[:_POSE] = False

    def values_of(moved: np.ndarray) -> np.ndarray:
        values = start.copy()
        values[free] += moved * scale[free]
        return values

    def residuals(moved: np.ndarray) -> np.ndarray:
        return (_seen(values_of(moved), rig, corners)[0] - corners.pixels).ravel()

    def slopes(moved: np.ndarray) -> sparse.csr_matrix:
        by_number = _seen(values_of(moved), rig, corners)[1]
        shape = (2 * len(corners.camera), len(start))
        filled = sparse.csr_matrix((by_number.ravel(), places), shape=shape)
        return sparse.csr_matrix(filled @ sparse.diags(scale))[:, free]

    places = _places(len(rig), corners)
    found = least_squares(
        residuals,
        np.zeros(int(free.sum())),
        jac=slopes,  # pyright: ignore[reportArgumentType]
        method="trf",
        tr_solver="lsmr",
        loss="soft_l1",
        f_scale=_LOSS,
        x_scale="jac",
        ftol=1e-6,
        xtol=1e-7,
        max_nfev=40,
    )
    values = start.copy()
    values[free] += found.x * scale[free]
    count = len(rig) * _CAMERA
    moved = [_camera(one, values[i * _CAMERA :][:_CAMERA]) for i, one in enumerate(rig)]
    return moved, values[count:].reshape(-1, _POSE)


def errors(rig: Sequence[Camera], poses: np.ndarray, corners: Corners) -> np.ndarray:
    """(corners,), pixels."""
    values = np.concatenate([*(_numbers(one) for one in rig), poses.ravel()])
    return np.linalg.norm(_seen(values, rig, corners)[0] - corners.pixels, axis=1)


def _step(poses: np.ndarray) -> float:
    return 1e-3 * float(np.abs(poses[:, 3:]).max(initial=1.0))


def _numbers(camera: Camera) -> np.ndarray:
    lens = np.zeros(_LENS)
    lens[: len(camera.distortion)] = camera.distortion[:_LENS]
    matrix = camera.matrix
    return np.concatenate(
        [
            cameras.rotation_vector(camera),
            camera.projection[:, 3],
            [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]],
            lens,
        ]
    )


def _scales(camera: Camera) -> np.ndarray:
    away = 1e-3 * (float(np.linalg.norm(camera.projection[:, 3])) or 1.0)
    # The last coefficients of a lens that none of its images tells stay as they were.
    lens = np.where(_numbers(camera)[-_LENS:] != 0, 1e-2, 0.0)
    return np.concatenate([[1e-3] * 3, [away] * 3, [1.0] * 4, lens])


def _camera(before: Camera, values: np.ndarray) -> Camera:
    fx, fy, cx, cy = values[6:10]
    return cameras.pinhole(
        before.name,
        np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
        values[:3],
        values[3:6],
        distortion=values[10:].copy(),
        size=before.size,
    )


def _seen(
    values: np.ndarray, rig: Sequence[Camera], corners: Corners
) -> tuple[np.ndarray, np.ndarray]:
    """Where cameras of these numbers would see the corners, and how that changes with them.

    Returns:
      (corners, 2) and (corners, 2, numbers of a camera and of a pose).
    """
    poses = values[len(rig) * _CAMERA :].reshape(-1, _POSE)
    turned = _turned(poses, corners)
    world = turned[0] + poses[corners.pose, 3:]
    found = np.empty((len(world), 2))
    slopes = np.zeros((len(world), 2, _CAMERA + _POSE))
    for number in range(len(rig)):
        mine = corners.camera == number
        if not mine.any():
            continue
        part = values[number * _CAMERA :][:_CAMERA]
        fx, fy, cx, cy = part[6:10]
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        places, by = cv2.projectPoints(world[mine][:, None], part[:3], part[3:6], matrix, part[10:])
        by = by.reshape(-1, 2, by.shape[1])
        found[mine] = places.reshape(-1, 2)
        slopes[mine, :, :_CAMERA] = by[..., :_CAMERA]
        # A point moves before the camera as the camera's shift does, once it is turned.
        by_world = by[..., 3:6] @ cv2.Rodrigues(part[:3])[0]
        slopes[mine, :, _CAMERA:-3] = by_world @ turned[1][mine]
        slopes[mine, :, -3:] = by_world
    return found, slopes


def _turned(poses: np.ndarray, corners: Corners) -> tuple[np.ndarray, np.ndarray]:
    """Corners turned by their poses (corners, 3), and how these change with the turn (…, 3, 3)."""
    both = [cv2.Rodrigues(pose[:3]) for pose in poses]
    turns = np.stack([turn for turn, _ in both])
    # OpenCV gives (3 numbers of the turn, 9 of the matrix).
    changes = np.stack([change.reshape(3, 3, 3) for _, change in both])
    board = corners.board[..., None]
    places = (turns[corners.pose] @ board)[..., 0]
    by_turn = (changes[corners.pose] @ board[:, None])[..., 0]
    return places, np.swapaxes(by_turn, 1, 2)


def _places(count: int, corners: Corners) -> tuple[np.ndarray, np.ndarray]:
    """Row and column, in the whole matrix, of each slope that `_seen` gives."""
    rows = np.repeat(np.arange(2 * len(corners.camera)), _CAMERA + _POSE)
    own = corners.camera[:, None] * _CAMERA + np.arange(_CAMERA)
    pose = count * _CAMERA + corners.pose[:, None] * _POSE + np.arange(_POSE)
    return rows, np.repeat(np.hstack([own, pose]), 2, axis=0).ravel()
