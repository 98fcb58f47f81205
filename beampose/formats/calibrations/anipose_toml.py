"""Anipose's `calibration.toml`, which aniposelib reads and writes.

A table a camera: name, size (width, height), matrix, distortions, rotation (Rodrigues),
translation, fisheye. Affine cameras, which aniposelib has not, hold their rows under `affine`
instead.
"""

import json
import re
import sys
from typing import Any

import numpy as np

from beampose.core import files, storage, texts
from beampose.formats.calibrations import checks
from beampose.preprocess import cameras
from beampose.preprocess.cameras import Camera, Rig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

_METADATA = "metadata"
_NEEDED = ("matrix", "distortions", "rotation", "translation")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read(file: str) -> Rig:
    """Reads cameras.

    Raises:
      ValueError: not TOML, or no calibration; the text names the file and the camera.
    """
    try:
        return _rig(file, _parsed(files.read_bytes(file)))
    except ValueError as error:
        raise ValueError(f"{file} is not a calibration of Anipose: {error}.") from None


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        text = texts.decode(data)
    except ValueError as error:
        raise ValueError(f"the file {error}") from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"it is not TOML ({error})") from None


def _rig(file: str, values: dict[str, Any]) -> Rig:
    metadata = values.get(_METADATA, {})
    tables = [(key, table) for key, table in values.items() if key != _METADATA]
    found = [_camera(key, table) for key, table in tables if isinstance(table, dict)]
    error = metadata.get("error") if isinstance(metadata, dict) else None
    if not isinstance(error, (int, float)) or isinstance(error, bool) or not 0 <= error < np.inf:
        error = None
    return Rig(checks.cameras(found), file, None if error is None else float(error))


def _camera(key: str, table: dict[str, Any]) -> Camera:
    name = table.get("name", key)
    if not isinstance(name, str) or not name:
        raise ValueError(f"[{key}] name must be text")
    size = checks.size(table.get("size"), f"[{key}] size")
    if "affine" in table:
        return cameras.affine(
            name, checks.numbers(table["affine"], (2, 4), f"[{key}] affine"), size=size
        )
    if missing := [one for one in _NEEDED if one not in table]:
        raise ValueError(f"[{key}] has no {missing[0]}: calibrate that camera again")
    fisheye = table.get("fisheye", False)
    if not isinstance(fisheye, bool):
        raise ValueError(f"[{key}] fisheye must be true or false")
    return cameras.pinhole(
        name,
        checks.matrix(table["matrix"], f"[{key}] matrix"),
        checks.rotation(table["rotation"], f"[{key}] rotation"),
        checks.numbers(table["translation"], (3,), f"[{key}] translation"),
        distortion=checks.distortion(table["distortions"], f"[{key}] distortions", fisheye=fisheye),
        fisheye=fisheye,
        size=size,
    )


def write(rig: Rig, file: storage.Address, **metadata: str | float | bool) -> None:
    """Writes cameras as aniposelib does; `metadata` goes into the table of that name."""
    lines = []
    for number, one in enumerate(rig.cameras):
        lines += [f"[cam_{number}]", f"name = {_toml(one.name)}"]
        if one.size:
            lines += [f"size = {_toml([one.size[1], one.size[0]])}"]
        if one.affine:
            lines += [f"affine = {_toml(one.projection[:2])}", ""]
            continue
        lines += [
            f"matrix = {_toml(one.matrix)}",
            f"distortions = {_toml(one.distortion)}",
            f"rotation = {_toml(cameras.rotation_vector(one))}",
            f"translation = {_toml(one.projection[:, 3])}",
            *(["fisheye = true"] if one.fisheye else []),
            "",
        ]
    said = {"adjusted": True, **({} if rig.error is None else {"error": rig.error}), **metadata}
    lines += [f"[{_METADATA}]", *(f"{key} = {_toml(value)}" for key, value in said.items())]
    storage.write_text(file, "\n".join(lines) + "\n", durable=True)


def _toml(value: Any) -> str:
    """A value of TOML; JSON's strings are its strings, but for one letter."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(float(value)) if isinstance(value, float) else str(value)
