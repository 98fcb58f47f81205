"""What a step of finetuning sees: windows of frames with their keypoints, or whole crops."""

import numpy as np
import tensorflow as tf

from beampose.core.settings.experiment import Config
from beampose.trainer import batches, views
from beampose.trainer.cells import STRIDE
from beampose.trainer.dataset import CropBatch, Dataset, PoseBatch
from beampose.trainer.embed import Embedder
from beampose.trainer.schema import LabelRecord


class Windows:
    """Windows of frames, see `tasks.contract.Views`."""

    def __init__(self, config: Config, dataset: Dataset, embedder: Embedder):
        self._features, self._embedder = config.features, embedder
        self.side = config.train.finetune_window
        size, maps = config.head.batch_size, batches.pose_signature(dataset)
        cells = self.side // STRIDE
        self.signature = PoseBatch(
            _images(size, self.side),
            tf.TensorSpec((size, *maps.keypoints.shape[1:]), tf.float32),
            tf.TensorSpec((size, 2), tf.float32),
            tf.TensorSpec((size, 2), tf.float32),
            tf.TensorSpec((size, cells, cells), tf.float32),
        )

    def draw(self, record: LabelRecord, changed: bool, rng: np.random.Generator) -> tuple:
        """Sampling and gain; keypoints, cell, origin and inside of a window."""
        source = np.array([record.width, record.height], float)
        rows, columns = self._embedder.grid(record.height, record.width)  # pyright: ignore[reportArgumentType]
        size = np.array([columns, rows], float) * STRIDE
        factor = size / source
        change = views.UNCHANGED
        if changed:
            change = views.draw(self._features, size, rng, shift=False)
        points = views.move(change, record.keypoints * factor, size)
        first = views.corner(points, size, self.side, rng)
        centres = (np.arange(self.side // STRIDE) + 0.5) * STRIDE
        x, y = first[:, None] + centres
        inside = (y < size[1])[:, None] & (x < size[0])[None]
        return (
            views.sampling(change, first),
            np.float32(change.gain),
            (points / factor).astype(np.float32),
            (STRIDE / factor).astype(np.float32),
            (first / factor).astype(np.float32),
            inside.astype(np.float32),
        )


class WholeCrops:
    """Whole crops, see `tasks.contract.Views`."""

    def __init__(self, config: Config, embedder: Embedder):
        self._features = config.features
        self.side = embedder.crop_size
        size = config.head.batch_size
        self.signature = CropBatch(_images(size, self.side), tf.TensorSpec((size,), tf.int32))

    def draw(self, record: LabelRecord, changed: bool, rng: np.random.Generator) -> tuple:
        """Sampling and gain, and the class."""
        change, size = views.UNCHANGED, np.full(2, float(self.side))
        if changed:
            change = views.draw(self._features, size, rng, shift=True)
        sampling = views.sampling(change, np.zeros(2))
        return sampling, np.float32(change.gain), np.int32(record.label)


def _images(batch_size: int, side: int) -> tf.TensorSpec:
    return tf.TensorSpec((batch_size, side, side, 3), tf.float32)
