"""Calibrations of cameras: files of Anipose, DeepLabCut and OpenCV.

Read by what stands in them: a `calibration.toml`, a pickle of DeepLabCut's pairs, YAML of OpenCV's
FileStorage, or a folder of YAML files. Written as `calibration.toml`.
"""

from beampose.core import files
from beampose.formats.calibrations import anipose_toml, opencv_yaml, stereo_pickles
from beampose.preprocess.cameras import Rig

__all__ = ["read", "write"]

_TOML, _PICKLES, _YAML = (".toml",), (".pickle", ".pkl", ".p"), (".yaml", ".yml")
# More than the file of a hundred cameras takes.
_LONGEST = 4 << 20

write = anipose_toml.write


def read(path: str) -> Rig:
    """Reads a calibration.

    Args:
      path: a file, or a folder: DeepLabCut's `camera_matrix`, or YAML files of a camera each.

    Raises:
      FileNotFoundError: nothing is there.
      ValueError: no calibration, or a broken one; the text names the file.
    """
    place = files.absolute(path)
    if not files.exists(place):
        raise files.missing("calibration", path, "Make one with `beampose calibrate`")
    if files.is_folder(place):
        return _folder(place)
    suffix = files.suffix(place)
    readers = {
        **dict.fromkeys(_TOML, anipose_toml.read),
        **dict.fromkeys(_PICKLES, stereo_pickles.read),
        **dict.fromkeys(_YAML, lambda file: opencv_yaml.read([file])),
    }
    if suffix not in readers:
        raise ValueError(
            f"{path} is no calibration that beampose reads: calibration.toml of Anipose, "
            "stereo_params.pickle of DeepLabCut, .yaml or .yml of OpenCV, or a folder of these."
        )
    if files.size(place) > _LONGEST:
        raise ValueError(f"{path} is longer than {_LONGEST:,} bytes: that is no calibration.")
    return readers[suffix](place)


def _folder(folder: str) -> Rig:
    there = sorted(files.children(folder), key=files.name)
    for name in ("calibration.toml", "stereo_params.pickle"):
        found = [one for one in there if files.name(one) == name]
        if found:
            return read(found[0])
    # Pose2Sim's are called Calib_scene.toml and the like.
    named = [one for one in there if files.suffix(one) in _TOML]
    named = [one for one in named if files.name(one).lower().startswith("calib")]
    if len(named) == 1:
        return read(named[0])
    sheets = [one for one in there if files.suffix(one) in _YAML]
    if named and not sheets:
        listed = ", ".join(map(files.name, named))
        raise ValueError(f"{folder} holds several calibrations: name one of {listed}.")
    if not sheets:
        raise ValueError(
            f"{folder} holds no calibration: no calibration.toml, stereo_params.pickle or YAML."
        )
    for one in sheets:
        if files.size(one) > _LONGEST:
            raise ValueError(f"{one} is longer than {_LONGEST:,} bytes: that is no calibration.")
    return opencv_yaml.read(sheets)
