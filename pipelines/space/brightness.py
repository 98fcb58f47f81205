"""Brightness of films, by which a light that all cameras see tells their offsets."""

import numpy as np

from beampose.pipelines import manifest
from beampose.pipelines.space.view_tables import View
from beampose.preprocess import videos

# Every so many rows and columns tell the brightness of a frame.
_APART = 4


def changes(view: View) -> np.ndarray:
    """(frames,), by how much each frame of a view's film is brighter or darker than the last.

    Raises:
      ValueError: the view has no film.
    """
    if not view.video:
        raise ValueError(
            f"The view {view.name} is a table without a video, which has no light. Name the video."
        )
    film = manifest.index(view.video)
    found = np.full(film.count, np.nan)
    for frame in videos.read_ahead(film, 0, film.count, 16):
        if frame.pixels is not None:
            found[frame.index] = frame.pixels[::_APART, ::_APART].mean()
    return np.abs(np.diff(found, prepend=found[:1]))
