"""Runs a SavedModel on frames: by its signatures, in fixed batches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from beampose.trainer import frame_predictor
from beampose.trainer.frame_predictor import FramePredictor
from beampose.trainer.model_digest import model_digest

if TYPE_CHECKING:
    from apache_beam.utils import shared


class SavedModelHandler:
    """Runs one of our SavedModels on uint8 (height, width, 3) frames.

    Beam's own TensorFlow handlers load Keras files and fail with Keras 3.

    Args:
      folder: the model artefact.
      batch_size: every call has this many frames; a short batch is filled up and cut.
      signature: of the SavedModel, that takes frames.
    """

    def __init__(self, folder: str, batch_size: int, signature: str = "frames"):
        self._folder = folder
        self._signature = signature
        self.batch_size = batch_size

    def load_model(self) -> FramePredictor:
        return FramePredictor(self._folder, self._signature)

    def outputs(
        self,
        batch: Sequence[np.ndarray],
        model: FramePredictor,
        signature: str = "",
    ) -> dict[str, np.ndarray]:
        """Outputs of a batch of at most `batch_size` frames of one size, by name."""
        return frame_predictor.outputs(model, batch, self.batch_size, signature)

    def acquire(self, handle: "shared.Shared") -> FramePredictor:
        """The model of this process, loaded once."""
        tag = f"{self._folder}:{model_digest(self._folder)}:{self._signature}"
        return handle.acquire(self.load_model, tag=tag)
