"""Frames of a film for a loaded model, decoded range by range."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.core.infos import ModelInfo
from beampose.core.settings import experiment
from beampose.core.wording import counted
from beampose.pipelines import manifest
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import animals_predictor, pose_predictor
from beampose.pipelines.predict.animals_predictor import Animals
from beampose.pipelines.predict.film_work import AHEAD
from beampose.pipelines.predict.frame_reader import split
from beampose.pipelines.predict.inference import SavedModelHandler
from beampose.pipelines.predict.predictor import Predictor
from beampose.preprocess.videos import Video
from beampose.trainer.frame_predictor import FramePredictor

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
      ValueError: it cannot be read, no frame is chosen, or a number is none of a frame.
    """
    for name, value, least in (("start", start, 0), ("stop", stop, 0), ("every", every, 1)):
        _check(name, value, least)
    files.require(path, "video")
    video = manifest.index(path)
    chosen = range(video.count)[start:stop:every]
    if not len(chosen):
        raise ValueError(
            f"{path}: no frame is chosen, start and stop leave nothing of its "
            f"{counted(video.count, 'frame')}."
        )
    return Chosen(video, chosen)


def _check(name: str, value: int | None, least: int) -> None:
    """Raises ValueError for what is no number of frames; None is the beginning or the end."""
    if value is None and name != "every":
        return
    if not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of {least} or more. Received: {value!r}.")


def of_one_animal(
    info: ModelInfo, model: FramePredictor, chosen: Chosen, batch_size: int
) -> np.ndarray:
    """(frames, 1, bodyparts, 3), NaN where a frame failed; the animal is followed by windows."""
    config = _config(info)
    predictor = pose_predictor.of_model(config, info, "").predictor
    found = [one["keypoints"] for one in _inferred(predictor, model, chosen, config, batch_size)]
    return np.concatenate(found)[:, None, :, :3]


def of_animals(
    info: ModelInfo, model: FramePredictor, chosen: Chosen, batch_size: int
) -> np.ndarray:
    """(frames, individuals, bodyparts, 3), NaN where a frame failed; animals are followed by
    windows, but not tracked."""
    config = _config(info)
    predictor = animals_predictor.of_model(config, info, "").predictor
    assert isinstance(predictor, Animals)
    rules = predictor.rules
    unique = list(rules.unique)
    common = np.setdiff1d(np.arange(len(rules.bodyparts)), unique)
    found = []
    for one in _inferred(predictor, model, chosen, config, batch_size):
        shape = (len(one["keypoints"]), len(rules.individuals), len(rules.bodyparts), 3)
        rows = np.full(shape, np.nan)
        rows[:, : rules.animals, common] = one["keypoints"]
        rows[:, -1, unique] = one["single"] if unique else rows[:, -1, unique]
        found.append(rows)
    return np.concatenate(found)


def _inferred(
    predictor: Predictor,
    model: FramePredictor,
    chosen: Chosen,
    config: experiment.Config,
    batch_size: int,
) -> Iterator[dict[str, np.ndarray]]:
    """What a predictor finds in one range after the other."""
    handler = SavedModelHandler("", batch_size, predictor.signature)
    for stretch in chosen.stretches(config.predict.chunk):
        for part, frames in split(stretch, 0, AHEAD * batch_size):
            yield predictor.infer(part, frames, handler, model).arrays


def _config(info: ModelInfo) -> experiment.Config:
    """An experiment that predicts as the one that the model was trained by."""
    told = info.config.get("predict")
    told = told if isinstance(told, dict) else {}
    predict = {name: told[name] for name in _FOLLOWED if name in told}
    where = {"source": {"format": "deeplabcut", "path": "."}, "output": "."}
    return experiment.from_dict(experiment.Config, {"task": "pose", **where, "predict": predict})
