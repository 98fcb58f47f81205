"""Simulated rigs: cameras around an animal whose points in space are known."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from beampose.formats import calibrations
from beampose.formats.deeplabcut import prediction_tables
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera, Rig

HEIGHT, WIDTH = 480, 640
BODYPARTS = ("nose", "ear", "spine", "hip", "tail")
EDGES = [["nose", "ear"], ["ear", "spine"], ["spine", "hip"], ["hip", "tail"]]
LENS = np.array([-0.2, 0.05, 0.001, -0.001, 0.01])
# Where the bodyparts are along and above the animal, in mm.
_SHAPE = np.array([[60.0, 0, 25], [45, 8, 40], [0, 0, 45], [-40, 0, 35], [-80, 0, 15]])


def rig(
    count: int = 4, *, away: float = 900.0, lens: np.ndarray = LENS, focal: float = 700.0
) -> list[Camera]:
    """Cameras around the origin that look at it from above."""
    found = []
    for i in range(count):
        angle = 2 * np.pi * i / count + 0.3
        place = np.array([np.cos(angle) * away, np.sin(angle) * away, 450.0 + 40 * i])
        ahead = -place / np.linalg.norm(place)
        right = np.cross(ahead, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        turn = np.stack([right, np.cross(ahead, right), ahead])
        matrix = np.array([[focal + 10 * i, 0, 325], [0, focal + 5 + 10 * i, 235], [0, 0, 1]])
        found.append(
            cameras.pinhole(
                f"cam{i}", matrix, turn, -turn @ place, distortion=lens, size=(HEIGHT, WIDTH)
            )
        )
    return found


def walk(frames: int, seed: int = 0, start: Sequence[float] = (0.0, 0.0)) -> np.ndarray:
    """(frames, bodyparts, 3), mm: an animal that runs in curves and bends."""
    rng = np.random.default_rng(seed)
    turn = np.cumsum(np.cumsum(rng.normal(0, 0.004, frames)) + 0.03)
    speed = np.abs(np.convolve(rng.normal(3, 2, frames), np.ones(5) / 5, "same"))
    way = np.cumsum(speed[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1), axis=0)
    way = 120 * np.sin((way + np.array(start)) / 120)
    bent = turn[:, None] + 0.3 * np.sin(np.arange(frames) / 7)[:, None] * _SHAPE[:, 0] / 80
    x = way[:, :1] + np.cos(bent) * _SHAPE[:, 0] - np.sin(bent) * _SHAPE[:, 1]
    y = way[:, 1:] + np.sin(bent) * _SHAPE[:, 0] + np.cos(bent) * _SHAPE[:, 1]
    z = _SHAPE[:, 2] + 6 * np.sin(np.arange(frames)[:, None] / 3 + _SHAPE[:, 0])
    return np.stack([x, y, z], axis=-1)


def table(file: str, pixels: np.ndarray, likelihood: np.ndarray | float = 0.95, **more) -> str:
    """Writes predictions (frames, [individuals,] bodyparts, 2) as DeepLabCut's h5 and csv."""
    individuals = more.get("individuals", ("",))
    names = more.get("bodyparts", BODYPARTS)
    flat = pixels.reshape(len(pixels), -1, 2)
    sure = np.broadcast_to(
        np.reshape(likelihood, (-1, 1)) if np.ndim(likelihood) == 1 else likelihood, flat.shape[:2]
    )
    values = np.concatenate([flat, sure[..., None]], axis=-1).astype(float)
    values[np.isnan(flat).any(axis=-1)] = np.nan
    points = tuple((one, part) for one in individuals for part in names)
    rows = np.arange(len(pixels)) if more.get("rows") is None else more["rows"]
    found = prediction_tables.Table(file, "DLC_resnet50_rig", points, rows, values)
    prediction_tables.write(found, file.removesuffix(".h5"))
    return file


def experiment(folder: Path) -> str:
    """A config whose predictions are empty."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rig.yaml").write_text(
        "task: pose\nsource: {format: deeplabcut, path: project}\noutput: runs\n"
    )
    return str(folder / "rig.yaml")


def calibration(folder: Path, cams: Sequence[Camera], error: float = 0.1) -> str:
    calibrations.write(Rig(tuple(cams), error=error), str(folder / "calibration.toml"))
    return str(folder / "calibration.toml")


def draw(camera: Camera, places: np.ndarray, shade: int = 30) -> np.ndarray:
    """A frame (height, width, 3) of an animal (bodyparts, 3): a body and a dot a bodypart."""
    image = np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
    points = camera.project(places)
    if np.isfinite(points).all():
        cv2.polylines(image, [np.round(points).astype(np.int32)], False, (150, 140, 130), 12)
        for i, (x, y) in enumerate(points):
            color = [(255, 80, 80), (80, 255, 80), (80, 80, 255), (255, 255, 80), (255, 80, 255)][i]
            cv2.circle(image, (round(16 * x), round(16 * y)), 16 * 5, color, -1, cv2.LINE_AA, 4)
    return image


def film(path: Path, images: Sequence[np.ndarray], fps: int = 25, times=None) -> str:
    """Writes frames; `times` are their time stamps in frames."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=fps, options={"crf": "14", "preset": "ultrafast"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.max_b_frames = 0
        for i, image in enumerate(images):
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = int(i if times is None else times[i]), Fraction(1, fps)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return str(path)


def board_poses(corners: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """(count, 6), turn and shift of a board that is held face up before the cameras of `rig`."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        tilt, spin = rng.uniform(-0.6, 0.6, 2), rng.uniform(0, 2 * np.pi)
        turn = cv2.Rodrigues(np.array([*tilt, 0.0]))[0] @ cv2.Rodrigues(np.array([0, 0, spin]))[0]
        turn = turn @ np.diag([1.0, -1, -1])
        place = rng.uniform([-170, -170, -60], [170, 170, 200])
        shift = place - turn @ corners.mean(axis=0)
        found.append(np.concatenate([cv2.Rodrigues(turn)[0].ravel(), shift]))
    return np.stack(found)


def board_corners(corners: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """(corners, 3), where a board in a pose has them in space."""
    return corners @ cv2.Rodrigues(pose[:3])[0].T + pose[3:]


def draw_board(
    camera: Camera, rays: np.ndarray, printed: np.ndarray, scale: float, pose
) -> np.ndarray:
    """A frame of a board through the lens.

    Args:
      rays: (height, width, 2) of the camera's pixels.
      printed: the board's picture; `scale` its pixels a unit, counted from the board's origin at
        half a square of margin.
    """
    turn = camera.projection[:, :3] @ cv2.Rodrigues(pose[:3])[0]
    shift = camera.projection[:, :3] @ pose[3:] + camera.projection[:, 3]
    ahead = np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=-1)
    depth = (turn[:, 2] @ shift) / (ahead @ turn[:, 2])
    at = ((ahead * depth[..., None] - shift) @ turn)[..., :2] * scale
    return cv2.remap(
        printed, at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=90.0,
    )  # fmt: skip


def aligned(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Points (n, 3) moved and turned, not scaled, onto others (Kabsch 1976)."""
    a, b = found - found.mean(axis=0), truth - truth.mean(axis=0)
    u, _, v = np.linalg.svd(a.T @ b)
    turn = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    return a @ turn + truth.mean(axis=0)
