"""Runs a SavedModel on frames: our own handler on its signatures, in fixed batches."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from apache_beam.ml.inference import utils
from apache_beam.ml.inference.base import ModelHandler, PredictionResult
from apache_beam.utils import shared

from beampose.core import storage
from beampose.trainer import frame_predictor
from beampose.trainer.frame_predictor import FramePredictor


class SavedModelHandler(ModelHandler[np.ndarray, PredictionResult, FramePredictor]):
    """Beam model handler for our SavedModels: elements are uint8 (height, width, 3) frames.

    Beam's own TensorFlow handlers load Keras files and fail with Keras 3.

    Args:
      folder: the model artefact.
      batch_size: every call has this many frames; a short batch is filled up and cut.
      signature: of the SavedModel, that takes frames.
    """

    def __init__(self, folder: str, batch_size: int, signature: str = "frames"):
        super().__init__(min_batch_size=batch_size, max_batch_size=batch_size)
        self._folder = folder
        self._signature = signature
        self.batch_size = batch_size

    def load_model(self) -> FramePredictor:
        return FramePredictor(self._folder, self._signature)

    def run_inference(
        self,
        batch: Sequence[np.ndarray],
        model: FramePredictor,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterator[PredictionResult]:
        outputs = self.outputs(batch, model)
        return iter(utils._convert_to_result(batch, outputs, self._folder))

    def outputs(
        self, batch: Sequence[np.ndarray], model: FramePredictor, signature: str = ""
    ) -> dict[str, np.ndarray]:
        """Outputs of a batch of at most `batch_size` frames of one size, by name."""
        return frame_predictor.outputs(model, batch, self.batch_size, signature)

    def get_num_bytes(self, batch: Sequence[np.ndarray]) -> int:
        # The inherited way pickles the whole batch to measure it.
        return sum(frame.nbytes for frame in batch)

    def acquire(self, handle: shared.Shared) -> FramePredictor:
        """The model of this process, loaded once."""
        tag = f"{self._folder}:{model_digest(self._folder)}:{self._signature}"
        return handle.acquire(self.load_model, tag=tag)


@functools.lru_cache(maxsize=8)
def _digest(folder: str, stamp: tuple) -> str:
    code = hashlib.sha256()
    for name, _, _ in stamp:
        code.update(name.encode())
        code.update(storage.place(folder, name).read_bytes())
    return code.hexdigest()


def model_digest(folder: str) -> str:
    """sha256 of a SavedModel's graph and variables: results of another model are not reused."""
    root = storage.place(folder, "saved_model")
    paths = sorted((path for path in root.rglob("*") if path.is_file()), key=str)
    # The fingerprint file holds a random number; it says nothing about the answers.
    stamp = tuple(
        (path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime)
        for path in paths
        if path.name != "fingerprint.pb"
    )
    return _digest(str(root), stamp)
