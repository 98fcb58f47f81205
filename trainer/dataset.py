"""The labels of a dataset joined to stored features. Needs no TensorFlow."""

import contextlib
import heapq
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from upath import UPath

from beampose.core import artefacts, storage, tfrecords
from beampose.core.infos import DatasetInfo, StoreInfo
from beampose.core.wording import agreed, counted
from beampose.trainer import feature_store, schema
from beampose.trainer.schema import LabelRecord

LABELS = "labels"
# Lists the files of labels with their numbers of records.
MANIFEST = "labels.json"
_AGAIN = "Run `beampose features` again."
# Share of training windows that are laid around a labeled point; the others lie anywhere. Of one
# animal, a map of more than so many windows is mostly background, of which a head must see more, or
# it takes for a bodypart what it never saw; and the share at least. Windows around several animals
# show enough of it: docs/accuracy.md.
NEAR, MANY, LEAST_NEAR = 0.8, 60, 0.4


class PoseBatch(NamedTuple):
    """Maps of one batch, or windows of them, padded to the largest: arrays, tensors or their specs.

    Attributes:
      features: bfloat16 (batch, rows, columns, dims); in finetuning the windows of frames that
        they are made from, float32 (batch, side, side, 3), RGB, 0 to 255.
      keypoints: float32 (batch, individuals, bodyparts, 2), source pixels, NaN = not labeled.
      cell: float32 (batch, 2), width and height of a cell in source pixels.
      origin: float32 (batch, 2), x and y of the corner of the first cell in source pixels.
      inside: float32 (batch, rows, columns), 1 in the image, 0 in padding.
    """

    features: Any
    keypoints: Any
    cell: Any
    origin: Any
    inside: Any


class CropBatch(NamedTuple):
    """Embeddings bfloat16 (batch, dims), or in finetuning images; class indices int32 (batch,)."""

    features: Any
    labels: Any


class Dataset:
    """One experiment's labels and where their features are.

    Args:
      folder: the dataset.
      stores: the folder of stores; the dataset says which one is its own.
      cache_mb: features are kept in memory when all of them fit this.

    Raises:
      FileNotFoundError: the dataset or its store is missing or unfinished.
      ValueError: labels are missing, or the store lacks features the dataset refers to.
    """

    def __init__(self, folder: str, stores: str, *, cache_mb: int):
        self.info = artefacts.require(folder, DatasetInfo)
        self.store = str(storage.place(stores, self.info.store))
        self.store_info = artefacts.require(self.store, StoreInfo)
        self.records = list(read_labels(folder))
        images, told = sum(r.copy == 0 for r in self.records), sum(self.info.split.values())
        if images != told:
            raise ValueError(
                f"{folder} holds the labels of {images} of {counted(told, 'image')}: a file of "
                f"{LABELS} is missing. {_AGAIN}"
            )
        self._index = feature_store.Index(self.store)
        missing = [r.name for r in self.records if r.key not in self._index]
        if missing:
            shards = self._index.missing
            gone = (
                f" {counted(len(shards), 'shard')} {agreed(len(shards), 'are')} missing, such "
                f"as {shards[0]}."
                if shards
                else ""
            )
            raise ValueError(
                f"{self.store} lacks the features of {counted(len(missing), 'image')}, such as "
                f"{missing[0]}."
                f"{gone} Run `beampose features` again: it embeds what is missing."
            )
        keys = {r.key for r in self.records}
        fits = self._index.bytes_of(keys) <= cache_mb * 2**20
        self._cache: dict[str, np.ndarray] | None = {} if fits else None

    @property
    def dims(self) -> int:
        return self.store_info.dims

    @property
    def bodyparts(self) -> list[str]:
        return self.info.bodyparts

    @property
    def classes(self) -> list[str]:
        return self.info.classes

    def of(self, split: str, *, copies: bool = False) -> list[LabelRecord]:
        """The records of a split, without augmented copies unless asked for."""
        return [r for r in self.records if r.split == split and (copies or r.copy == 0)]

    def features(self, record: LabelRecord) -> np.ndarray:
        """Features of a record, bfloat16: (rows, columns, dims) or (dims,)."""
        if self._cache is None:
            return self._index.read(record.key)
        if record.key not in self._cache:
            self._cache[record.key] = self._index.read(record.key)
        return self._cache[record.key]

    def pose_batch(
        self,
        records: Sequence[LabelRecord],
        *,
        window: int = 0,
        rng: np.random.Generator | None = None,
    ) -> PoseBatch:
        """Reads and pads the maps of some frames.

        Args:
          window: side in cells of the part of each map that is taken, 0 for whole maps.
          rng: lays the windows.
        """
        maps = [self.features(r) for r in records]
        cell = np.array(
            [
                (r.width / m.shape[1], r.height / m.shape[0])
                for r, m in zip(records, maps, strict=True)
            ],
            np.float32,
        )
        corners = np.zeros((len(maps), 2), int)
        if window and rng is not None:
            for i, (record, one) in enumerate(zip(records, maps, strict=True)):
                row, column = _corner(record.keypoints, cell[i], one.shape[:2], window, rng)
                maps[i] = one[row : row + window, column : column + window]
                corners[i] = column, row
        rows, columns = (max(m.shape[axis] for m in maps) for axis in (0, 1))
        features = np.zeros((len(maps), rows, columns, self.dims), ml_dtypes.bfloat16)
        inside = np.zeros((len(maps), rows, columns), np.float32)
        for i, one in enumerate(maps):
            features[i, : one.shape[0], : one.shape[1]] = one
            inside[i, : one.shape[0], : one.shape[1]] = 1.0
        keypoints = np.stack([r.keypoints for r in records]).astype(np.float32)
        origin = (corners * cell).astype(np.float32)
        return PoseBatch(features, keypoints, cell, origin, inside)

    def crop_batch(self, records: Sequence[LabelRecord]) -> CropBatch:
        """Reads the embeddings of some crops."""
        features = np.stack([self.features(r) for r in records])
        return CropBatch(features, np.array([r.label for r in records], np.int32))


