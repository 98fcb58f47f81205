"""`<stem>_bpt_features.pickle`: the vector under every keypoint, on a shelf as DeepLabCut's."""

import dbm.dumb
import pickle
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from beampose.core import storage
from beampose.formats.deeplabcut.track_writer import frame_name

_NAME = "_bpt_features.pickle"
# A shelf of dbm.dumb, which needs no library and is read on every machine, is three files.
_PARTS = (".bak", ".dat", ".dir")
ENDINGS = tuple(_NAME + part for part in _PARTS)


def write(
    stem: storage.Address,
    animals: Iterable[tuple[int, np.ndarray, np.ndarray]],
    frames: int,
) -> None:
    """Writes the shelf: a dict of frame to `features` and `coordinates`; a frame at a time.

    Args:
      animals: number, keypoints (individuals, bodyparts, 3) and vectors (individuals, bodyparts,
        dims) of each frame; rows of NaN are nobody, frames without anybody are not written.
      frames: how many the video has: frames are called by as many digits.
    """
    with tempfile.TemporaryDirectory() as folder:
        shelf = str(Path(folder, "shelf"))
        with dbm.dumb.open(shelf, "n") as file:
            for number, keypoints, found in animals:
                there = ~np.isnan(keypoints[..., 0]).all(axis=1)
                if there.any():
                    one = {
                        "features": found[there].astype(np.float64),
                        "coordinates": keypoints[there, :, :2].astype(np.float64),
                    }
                    file[frame_name(number, frames)] = pickle.dumps(one, protocol=4)
        for part in _PARTS:
            made = Path(shelf + part)
            with storage.replacing(storage.place(f"{stem}{_NAME}{part}")) as temporary:
                shutil.copyfile(made, temporary) if made.exists() else temporary.touch()
