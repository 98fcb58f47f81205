"""Frames of a film for a loaded model, decoded range by range."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from beampose.core import artefacts, files
from beampose.core.infos import ModelInfo
from beampose.core.settings import experiment
from beampose.core.wording import counted
from beampose.pipelines import manifest
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import pose_predictor
from beampose.pipelines.predict.film_work import AHEAD
from beampose.pipelines.predict.frame_reader import split
from beampose.pipelines.predict.inference import SavedModelHandler
from beampose.preprocess.videos import Frame, Video
from beampose.public.predictions import Predictions
from beampose.trainer.frame_predictor import FramePredictor

# Frames of a range of several animals.
_CHUNK = 512
# Settings of `predict` on which it depends how an animal is followed.
_FOLLOWED = ("pcutoff", "chunk", "look", "dynamic", "margin")


class Chosen(NamedTuple):
    """Some frames of a film, in order."""

    video: Video
    frames: Sequence[int]

    def stretches(self, chunk: int) -> Iterator[tuple[Range, ...]]:
        """Ranges of them, grouped by who decodes them."""
        yield from manifest.stretches("", self.video, self.frames, chunk)


def choose(path: str, *, start: int, stop: int | None, every: int) -> Chosen:
    """Chooses frames of a film.

    Raises:
      FileNotFoundError: no such film.
      ValueError: it cannot be read, or no frame is chosen.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1. Received: {every}.")
    if not files.exists(path):
        raise FileNotFoundError(f"No video {path}.")
    video = manifest.index(path)
    chosen = range(video.count)[start:stop:every]
    if not len(chosen):
        raise ValueError(
            f"{path}: no frame is chosen, start and stop leave nothing of its "
            f"{counted(video.count, 'frame')}."
        )
    return Chosen(video, chosen)


def of_one_animal(
    folder: str, model: FramePredictor, chosen: Chosen, batch_size: int
) -> np.ndarray:
    """(frames, 1, bodyparts, 3), NaN where a frame failed; the animal is followed by windows."""
    info = artefacts.require(folder, ModelInfo)
    config = _config(info)
    predictor = pose_predictor.of_model(config, info, "").predictor
    handler = SavedModelHandler(folder, batch_size)
    found = [
        predictor.infer(part, frames, handler, model).arrays["keypoints"]
        for stretch in chosen.stretches(config.predict.chunk)
        for part, frames in split(stretch, 0, AHEAD * batch_size)
    ]
    return np.concatenate(found)[:, None, :, :3]


def of_animals(predict: Callable[..., Predictions], chosen: Chosen, batch_size: int) -> np.ndarray:
    """(frames, individuals, bodyparts, 3), NaN where a frame failed; nobody is tracked."""
    rows = [
        row
        for stretch in chosen.stretches(_CHUNK)
        for _, frames in split(stretch, 0, AHEAD * batch_size)
        for row in _assembled(predict, frames, batch_size)
    ]
    shape = next((row.shape for row in rows if row is not None), None)
    if shape is None:
        raise ValueError(f"{chosen.video.path}: none of the chosen frames could be decoded.")
    return np.stack([np.full(shape, np.nan) if row is None else row for row in rows])


def _assembled(
    predict: Callable[..., Predictions], frames: Iterator[Frame], batch_size: int
) -> Iterator[np.ndarray | None]:
    """A row of each frame, in batches; None of one that cannot be decoded."""
    while batch := list(islice(frames, batch_size)):
        pixels = [one.pixels for one in batch if one.pixels is not None]
        found = predict(pixels, batch_size=batch_size) if pixels else None
        rows = iter([] if found is None else _values(found))
        yield from (None if one.pixels is None else next(rows) for one in batch)


def _values(found: Predictions) -> np.ndarray:
    return np.concatenate([found.keypoints, found.likelihood[..., None]], axis=-1)


def _config(info: ModelInfo) -> experiment.Config:
    """An experiment that predicts as the one that the model was trained by."""
    told = info.config.get("predict")
    told = told if isinstance(told, dict) else {}
    predict = {name: told[name] for name in _FOLLOWED if name in told}
    where = {"source": {"format": "deeplabcut", "path": "."}, "output": "."}
    return experiment.from_dict(experiment.Config, {"task": "pose", **where, "predict": predict})
