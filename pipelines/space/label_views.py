"""How far labels are from what other views of the same instant allow."""

from collections.abc import Sequence

import numpy as np

from beampose.core import instants
from beampose.pipelines.space import epipolar
from beampose.preprocess.cameras import Camera, Rig


def distances(
    rig: Rig, places: np.ndarray, videos: Sequence[str], images: Sequence[str], parts: Sequence[str]
) -> np.ndarray:
    """(images, bodyparts), pixels from each label to the lines on which other views see it.

    The middle over the other views; NaN where none sees it. It is blind along these lines.

    Args:
      places: (images, bodyparts, 2), NaN = not labeled.
      videos, images: by image, names of its video and of its file. Views are found in the
        videos' names; where these have none, as with a mirror, at the ends of bodyparts' names.

    Raises:
      ValueError: neither names a camera of the rig.
    """
    names = rig.names
    groups: dict[tuple, dict[str, tuple[int, int]]] = {}
    for image, (video, file) in enumerate(zip(videos, images, strict=True)):
        of_video = instants.view_of(video, names)
        key = instants.instant(video, file, names)
        for part, bodypart in enumerate(parts):
            view, bare = (of_video, bodypart) if of_video else _of_part(bodypart, names)
            if view is not None and np.isfinite(places[image, part]).all():
                groups.setdefault((*key, bare), {})[view] = (image, part)
    if not any(len(one) > 1 for one in groups.values()):
        raise ValueError(
            f"{rig.file}: no labeled image shows an instant in two of its views "
            f"({', '.join(names)}): the names of videos, or the ends of bodyparts' names, must be "
            "those of the cameras."
        )
    found = np.full(places.shape[:2], np.nan)
    cameras = {one.name: one for one in rig.cameras}
    matrices: dict[tuple[str, str], np.ndarray] = {}
    for group in groups.values():
        for view, place in group.items():
            others = [
                _apart(cameras[view], cameras[other], places[place], places[there], matrices)
                for other, there in group.items()
                if other != view
            ]
            if others:
                found[place] = np.median(others)
    return found


def _apart(
    first: Camera,
    second: Camera,
    here: np.ndarray,
    there: np.ndarray,
    matrices: dict[tuple[str, str], np.ndarray],
) -> float:
    """Pixels in the first view from a point to the line of another view's point."""
    key = first.name, second.name
    if key not in matrices:
        matrices[key] = epipolar.fundamental(first.projection, second.projection)
    # Only the first view's point moves: the other's counts as exact.
    focal = (_focal(first), np.inf)
    return float(
        epipolar.distances(first.rays(here[None]), second.rays(there[None]), matrices[key], focal)[
            0
        ]
    )


def _focal(camera: Camera) -> float:
    return 1.0 if camera.affine else float(camera.matrix[[0, 1], [0, 1]].mean())


def _of_part(bodypart: str, views: Sequence[str]) -> tuple[str | None, str]:
    for view in sorted(views, key=len, reverse=True):
        for mark in "_-":
            if bodypart.endswith(f"{mark}{view}") and bodypart != f"{mark}{view}":
                return view, bodypart.removesuffix(f"{mark}{view}")
    return None, bodypart
