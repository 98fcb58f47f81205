"""A loaded SavedModel that is asked with frames, in batches of one size."""

from collections.abc import Sequence

import numpy as np

from beampose.core import artefacts, storage
from beampose.core.infos import ModelInfo
from beampose.core.names import INFO, SAVED_MODEL, WINDOW
from beampose.trainer import model_calls
from beampose.trainer.quiet import import_tensorflow


class FramePredictor:
    """A loaded SavedModel. Keeps to public methods, so it can live behind Beam's proxies too."""

    def __init__(self, folder: str, signature: str = "frames"):
        import_tensorflow()
        import tensorflow as tf

        from beampose.trainer import export
        from beampose.trainer.lite import calls

        self._constant = tf.constant
        self._model = export.load(folder)
        self._by_lite = calls.of_model(self._model, storage.place(folder, SAVED_MODEL))
        self._folder = folder
        self._usual = signature
        # A SavedModel that left its folder tells no scale.
        info = artefacts.find_info(storage.place(folder, INFO), ModelInfo)
        self._scale = 0.0 if info is None or info.recipe.pooled else info.recipe.scale

    def at_once(self, batch_size: int, height: int, width: int, signature: str = "") -> int:
        """Frames of a call: fewer than `batch_size` where maps of large ones would fill memory."""
        if not self._scale or signature == WINDOW:
            return batch_size
        return model_calls.fitting(batch_size, height * width * self._scale**2)

    def knows(self, signature: str) -> bool:
        """Returns True unless the model was exported by a version without this signature."""
        return signature in self._model.signatures

    def predict(
        self, frames: np.ndarray, signature: str = "", **more: np.ndarray
    ) -> dict[str, np.ndarray]:
        """uint8 (batch, height, width, 3) to the outputs of the signature, or of another.

        Args:
          more: what else the signature takes, by name.

        Raises:
          ValueError: the model has no such signature.
        """
        name = signature or self._usual
        if not self.knows(name):
            raise ValueError(
                f"The model in {self._folder} has no signature {name!r}: it was exported by an "
                "older version. Run `beampose train` again."
            )
        with model_calls.AT_ONCE:
            given = {key: self._constant(value) for key, value in more.items()}
            pixels = self._constant(frames)
            if self._by_lite is not None and self._by_lite.answers(name):
                outputs = self._by_lite(name, pixels, given)
            else:
                outputs = self._model.signatures[name](frames=pixels, **given)
            return {name: value.numpy() for name, value in outputs.items()}


def outputs(
    model: FramePredictor,
    frames: Sequence[np.ndarray],
    batch_size: int,
    signature: str = "",
    **more: np.ndarray,
) -> dict[str, np.ndarray]:
    """Outputs of at most `batch_size` frames of one size, by name.

    Every call of the model has as many frames: a short batch is filled up and cut. Where they are
    large, or too many for the memory, calls have fewer.

    Raises:
      model_calls.NoMemory: there is not enough for a single frame.
    """

    def call(some: Sequence[np.ndarray], size: int) -> dict[str, np.ndarray]:
        filled = [*some, *[some[-1]] * (size - len(some))]
        found = model.predict(np.stack(filled), signature, **more)
        return {name: value[: len(some)] for name, value in found.items()}

    height, width = frames[0].shape[:2]
    size = model.at_once(batch_size, height, width, signature)
    parts = []
    for start in range(0, len(frames), size):
        for _, found in model_calls.halved(call, frames[start : start + size], size):
            if isinstance(found, model_calls.NoMemory):
                raise found
            parts.append(found)
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
