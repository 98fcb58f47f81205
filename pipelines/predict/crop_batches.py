"""Crops in batches through the model, and what is stored of its answers."""

from typing import TYPE_CHECKING

import numpy as np

from beampose.preprocess.cut import Rule
from beampose.preprocess.videos import Frame

if TYPE_CHECKING:
    from beampose.pipelines.predict.inference import SavedModelHandler
    from beampose.trainer.frame_predictor import FramePredictor

# Numbers an embedding is projected to: enough to tell crops that look alike, 64 bytes a box.
COMPACT = 32


class Rows:
    """Crops waiting for the model, in batches of one size, and what it said."""

    def __init__(
        self,
        rule: Rule,
        side: int,
        classes: int,
        handler: "SavedModelHandler",
        model: "FramePredictor",
    ):
        self._rule = rule
        self._side = side
        self._classes = classes
        self._handler = handler
        self._model = model
        self._waiting: list[np.ndarray] = []
        self._frames: list[int] = []
        self._boxes: list[int] = []
        self._places: list[np.ndarray] = []
        self._sure: list[float] = []
        self._outputs: list[dict[str, np.ndarray]] = []

    def add(self, frame: Frame, places: np.ndarray, sure: np.ndarray) -> None:
        """The boxes (n, 4) of a frame, and their detector's confidence (n,)."""
        assert frame.pixels is not None
        for number, place in enumerate(places):
            crop = self._rule.cut(frame.pixels, tuple(place.tolist()))
            self._waiting.append(resized(crop, self._side))
            self._frames.append(frame.index)
            self._boxes.append(number)
            self._places.append(place)
            self._sure.append(float(sure[number]))
            if len(self._waiting) == self._handler.batch_size:
                self._flush()

    def arrays(self) -> dict[str, np.ndarray]:
        """All rows, as `detections.of_arrays` takes them."""
        self._flush()
        empty = np.empty((0, self._classes), np.float32)
        outputs = self._outputs or [{"scores": empty, "spread": empty[:, :0]}]
        if not self._outputs:
            # Joined with other ranges, whose columns these must be.
            blank = np.zeros((self._side, self._side, 3), np.uint8)
            one = self._said([blank])
            outputs = [{name: value[:0] for name, value in one.items()}]
        joined = {name: np.concatenate([o[name] for o in outputs]) for name in outputs[0]}
        return {
            "frames": np.array(self._frames, np.int64),
            "boxes": np.array(self._boxes, np.int32),
            "places": np.array(self._places, np.int32).reshape(-1, 4),
            "detector": np.array(self._sure, np.float32),
            **joined,
        }

    def _flush(self) -> None:
        if self._waiting:
            self._outputs.append(self._said(self._waiting))
            self._waiting = []

    def _said(self, batch: list[np.ndarray]) -> dict[str, np.ndarray]:
        outputs = self._handler.outputs(batch, self._model)
        none = np.empty((len(batch), 0), np.float32)
        return {
            "scores": outputs["scores"],
            "spread": outputs.get("spread", none),
            "embedding": compact(outputs.get("embedding", none)),
        }


def resized(crop: np.ndarray, side: int) -> np.ndarray:
    """A crop of any size to uint8 (side, side, 3), by the resize that is inside the model.

    The model then finds the size it wants, and crops of all sizes make one batch. What differs from
    sending it the crop is the rounding to whole grays.
    """
    from beampose.trainer.backbone import square

    if crop.shape[:2] == (side, side):
        return crop
    return np.clip(np.round(square(crop, side)), 0, 255).astype(np.uint8)


def compact(embedding: np.ndarray) -> np.ndarray:
    """Embeddings (n, dims) to unit vectors float16 (n, `COMPACT`): near stays near.

    A fixed random projection keeps angles (Johnson and Lindenstrauss), and needs no data.
    """
    if not embedding.shape[1]:
        return embedding.astype(np.float16)
    rng = np.random.default_rng(0)
    shorter = embedding @ rng.normal(size=(embedding.shape[1], COMPACT)).astype(np.float32)
    length = np.linalg.norm(shorter, axis=1, keepdims=True)
    return (shorter / np.maximum(length, 1e-9)).astype(np.float16)
