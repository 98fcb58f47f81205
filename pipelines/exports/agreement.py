"""How far the answers of another runtime are from those of the SavedModel."""

import time
from collections.abc import Callable, Mapping

import numpy as np

from beampose.core.settings.experiment import Config
from beampose.trainer import matching
from beampose.trainer.dataset import read_labels

Answers = Mapping[str, np.ndarray]
# Pixels, and probability, by which answers may differ: features are not rounded to bfloat16 there.
PIXELS, PROBABILITY = 0.1, 0.01
# Points with less likelihood may lie anywhere: two cells that are nearly equally high.
SURE = 0.1
# Share of sure peaks of several animals that may be others.
LOST = 0.1


def frame(config: Config, size: tuple[int, int]) -> np.ndarray:
    """A labeled image in this size, uint8 (height, width, 3); noise where none can be read."""
    import cv2

    from beampose.trainer.encoded_frames import Frames, probes

    try:
        frames = Frames(config.dataset)
        for record in probes(read_labels(config.dataset)):
            try:
                pixels = frames.pixels(record)
            except (OSError, ValueError):
                continue
            return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)
    except (OSError, ValueError):
        pass
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    return cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)


def difference(found: Answers, expected: Answers) -> tuple[float, float]:
    """Pixels (0 for crops) and probability by which answers differ at most.

    Of several animals: each sure peak against the nearest one, without the tenth that differs most.

    Raises:
      ValueError: an output is missing or has another shape.
    """
    for name in expected.keys() & {"keypoints", "peaks", "likelihood", "scores"}:
        if name not in found or found[name].shape != expected[name].shape:
            got = found[name].shape if name in found else "nothing"
            raise ValueError(f"output {name} is {got} instead of {expected[name].shape}")
    if "scores" in expected:
        return 0.0, _most(np.abs(found["scores"] - expected["scores"]))
    sure = expected["likelihood"] >= SURE
    if "peaks" not in expected:
        apart = np.linalg.norm(found["keypoints"] - expected["keypoints"], axis=-1)
        less = np.abs(found["likelihood"] - expected["likelihood"])
        return _most(apart[sure]), _most(less[sure])
    distance, twin = matching.nearest(expected["peaks"], found["peaks"])
    likelihood = np.take_along_axis(found["likelihood"], twin, axis=-1)
    less = np.abs(likelihood - expected["likelihood"])
    kept = 1 - LOST
    return _most(distance[sure], kept), _most(less[sure], kept)


def _most(values: np.ndarray, share: float = 1.0) -> float:
    return float(np.quantile(values, share)) if values.size else 0.0


def milliseconds(run: Callable[[np.ndarray], Answers], image: np.ndarray, calls: int = 5) -> float:
    """Median time of a call."""
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        run(image)
        taken.append(1e3 * (time.perf_counter() - began))
    return float(np.median(taken))
