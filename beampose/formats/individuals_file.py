"""Individuals of a video before they are tracked: an hdf5 that is written and read in pieces."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import h5py
import numpy as np

from beampose.core import artefacts, h5, json_files, storage
from beampose.core.infos import PredictionInfo

# Not .h5: DeepLabCut takes any h5 of a video's name for tracks.
ENDING = "_individuals.hdf5"
FORMAT = 1
# What a descriptor of an animal cut out is called, beside those of its bodyparts.
CROP = "(crop)"
# Frames that a chunk of the file holds.
_CHUNK = 64
# Frames that are read at a time.
SLICE = 512


class Head(NamedTuple):
    """Header: the model, the video and the names that the arrays belong to.

    Attributes:
      scorer: as in the names of files.
      individuals: names of rows, without `single`.
      bodyparts: of the animals.
      unique: bodyparts of the scene.
      identity: True if the model knows identities: rows are then always the same individuals.
      model_digest: of the SavedModel.
      frames: how many the video has.
      fps, height, width: of the video.
    """

    scorer: str
    individuals: Sequence[str]
    bodyparts: Sequence[str]
    unique: Sequence[str]
    identity: bool
    model_digest: str
    frames: int
    fps: float
    height: int
    width: int


def write(stem: storage.Address, head: Head, pieces: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Writes the file whole or not at all; memory holds one piece.

    Args:
      pieces: arrays of some frames, joined along the first axis, always of the same names:
        `frames` int64 (n,), numbers that rise;
        `keypoints` float32 (n, individuals, bodyparts, 3), x, y in source pixels, likelihood, NaN =
        missing; `single` (n, unique, 3) likewise; `peaks` (n, bodyparts and unique, peaks, 3), all
        places that were found, likelihood 0 = none; `descriptors` float16 (n, individuals,
        bodyparts, dims), the features at each keypoint, 0 where it is missing; and maybe `crops`
        float16 (n, individuals, dims), those of each animal cut out.
    """
    target = storage.place(f"{stem}{ENDING}")
    with storage.replacing(target) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["head"] = json.dumps({"format": FORMAT, **head._asdict()})
        for piece in pieces:
            for name, values in piece.items():
                # Without unique bodyparts there is nothing of them to keep.
                if 0 not in values.shape[1:]:
                    _append(file, name, values)


