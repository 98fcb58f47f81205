"""Calibrations as OpenCV's FileStorage writes them in YAML: of one camera each, or of a pair.

OpenCV has no names of its own but those of its samples; what other programs call the same is known
too. A file of one camera must say where the camera is (R or rvec, T or tvec) if there are several.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from beampose.core import files, texts, yaml_files
from beampose.formats.calibrations import checks
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera, Rig

_MATRIX = ("camera_matrix", "cameraMatrix", "Camera_Matrix", "intrinsic_matrix", "K", "M", "mtx")
_LENS = (
    "distortion_coefficients",
    "Distortion_Coefficients",
    "dist_coeffs",
    "distCoeffs",
    "dist",
    "D",
)
_TURN = ("R", "rvec", "rotation_matrix", "rotation_vector", "rotation")
_SHIFT = ("T", "t", "tvec", "translation_vector", "translation")
_WIDTH, _HEIGHT = (
    ("image_width", "image_Width", "width"),
    ("image_height", "image_Height", "height"),
)
_NAME = ("camera_name", "name")
_TAG = re.compile(r"!!opencv-(matrix|nd-matrix)\b")


def read(paths: Sequence[str]) -> Rig:
    """Reads the cameras of one file, or of the files of a folder.

    Raises:
      ValueError: not such YAML; the text names the file.
    """
    sheets = {}
    for path in paths:
        try:
            sheets[path] = _values(files.read_bytes(path))
        except ValueError as error:
            raise ValueError(f"{path} is not a calibration of OpenCV: {error}.") from None
    where = paths[0] if len(paths) == 1 else files.parent(paths[0])
    try:
        joined = {key: value for sheet in sheets.values() for key, value in sheet.items()}
        pair = any(f"{key}1" in joined for key in _MATRIX)
        found = _pair(joined) if pair else _singles(sheets)
        return Rig(checks.cameras(found), where)
    except ValueError as error:
        raise ValueError(f"{where} is not a calibration of OpenCV: {error}.") from None


def _values(data: bytes) -> dict[str, Any]:
    # FileStorage begins with a directive that YAML does not know, and has a tag of its own.
    text = re.sub(r"\A\s*%YAML[^\n]*\n", "", texts.decode(data))
    found = yaml_files.parse(_TAG.sub("", text))
    if not isinstance(found, dict):
        raise ValueError("it holds no keys and values")
    return {str(key): value for key, value in found.items()}


def _singles(sheets: dict[str, dict[str, Any]]) -> list[Camera]:
    """A camera a file, or a camera a key of one file."""
    parts = []
    for path, sheet in sheets.items():
        inner = [(key, one) for key, one in sheet.items() if isinstance(one, dict)]
        whole = [(key, one) for key, one in inner if _first(one, _MATRIX) is not None]
        named = _first(sheet, _NAME)
        parts += whole or [(str(named or files.stem(path)), sheet)]
    found = [_single(name, part, len(parts) == 1) for name, part in parts]
    return [one for one in found if one is not None]


def _single(name: str, part: dict[str, Any], alone: bool) -> Camera | None:
    turn, shift = _first(part, _TURN), _first(part, _SHIFT)
    # ROS and OpenCV's sample say so where the lens is one of OpenCV's fisheye module, whose numbers
    # mean other things.
    fisheye = part.get("distortion_model") in ("equidistant", "fisheye")
    fisheye = fisheye or part.get("fisheye_model") in (1, True)
    if _first(part, _MATRIX) is None:
        raise ValueError(f"{name} has no camera matrix ({', '.join(_MATRIX[:3])} …)")
    if (turn is None or shift is None) and not alone:
        raise ValueError(
            f"{name} does not say where the camera is: it needs R (or rvec) and T (or tvec), from "
            "one world for all"
        )
    return cameras.pinhole(
        name,
        checks.matrix(_array(_first(part, _MATRIX)), f"the camera matrix of {name}"),
        np.zeros(3) if turn is None else checks.rotation(_array(turn), f"R of {name}"),
        np.zeros(3) if shift is None else checks.numbers(_array(shift), (3,), f"T of {name}"),
        distortion=_distortion(_first(part, _LENS), name, fisheye=fisheye),
        fisheye=fisheye,
        size=_size(part, name),
    )


def _pair(joined: dict[str, Any]) -> list[Camera]:
    """The two cameras of OpenCV's stereo samples, whose numbers may stand in two files."""
    turn, shift = _first(joined, _TURN), _first(joined, _SHIFT)
    if turn is None or shift is None:
        raise ValueError(
            "it has the lenses of two cameras and not how they stand (R, T): name the folder that "
            "holds both files"
        )
    found = []
    for number, name in enumerate(("cam1", "cam2"), 1):
        numbered = {key: [f"{one}{number}" for one in key] for key in (_MATRIX, _LENS)}
        given = _first(joined, numbered[_MATRIX])
        if given is None:
            raise ValueError(f"it has no camera matrix of camera {number}")
        found.append(
            cameras.pinhole(
                name,
                checks.matrix(_array(given), f"the matrix of camera {number}"),
                checks.rotation(_array(turn), "R") if number == 2 else np.zeros(3),
                checks.numbers(_array(shift), (3,), "T") if number == 2 else np.zeros(3),
                distortion=_distortion(_first(joined, numbered[_LENS]), name),
                size=_size(joined, name),
            )
        )
    return found


def _distortion(value: Any, name: str, *, fisheye: bool = False) -> np.ndarray:
    given = np.asarray([] if value is None else _array(value), np.float64)
    return checks.distortion(given, f"the distortion of {name}", fisheye=fisheye)


def _size(part: dict[str, Any], name: str) -> tuple[int, int] | None:
    width, height = _first(part, _WIDTH), _first(part, _HEIGHT)
    both = None if width is None or height is None else [width, height]
    return checks.size(both, f"the size of {name}")


def _first(values: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((values[key] for key in keys if key in values), None)


def _array(value: Any) -> Any:
    """A matrix as FileStorage spells it: rows and cols (or sizes) and data."""
    if not isinstance(value, dict):
        return value
    shape = value.get("sizes", [value.get("rows"), value.get("cols")])
    sides = shape if isinstance(shape, list) else [shape]
    data = value.get("data")
    if not isinstance(data, list) or not all(type(side) is int and side > 0 for side in sides):
        raise ValueError("a matrix has no rows, cols and data")
    if len(data) != math.prod(sides):
        raise ValueError("a matrix holds another number of values than its rows and cols say")
    return checks.numbers(data, tuple(sides), "a matrix")
