"""Labeled images that show one instant in several views, and how far labels are from what the
other views allow.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import instants
from beampose.pipelines.space import epipolar
from beampose.preprocess.cameras import Camera, Rig

# Pixels to both sides of a line that is shown.
_FAR = 2000.0


class Sightings(NamedTuple):
    """Where labeled images show the bodyparts of an instant.

    Attributes:
      at: int (instants, bodyparts, views, 2), number of the image and of the bodypart in it; -1
        where a view shows none.
      bodyparts: names, without that of the view.
    """

    at: np.ndarray
    bodyparts: tuple[str, ...]

    @property
    def shown(self) -> np.ndarray:
        """(instants, bodyparts, views)."""
        return self.at[..., 0] >= 0

    def of(self, values: np.ndarray) -> np.ndarray:
        """(instants, bodyparts, views, ...) of values (images, bodyparts, ...); NaN = not shown."""
        found = values[self.at[..., 0], self.at[..., 1]].astype(float)
        found[~self.shown] = np.nan
        return found

    def among(self, images: np.ndarray) -> "Sightings":
        """Those in some images, by a mask."""
        kept = self.shown & images[self.at[..., 0]]
        return self._replace(at=np.where(kept[..., None], self.at, -1))


def sightings(
    rig: Rig, videos: Sequence[str], images: Sequence[str], parts: Sequence[str]
) -> Sightings:
    """Finds the instants that labeled images show.

    Args:
      videos, images: by image, names of its video and of its file. Views are found in the
        videos' names; where these have none, as with a mirror, at the ends of bodyparts' names.

    Raises:
      ValueError: no instant is seen by two cameras of the rig.
    """
    names = rig.names
    seen: dict[tuple, dict[tuple[str, int], tuple[int, int]]] = {}
    for image, (video, file) in enumerate(zip(videos, images, strict=True)):
        of_video = instants.view_of(video, names)
        shown = seen.setdefault(instants.instant(video, file, names), {})
        for part, bodypart in enumerate(parts):
            view, bare = (of_video, bodypart) if of_video else _of_part(bodypart, names)
            if view is not None:
                shown[bare, names.index(view)] = image, part
    bodyparts = tuple(dict.fromkeys(bare for shown in seen.values() for bare, _ in shown))
    at = np.full((len(seen), len(bodyparts), len(names), 2), -1)
    for instant, shown in enumerate(seen.values()):
        for (bare, view), place in shown.items():
            at[instant, bodyparts.index(bare), view] = place
    found = Sightings(at, bodyparts)
    if not (found.shown.sum(axis=-1) > 1).any():
        raise ValueError(
            f"{rig.file}: no labeled image shows an instant in two of its views "
            f"({', '.join(names)}): the names of videos, or the ends of bodyparts' names, must be "
            "those of the cameras."
        )
    return found


def distances(rig: Rig, places: np.ndarray, seen: Sightings) -> np.ndarray:
    """(images, bodyparts), pixels from each label to the lines on which other views see it.

    The middle over the other views; NaN where none sees it. It is blind along these lines.

    Args:
      places: (images, bodyparts, 2), NaN = not labeled.

    Raises:
      ValueError: no bodypart is labeled in two views.
    """
    pixels = seen.of(places)
    if not (np.isfinite(pixels).all(axis=-1).sum(axis=-1) > 1).any():
        raise ValueError(
            f"{rig.file}: no bodypart is labeled in two views of an instant "
            f"({', '.join(rig.names)}): there is nothing to compare."
        )
    found = np.full(places.shape[:2], np.nan)
    for number, camera in enumerate(rig.cameras):
        others = [i for i in range(len(rig.cameras)) if i != number]
        apart = [
            _apart(camera, rig.cameras[i], pixels[:, :, number], pixels[:, :, i]) for i in others
        ]
        known = np.stack(apart)
        there = np.isfinite(known).any(axis=0)
        image, part = np.moveaxis(seen.at[:, :, number][there], -1, 0)
        found[image, part] = np.nanmedian(known[:, there], axis=0)
    return found


def lines(rig: Rig, places: np.ndarray, seen: Sightings) -> np.ndarray:
    """(images, bodyparts, 2, 2), ends of a straight stretch on which another view sees a label.

    Its middle is the place nearest to the label; of several views it is that of the one that is
    farthest from it. NaN where no other view sees it.

    Args:
      places: as of `distances`.
    """
    pixels = seen.of(places)
    found = np.full((*places.shape[:2], 2, 2), np.nan)
    farthest = np.full(places.shape[:2], -1.0)
    for number, camera in enumerate(rig.cameras):
        for other in (i for i in range(len(rig.cameras)) if i != number):
            here, there = pixels[:, :, number], pixels[:, :, other]
            apart = _apart(camera, rig.cameras[other], here, there)
            known = np.isfinite(apart)
            image, part = np.moveaxis(seen.at[:, :, number][known], -1, 0)
            more = apart[known] > farthest[image, part]
            ends = _stretch(camera, rig.cameras[other], here[known], there[known])
            found[image[more], part[more]] = ends[more]
            farthest[image[more], part[more]] = apart[known][more]
    return found


def _stretch(first: Camera, second: Camera, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(n, 2, 2), in pixels of the first view, as of `lines`; a lens bends it little."""
    matrix = epipolar.fundamental(first.projection, second.projection)
    rays = first.rays(here)
    line = np.concatenate([second.rays(there), np.ones((len(there), 1))], axis=1) @ matrix
    size = (line[:, :2] ** 2).sum(axis=1, keepdims=True)
    off = (line[:, :2] * rays).sum(axis=1, keepdims=True) + line[:, 2:]
    scale = first.pixels_per_ray(here)
    nearest = here + np.einsum("nij,nj->ni", scale, -off / size * line[:, :2])
    along = np.einsum("nij,nj->ni", scale, line[:, 1::-1] * [-1.0, 1.0])
    along *= _FAR / np.linalg.norm(along, axis=1, keepdims=True)
    return np.stack([nearest - along, nearest + along], axis=1)


def _apart(first: Camera, second: Camera, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Pixels in the first view from points (..., 2) to the lines of another view's points."""
    matrix = epipolar.fundamental(first.projection, second.projection)
    # Only the first view's point moves: the other's counts as exact.
    return epipolar.distances(first.rays(here), second.rays(there), matrix, (first.focal, np.inf))


def _of_part(bodypart: str, views: Sequence[str]) -> tuple[str | None, str]:
    for view in sorted(views, key=len, reverse=True):
        for mark in "_-":
            if bodypart.endswith(f"{mark}{view}") and bodypart != f"{mark}{view}":
                return view, bodypart.removesuffix(f"{mark}{view}")
    return None, bodypart
