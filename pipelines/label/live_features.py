"""Features of frames while a person labels them: embedded one by one, kept in memory."""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from beampose.core.infos import Counts, DatasetInfo
from beampose.formats.deeplabcut.row_frames import Names
from beampose.trainer.dataset import Dataset
from beampose.trainer.schema import LabelRecord

# Dimensions kept of the network's channels, as `features.pca` keeps by default.
DIMS = 64
# Images by which these are chosen, cells of each, and deviations that are not blown up: as the
# analysis of a store does, on fewer images.
SAMPLED, CELLS, SMALLEST_DEVIATION = 8, 800, 1e-3


class LiveDataset(Dataset):
    """Labels and features that grow; what a task asks of a dataset, without a store.

    Args:
      names: of the project.
      edges: pairs of bodyparts.
    """

    def __init__(self, names: Names, edges: Sequence[tuple[str, str]]):
        # Of the base only what is in memory is used: there is no store on disk.
        self.info = DatasetInfo(
            task="pose",
            bodyparts=list(names.bodyparts),
            individuals=list(names.individuals),
            unique_bodyparts=list(names.unique),
            edges=[list(edge) for edge in edges],
            classes=[],
            store="live",
            counts=Counts(images=0, copies=0, rejected=0, problems=0),
        )
        self.records: list[LabelRecord] = []
        self._cache: dict[str, np.ndarray] = {}
        self._dims = DIMS

    @property
    def dims(self) -> int:
        return self._dims

    def __contains__(self, key: str) -> bool:
        return key in self._cache

    def features(self, record: LabelRecord) -> np.ndarray:
        return self._cache[record.key]

    def put(self, key: str, features: np.ndarray) -> None:
        """Keeps the map of a frame."""
        self._cache[key] = features.astype(ml_dtypes.bfloat16)
        self._dims = features.shape[-1]

    def drop(self, keep: set[str]) -> None:
        """Forgets all maps but some."""
        self._cache = {key: one for key, one in self._cache.items() if key in keep}

    @property
    def bytes(self) -> int:
        return sum(one.nbytes for one in self._cache.values())


class LiveEmbedder:
    """Frames to maps of few dimensions, which the first frames decide.

    Args:
      backbone, weights: see `beampose.trainer.backbone.Backbone`.
      scale: of the frames, before the network.
      first: some frames, by which the dimensions are chosen.
    """

    def __init__(self, backbone: str, weights: str, scale: float, first: Sequence[np.ndarray]):
        from beampose.trainer.backbone import Backbone
        from beampose.trainer.embed import Embedder
        from beampose.trainer.lite import lite_embedder

        network = Backbone(backbone, weights)
        lite = network.lite_file()
        plain = lite_embedder.fastest(Embedder(network, None, scale=scale), lite)
        rng = np.random.default_rng(0)
        cells = []
        for pixels in first[:SAMPLED]:
            found = plain.frames(pixels[None]).numpy()[0].astype(np.float32)  # pyright: ignore
            flat = found.reshape(-1, found.shape[-1])
            cells.append(flat[rng.integers(len(flat), size=CELLS)])
        projected = Embedder(network, None, scale=scale)
        projected.transform = _Projection(*_components(np.concatenate(cells)))
        self._embedder = lite_embedder.fastest(projected, lite)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """The map of a frame, bfloat16 (rows, columns, dims)."""
        return self._embedder.frames(pixels[None]).numpy()[0]  # pyright: ignore


class _Projection:
    """Stands where a store has its transform graph."""

    def __init__(self, mean: np.ndarray, matrix: np.ndarray):
        self._mean, self._matrix = mean, matrix

    def transform_fn(self, inputs: dict[str, Any]) -> dict[str, Any]:
        from beampose.trainer.embed import CELLS as cells_name
        from beampose.trainer.embed import FEATURES

        return {FEATURES: (inputs[cells_name] - self._mean) @ self._matrix}


def _components(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (channels,), and a matrix (channels, dims) to the principal components of z-scores."""
    mean = cells.mean(axis=0)
    deviation = np.maximum(cells.std(axis=0), SMALLEST_DEVIATION)
    scored = (cells - mean) / deviation
    _, vectors = np.linalg.eigh(scored.T @ scored / len(scored))
    kept = vectors[:, ::-1][:, :DIMS]
    return mean.astype(np.float32), (kept / deviation[:, None]).astype(np.float32)
