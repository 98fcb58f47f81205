"""DeepLabCut's `stereo_params.pickle` (pose_estimation_3d/camera_calibration.py): pairs of cameras.

Coordinates are those of the first camera. DeepLabCut's own points are turned by its `R1`, which
makes the two images parallel.
"""

from typing import Any

import numpy as np

from beampose.core import files
from beampose.formats.calibrations import checks
from beampose.preprocess import unpickle
from beampose.preprocess.cameras import Camera, Rig

_KEYS = ("cameraMatrix1", "distCoeffs1", "cameraMatrix2", "distCoeffs2", "R", "T")


def read(file: str) -> Rig:
    """Reads the cameras of all pairs, each related to the first; nothing in the file is run.

    Raises:
      ValueError: no such pickle; the text names the file.
    """
    try:
        pairs = unpickle.loads(files.read_bytes(file))
        if not isinstance(pairs, dict) or not pairs:
            raise ValueError("it holds no pairs of cameras")
        found: dict[str, Camera] = {}
        for name, pair in pairs.items():
            _add(found, str(name), pair)
        return Rig(checks.cameras(list(found.values())), file)
    except ValueError as error:
        raise ValueError(f"{file} is not stereo_params.pickle of DeepLabCut: {error}.") from None


def _add(found: dict[str, Camera], name: str, pair: Any) -> None:
    """Adds the two cameras of a pair to those that stand in space already."""
    if isinstance(pair, dict) and {"mtx", "dist"} <= set(pair):
        raise ValueError(
            "it holds one camera's lens (intrinsic_params), which does not say where the camera "
            "is; name stereo_params.pickle beside it"
        )
    if not isinstance(pair, dict) or not set(_KEYS) <= set(pair):
        missing = [key for key in _KEYS if not isinstance(pair, dict) or key not in pair]
        raise ValueError(f"the pair {name!r} has no {missing[0]}")
    first, second = _names(name, list(found))
    turn = checks.rotation(pair["R"], f"R of {name!r}")
    shift = checks.numbers(pair["T"], (3,), f"T of {name!r}")
    if first not in found:
        if found:
            raise ValueError(f"the pair {name!r} shares no camera with those before it")
        found[first] = _camera(first, pair, 1, np.hstack([np.eye(3), np.zeros((3, 1))]))
    base = found[first].projection
    moved = np.hstack([turn @ base[:, :3], (turn @ base[:, 3] + shift)[:, None]])
    found.setdefault(second, _camera(second, pair, 2, moved))


def _camera(name: str, pair: dict[str, Any], number: int, projection: np.ndarray) -> Camera:
    sizes = pair.get("image_shape")
    return Camera(
        name,
        projection,
        checks.matrix(pair[f"cameraMatrix{number}"], f"cameraMatrix{number}"),
        checks.distortion(pair[f"distCoeffs{number}"], f"distCoeffs{number}"),
        # OpenCV's order, width before height.
        size=checks.size(sizes[number - 1], "image_shape") if sizes is not None else None,
    )


def _names(name: str, known: list[str]) -> tuple[str, str]:
    """The two names that DeepLabCut joined by a dash; camera-1-camera-2 has more of them."""
    cuts = [i for i, letter in enumerate(name) if letter == "-" and 0 < i < len(name) - 1]
    halves = [(name[:i], name[i + 1 :]) for i in cuts]
    if not halves:
        raise ValueError(f"{name!r} is not two names of cameras with a dash between")
    for pair in halves:
        if set(pair) & set(known):
            return pair
    # As many dashes on both sides.
    return halves[(len(halves) - 1) // 2]
