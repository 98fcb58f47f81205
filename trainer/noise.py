"""Stands for a dataset where only the time of a training step matters."""

import ml_dtypes
import numpy as np

from beampose.core.infos import Counts, DatasetInfo
from beampose.core.task_kinds import TaskKind
from beampose.trainer.cells import STRIDE
from beampose.trainer.dataset import Dataset
from beampose.trainer.schema import LabelRecord


class Noise(Dataset):
    """Random features and labels.

    Args:
      kind: of the task.
      dims: of the features.
      names: number of bodyparts or classes.
      side: of a square window, in cells.
      count: of images, at least as many as there are classes.
      individuals: of pose.
    """

    def __init__(
        self, kind: TaskKind, *, dims: int, names: int, side: int, count: int, individuals: int
    ):
        self._rng = np.random.default_rng(0)
        self._shape = (dims,) if kind.pooled else (side, side, dims)
        words = [str(i) for i in range(names)]
        self.info = DatasetInfo(
            task=kind.setting,
            bodyparts=words,
            individuals=[str(i) for i in range(individuals)],
            edges=[],
            classes=words,
            store="",
            counts=Counts(images=count, copies=0, rejected=0, problems=0),
        )
        self._dims = dims
        self.records = [self._record(i, side * STRIDE) for i in range(max(count, names))]

    @property
    def dims(self) -> int:
        return self._dims

    def features(self, record: LabelRecord) -> np.ndarray:
        return self._rng.standard_normal(self._shape).astype(ml_dtypes.bfloat16)

    def _record(self, number: int, pixels: int) -> LabelRecord:
        shape = (len(self.info.individuals), len(self.bodyparts), 2)
        return LabelRecord(
            key="",
            name=str(number),
            image_uri="",
            video="",
            file="",
            row=0,
            split="train",
            height=pixels,
            width=pixels,
            copy=0,
            keypoints=self._rng.uniform(0, pixels, shape),
            label=number % len(self.classes),
        )