def _append(file: h5py.File, name: str, values: np.ndarray) -> None:
    if name not in file:
        # Most of it is noise: more compression takes time and saves nothing.
        file.create_dataset(
            name,
            data=values,
            maxshape=(None, *values.shape[1:]),
            chunks=(_CHUNK, *values.shape[1:]),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        return
    dataset = file[name]
    assert isinstance(dataset, h5py.Dataset)
    dataset.resize(len(dataset) + len(values), axis=0)
    dataset[-len(values) :] = values


class Individuals:
    """An open file.

    Attributes:
      head: what the arrays are of.
      count: number of analysed frames.
      dims: of a descriptor.
      described_by: what descriptors are of: bodyparts, and `CROP` if animals were cut out.
    """

    def __init__(self, file: h5.Group, name: str):
        self._file = file
        self.head = _head(file, name)
        missing = {"single"} if not self.head.unique else set()
        missing |= {"crops"} if file.dataset("crops") is None else set()
        there = [key for key in _AXES if key not in missing]
        shapes = {key: self._dataset(key, name).shape for key in there}
        self.count = shapes["frames"][0]
        self.dims = shapes["descriptors"][-1]
        animals, parts, unique = (
            len(self.head.individuals),
            len(self.head.bodyparts),
            len(self.head.unique),
        )
        expected = {
            "frames": (self.count,),
            "keypoints": (self.count, animals, parts, 3),
            "single": (self.count, unique, 3),
            "peaks": (self.count, parts + unique, *shapes["peaks"][2:3], 3),
            "descriptors": (self.count, animals, parts, self.dims),
            "crops": (self.count, animals, self.dims),
        }
        if shapes != {key: expected[key] for key in there}:
            raise ValueError(f"{name}: arrays must be {expected}. Received: {shapes}.")
        self.described_by = [*self.head.bodyparts, *([] if "crops" in missing else [CROP])]

    def each(self, *names: str) -> Iterator[dict[str, np.ndarray]]:
        """The arrays of those names, some frames at a time."""
        for start in range(0, self.count, SLICE):
            yield {name: self._sliced(name, start) for name in names}

    @property
    def pieces(self) -> int:
        """Number of items that `each` yields."""
        return -(-self.count // SLICE)

    def whole(self, name: str) -> np.ndarray:
        """All frames of an array: of `frames`, `keypoints`, or `single`."""
        if name == "single" and not self.head.unique:
            return np.zeros((self.count, 0, 3), np.float32)
        return self._dataset(name).values()

    def keypoints(self, rows: np.ndarray) -> np.ndarray:
        """Keypoints (n, individuals, bodyparts, 3) of some analysed frames, int (n,)."""
        shape = (len(self.head.individuals), len(self.head.bodyparts), 3)
        found = np.full((len(rows), *shape), np.nan, np.float32)
        for number in np.unique(rows // SLICE):
            of_slice = np.flatnonzero(rows // SLICE == number)
            start = int(number) * SLICE
            found[of_slice] = self._sliced("keypoints", start)[rows[of_slice] - start]
        return found

    def described(self, rows: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Descriptors of some individuals, float16 (n, described_by, dims), and which of them are
        there, bool (n, described_by).

        Args:
          rows: int (n,), indices among the analysed frames.
          slots: int (n,), which individual there.
        """
        parts, tokens = len(self.head.bodyparts), len(self.described_by)
        found = np.zeros((len(rows), tokens, self.dims), np.float16)
        there = np.zeros((len(rows), tokens), bool)
        for number in np.unique(rows // SLICE):
            of_slice = np.flatnonzero(rows // SLICE == number)
            place = rows[of_slice] - number * SLICE, slots[of_slice]
            start = int(number) * SLICE
            found[of_slice, :parts] = self._sliced("descriptors", start)[place]
            there[of_slice, :parts] = ~np.isnan(self._sliced("keypoints", start)[place][..., 0])
            if tokens > parts:
                found[of_slice, parts] = self._sliced("crops", start)[place]
                there[of_slice, parts] = there[of_slice, :parts].any(axis=1)
        return found, there

    def _sliced(self, name: str, start: int) -> np.ndarray:
        return self._dataset(name).rows(start, start + SLICE)

    def _dataset(self, key: str, name: str = "") -> h5.Dataset:
        found = self._file.dataset(key)
        if found is None or len(found.shape) != _AXES[key]:
            raise ValueError(f"{name} has no array {key!r}: predict the video again.")
        return found


_AXES = {"frames": 1, "keypoints": 4, "single": 3, "peaks": 4, "descriptors": 4, "crops": 3}


def source(stem: storage.Address) -> str:
    """Names the individuals of a video: others if another model, setting or video made them.

    Args:
      stem: of the predictions, whose summary says so.
    """
    said = artefacts.find_info(f"{stem}.json", PredictionInfo)
    keys = ("model_digest", "settings_digest", "video_bytes")
    return storage.digest([getattr(said, key, None) for key in keys])[:16]


@contextlib.contextmanager
def read(stem: storage.Address) -> Iterator[Individuals]:
    """The file of a video, open.

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is damaged, or something else.
    """
    path = f"{stem}{ENDING}"
    with h5.opened(path) as file:
        yield Individuals(file, path)


def _head(file: h5.Group, name: str) -> Head:
    try:
        found = json_files.record(str(file.attribute("head")), "its head", "format")
        if found.pop("format") != FORMAT:
            raise ValueError("of another version of beampose")
        return Head(**found)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} does not hold the individuals of a video ({error}): predict it again."
        ) from None
