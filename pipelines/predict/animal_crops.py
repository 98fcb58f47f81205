"""Animals that were found, cut out and embedded, by which they are told apart later."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from beampose.core.task_kinds import ANIMAL_CROP
from beampose.pipelines.predict.crop_batches import resized
from beampose.preprocess.cut import Rule

if TYPE_CHECKING:
    from beampose.pipelines.predict.inference import SavedModelHandler
    from beampose.trainer.frame_predictor import FramePredictor

# The signature that embeds, and the array that holds its vectors.
CROPS = "crops"
# How an animal is cut out: around its keypoints, and no smaller than this many pixels.
RULE, LEAST = Rule(pad=0.25, square=True), 32.0


def embed(
    pixels: Sequence[np.ndarray],
    found: Sequence[dict[str, np.ndarray]],
    handler: "SavedModelHandler",
    model: "FramePredictor",
) -> None:
    """Fills in `crops`, the features of each animal that is there.

    Args:
      pixels: uint8 (height, width, 3) of each frame.
      found: its arrays, as `animals_predictor` keeps them.
    """
    crops, places = [], []
    for i, one in enumerate(found):
        for slot, points in enumerate(one["keypoints"][..., :2]):
            if not np.isnan(points).all():
                crops.append(_crop(pixels[i], points))
                places.append((i, slot))
    for start in range(0, len(crops), handler.batch_size):
        some = crops[start : start + handler.batch_size]
        embedded = handler.outputs(some, model, CROPS)["embedding"]
        for (i, slot), vector in zip(places[start:], embedded, strict=False):
            found[i][CROPS][slot] = vector.astype(np.float16)


def _crop(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The animal at points (bodyparts, 2), NaN = missing, in a square of the model's size."""
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    lack = np.maximum(LEAST - (high - low), 0) / 2
    low, side = low - lack, high - low + 2 * lack
    return resized(RULE.cut(pixels, (low[0], low[1], side[0], side[1])), ANIMAL_CROP)