def read_labels(folder: str) -> Iterator[LabelRecord]:
    """The label records of a dataset folder, finished or not, by name and number of the copy.

    Raises:
      ValueError: a file is damaged, or is missing of those in its manifest.
    """
    with contextlib.ExitStack() as copies:
        each = [_file(file, count, copies) for file, count in _files(folder)]
        yield from heapq.merge(*each, key=lambda r: (r.name, r.copy))


def _files(folder: str) -> list[tuple[UPath, int | None]]:
    """Label files and their numbers of records, which datasets of before do not tell."""
    manifest = storage.place(folder, MANIFEST)
    try:
        listed = storage.read_json(manifest, "files")["files"]
        return [(storage.place(folder, str(name)), int(count)) for name, count in listed]
    except FileNotFoundError:
        return [(file, None) for file in storage.whole(folder, f"{LABELS}-*.tfrecord")]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{manifest} is damaged: {error}. {_AGAIN}") from None


def _file(file: UPath, count: int | None, copies: contextlib.ExitStack) -> Iterator[LabelRecord]:
    found = 0
    try:
        for serialized in tfrecords.read(copies.enter_context(storage.local(file))):
            yield schema.parse_label(serialized)
            found += 1
        if count not in (None, found):
            raise ValueError(f"it holds {found} of {count} labels")
    except FileNotFoundError:
        raise ValueError(f"{file} is missing. {_AGAIN}") from None
    except (ValueError, LookupError) as error:
        raise ValueError(f"{file} is damaged: {error}. {_AGAIN}") from None


def near_share(grid: Sequence[int], window: int, animals: int) -> float:
    """Share of windows around labeled points, in a map of so many rows and columns that may show
    so many animals."""
    windows = grid[0] * grid[1] / window**2
    if animals > 1:
        return NEAR
    return float(np.clip(NEAR * MANY / windows, LEAST_NEAR, NEAR))


def _corner(
    keypoints: np.ndarray,
    cell: np.ndarray,
    grid: tuple[int, ...],
    window: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Row and column of the first cell of a window that lies inside the map as far as it fits."""
    labeled = keypoints.reshape(-1, 2)
    labeled = labeled[np.isfinite(labeled).all(axis=1)]
    limits = np.maximum(np.array(grid[:2]) - window, 0)
    if len(labeled) and rng.random() < near_share(grid, window, len(keypoints)):
        x, y = labeled[rng.integers(len(labeled))] / cell
        wanted = np.floor([y, x]).astype(int) - rng.integers(window, size=2)
    else:
        wanted = rng.integers(limits + 1)
    row, column = np.clip(wanted, 0, limits)
    return int(row), int(column)
