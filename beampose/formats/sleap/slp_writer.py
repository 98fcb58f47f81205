"""Tracks as SLEAP's predictions, `.slp`, by its own library, which must be installed."""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import storage


class Film(NamedTuple):
    """The video that predictions are of, as SLEAP shall find it."""

    path: str
    frames: int
    height: int
    width: int


def check() -> None:
    """Raises ValueError if SLEAP's library is not installed; the text says how to install it."""
    if importlib.util.find_spec("sleap_io") is None:
        raise ValueError(
            "Writing .slp needs SLEAP's own library: pip install 'beampose[sleap]', or leave --slp "
            "out."
        )


def write(
    file: storage.Address,
    keypoints: np.ndarray,
    frames: np.ndarray,
    names: tuple[Sequence[str], Sequence[str], Sequence[tuple[str, str]]],
    film: Film,
) -> None:
    """Writes predictions whole or not at all; the video stays where it is.

    Args:
      keypoints: (rows, tracks, bodyparts, 3), x, y in pixels, likelihood; NaN = missing. A row of
        NaN is nobody.
      frames: int (rows,), their numbers.
      names: of tracks, of bodyparts, and pairs of bodyparts for the skeleton.

    Raises:
      ValueError: see `check`.
    """
    check()
    # Any: it may not be installed, and it makes its names only when they are asked for.
    sleap_io: Any = importlib.import_module("sleap_io")
    individuals, bodyparts, edges = names
    skeleton = sleap_io.Skeleton(nodes=list(bodyparts), edges=list(edges), name="beampose")
    tracks = [sleap_io.Track(name) for name in individuals]
    video = sleap_io.Video(filename=film.path, open_backend=False)
    video.backend_metadata["shape"] = (film.frames, film.height, film.width, 3)
    labeled = []
    for number, animals in zip(frames, keypoints, strict=True):
        found = [
            _instance(sleap_io, one, skeleton, track)
            for one, track in zip(animals, tracks, strict=True)
            if not np.isnan(one[:, 0]).all()
        ]
        if found:
            labeled.append(sleap_io.LabeledFrame(video, int(number), found))
    labels = sleap_io.Labels(labeled, videos=[video], skeletons=[skeleton], tracks=tracks)
    with storage.replacing(storage.place(file)) as temporary:
        # The library goes by the ending.
        made = temporary.with_name(f"{temporary.name}.slp")
        sleap_io.save_slp(labels, str(made), embed=False, verbose=False)
        made.replace(temporary)


def _instance(library: Any, one: np.ndarray, skeleton: Any, track: Any) -> Any:
    sure = np.nan_to_num(one[:, 2])
    return library.PredictedInstance.from_numpy(
        one[:, :2].astype(np.float64),
        skeleton=skeleton,
        point_scores=sure,
        score=float(sure[~np.isnan(one[:, 0])].mean()),
        track=track,
    )
