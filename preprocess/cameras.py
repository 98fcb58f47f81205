"""Cameras: from points in space to pixels and back to rays, through the lens.

Points in space are x, y, z in the unit of the calibration; pixels are x, y of the source image.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

# Lens equations are inverted until a step is shorter than this, in focal lengths.
_INVERTED = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
# Numbers of coefficients that OpenCV's lens equation may have, and its fisheye's.
DISTORTIONS, FISHEYE_DISTORTIONS = (0, 1, 2, 4, 5, 8, 12, 14), (4,)


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera.

    Attributes:
      name: of the view.
      projection: float64 (3, 4), world to camera: [R|t]. Of an affine camera, which sees all
        depths in one size, the last row is 0, 0, 0, 1 and the others lead to pixels.
      matrix: float64 (3, 3), focal lengths and principal point; the unit matrix if affine.
      distortion: float64 (n,), coefficients of OpenCV's lens equation, or four of its fisheye's.
      fisheye: which of the two.
      size: height and width of the images in pixels; None if the file does not say.
    """

    name: str
    projection: np.ndarray
    matrix: np.ndarray = field(default_factory=lambda: np.eye(3))
    distortion: np.ndarray = field(default_factory=lambda: np.zeros(5))
    fisheye: bool = False
    size: tuple[int, int] | None = None

    @property
    def affine(self) -> bool:
        return not self.projection[2, :3].any()

    @property
    def focal(self) -> float:
        """Pixels a unit of a ray, in the middle of the image."""
        return 1.0 if self.affine else float(self.matrix[[0, 1], [0, 1]].mean())

    @property
    def centre(self) -> np.ndarray:
        """(3,), where the camera is; NaN of an affine one, which is infinitely far away."""
        if self.affine:
            return np.full(3, np.nan)
        return -self.projection[:, :3].T @ self.projection[:, 3]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of points in space (..., 3); NaN behind the camera."""
        flat = points.reshape(-1, 3) @ self.projection[:, :3].T + self.projection[:, 3]
        ahead = np.all(np.isfinite(flat), axis=1) & (flat[:, 2] > 0)
        found = np.full((len(flat), 2), np.nan)
        if self.affine:
            found[ahead] = flat[ahead, :2]
        elif ahead.any():
            # Scaled to depth 1: OpenCV's function does the rest.
            seen = np.ascontiguousarray(flat[ahead] / flat[ahead, 2:])[:, None]
            project = cv2.fisheye.projectPoints if self.fisheye else _project
            zero = np.zeros(3)
            found[ahead] = project(seen, zero, zero, self.matrix, self.distortion)[0].reshape(-1, 2)
        return found.reshape(*points.shape[:-1], 2)

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Where pixels (..., 2) lie in the plane one focal length ahead, without the lens.

        Of an affine camera these are the pixels. NaN stays NaN.
        """
        if self.affine:
            return np.asarray(pixels, np.float64)
        flat = np.asarray(pixels, np.float64).reshape(-1, 2)
        there = np.all(np.isfinite(flat), axis=1)
        found = np.full(flat.shape, np.nan)
        if there.any():
            given = np.ascontiguousarray(flat[there])[:, None]
            if self.fisheye:
                got = cv2.fisheye.undistortPoints(
                    given, self.matrix, self.distortion, criteria=_INVERTED
                )
            else:
                got = cv2.undistortPoints(given, self.matrix, self.distortion, criteria=_INVERTED)
            found[there] = got.reshape(-1, 2)
        return found.reshape(pixels.shape)

    def pixels_per_ray(self, pixels: np.ndarray) -> np.ndarray:
        """(..., 2, 2), by how many pixels a point moves when its ray moves, where it is."""
        if self.affine or not self.distortion.any() and not self.fisheye:
            focal = np.eye(2) if self.affine else self.matrix[:2, :2]
            return np.broadcast_to(focal, (*pixels.shape[:-1], 2, 2))
        step = 0.5
        moved = [
            (self.rays(pixels + shift) - self.rays(pixels - shift)) / (2 * step)
            for shift in step * np.eye(2)
        ]
        return _inverse(np.stack(moved, axis=-1))


@dataclass(frozen=True, eq=False)
class Rig:
    """Cameras that were calibrated together.

    Attributes:
      file: where that was read, "" if nowhere.
      error: pixels by which the calibration's own points are off, root mean square; None = unknown.
    """

    cameras: tuple[Camera, ...]
    file: str = ""
    error: float | None = None

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.cameras]

    def chosen(self, names: Sequence[str]) -> "Rig":
        """The rig with the cameras of some views, in their order.

        Raises:
          ValueError: a camera is unknown.
        """
        known = {one.name: one for one in self.cameras}
        for name in names:
            if name not in known:
                close = difflib.get_close_matches(name, self.names, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise ValueError(
                    f"{self.file or 'The calibration'} has no camera {name!r}; it has "
                    f"{', '.join(self.names)}.{hint} Name each view as its camera is called."
                )
        return replace(self, cameras=tuple(known[name] for name in names))


def pinhole(
    name: str,
    matrix: np.ndarray,
    rotation: np.ndarray,
    translation: np.ndarray,
    **lens,
) -> Camera:
    """A camera by its rotation, (3,) Rodrigues or (3, 3), and its translation, world to camera."""
    turn = np.asarray(rotation, np.float64)
    turn = cv2.Rodrigues(turn)[0] if turn.size == 3 else turn
    projection = np.column_stack([turn, np.asarray(translation, np.float64).ravel()])
    return Camera(name, projection, np.asarray(matrix, np.float64), **lens)


def affine(name: str, rows: np.ndarray, **about) -> Camera:
    """An affine camera by its (2, 4) rows, which lead from space to pixels."""
    return Camera(name, np.vstack([rows, [0, 0, 0, 1]]), distortion=np.zeros(0), **about)


def rotation_vector(camera: Camera) -> np.ndarray:
    """(3,) Rodrigues."""
    return cv2.Rodrigues(camera.projection[:, :3])[0].ravel()


def projections(cameras: Sequence[Camera]) -> np.ndarray:
    """(views, 3, 4)."""
    return np.stack([one.projection for one in cameras])


def rays(cameras: Sequence[Camera], pixels: np.ndarray) -> np.ndarray:
    """Rays (..., views, 2) of pixels (..., views, 2), one camera a view."""
    return np.stack([one.rays(pixels[..., i, :]) for i, one in enumerate(cameras)], axis=-2)


def project(cameras: Sequence[Camera], points: np.ndarray) -> np.ndarray:
    """Pixels (..., views, 2) of points (..., 3) in each camera."""
    return np.stack([one.project(points) for one in cameras], axis=-2)


def pixels_per_ray(cameras: Sequence[Camera], pixels: np.ndarray) -> np.ndarray:
    """(..., views, 2, 2), see `Camera.pixels_per_ray`."""
    parts = [one.pixels_per_ray(pixels[..., i, :]) for i, one in enumerate(cameras)]
    return np.stack(parts, axis=-3)


def _project(points, rotation, translation, matrix, distortion):
    return cv2.projectPoints(points, rotation, translation, matrix, distortion)


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Of (..., 2, 2); NaN stays NaN."""
    a, b, c, d = (matrices[..., i, j] for i in (0, 1) for j in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / (a * d - b * c)
    flipped = np.stack([np.stack([d, -b], -1), np.stack([-c, a], -1)], -2)
    return flipped * scale[..., None, None]
