"""Keypoints of one animal: frames to arrays, arrays to DeepLabCut's files."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from upath import UPath

from beampose.core import storage
from beampose.core.infos import ModelInfo, Uncertainty
from beampose.core.names import SPREAD
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import prediction_writer
from beampose.formats.deeplabcut.track_writer import Names
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import keypoint_settings, keypoint_stills
from beampose.pipelines.predict.frame_reader import batches
from beampose.pipelines.predict.keypoint_predictor import KeypointPredictor
from beampose.pipelines.predict.pose_looker import PoseLooker, joined
from beampose.pipelines.predict.predictor import Described, Result, Results
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Frame, Video
from beampose.trainer.frame_predictor import FramePredictor

if TYPE_CHECKING:
    from beampose.pipelines.predict.inference import SavedModelHandler

# What a model is asked to know how many bodyparts it has, where no frame could be decoded.
BLANK = np.zeros((1, 64, 64, 3), np.uint8)


@dataclasses.dataclass(frozen=True)
class Keypoints(KeypointPredictor):
    """A model that finds one animal in a frame; a `predictor.Predictor`.

    Attributes:
      bodyparts, uncertainty: as in the model's info.json.
    """

    bodyparts: tuple[str, ...]
    uncertainty: Uncertainty | None

    endings = (".h5", ".csv", "_meta.pickle")
    signature = "frames"

    def infer(
        self,
        part: Range,
        frames: Iterator[Frame],
        handler: "SavedModelHandler",
        model: FramePredictor,
    ) -> Result:
        """Array `keypoints`: (frames, bodyparts, 3 or 4) x, y, likelihood, spread of several heads.

        NaN where a frame failed. Array `window`: (frames,), 1 where a window of the frame said it.
        """
        failures: list[tuple[int, str]] = []
        rows: list[tuple[list[int], np.ndarray]] = []
        looks: list[np.ndarray] = []
        looker = PoseLooker(self._followed(part), handler.batch_size, model)
        for batch in batches(frames, handler.batch_size, failures):
            pixels = [f.pixels for f in batch if f.pixels is not None]
            found, look = looker.found([self.view.apply(one) for one in pixels])
            found[..., :2] = self.view.undo(found[..., :2], *pixels[0].shape[:2])
            rows.append(([f.index for f in batch], found))
            looks.append(look)
        shape = rows[0][1].shape[1:] if rows else joined(model.predict(BLANK)).shape[1:]
        keypoints = np.full((len(part.frames), *shape), np.nan)
        window = np.zeros(len(part.frames), np.uint8)
        place = {number: row for row, number in enumerate(part.frames)}
        for (numbers, found), look in zip(rows, looks, strict=True):
            there = [place[number] for number in numbers]
            keypoints[there], window[there] = found, look
        return Result({"keypoints": keypoints, "window": window}, failures)

    def write(
        self, stem: UPath, video: Video, frames: np.ndarray, results: Results
    ) -> dict[str, Any]:
        """DeepLabCut's h5, csv and metadata; of several heads also `<stem>_spread.csv`."""
        pieces, by_window = [], 0
        for one in results.each():
            pieces.append(one.arrays["keypoints"])
            # Ranges of a version before looked at whole frames.
            by_window += int(np.sum(one.arrays.get("window", 0)))
        keypoints = np.concatenate(pieces)
        table = prediction_writer.table(keypoints[..., :3], self.scorer, self.bodyparts, frames)
        prediction_writer.write(table, stem)
        if keypoints.shape[-1] > 3:
            self._write_spread(keypoints[..., 3], stem, frames)
        keypoint_settings.write_meta(stem, video, self.scorer, self.config)
        return {
            "scorer": self.scorer,
            "uncertainty": self.uncertainty,
            "rows_without_result": int(np.isnan(keypoints).all(axis=(1, 2)).sum()),
            "rows_by_window": by_window,
            "remark": self.view.remark(video.height, video.width),
        }

    def write_stills(self, stem: UPath, stills: Stills, results: Results) -> dict[str, Any]:
        """DeepLabCut's h5 and csv, rows by image; of several heads also `<stem>_spread.csv`."""
        keypoints = results.joined("keypoints")["keypoints"]
        names = Names(self.scorer, self.bodyparts)
        keypoint_stills.write_one(stem, stills, keypoints[..., :3], names)
        if keypoints.shape[-1] > 3:
            keypoint_stills.write_spread(stem, stills, keypoints[..., 3], names)
        return {
            "scorer": self.scorer,
            "uncertainty": self.uncertainty,
            "rows_without_result": int(np.isnan(keypoints).all(axis=(1, 2)).sum()),
        }

    def _write_spread(self, spread: np.ndarray, stem: UPath, frames: np.ndarray) -> None:
        """`<stem>_spread.csv`: pixels by which the model's heads disagree, a row for each frame."""
        with storage.replacing(stem.with_name(stem.name + SPREAD)) as temporary:
            frame = pd.DataFrame(spread, columns=pd.Index(self.bodyparts), index=frames)
            frame.to_csv(temporary, index_label="frame", float_format="%.3f")


def of_model(config: Config, info: ModelInfo, digest: str) -> Described:
    """See `predictors.of_model`."""
    if config.predict.also:
        raise ValueError(
            f"predict.also applies only to several animals; the model in {config.model} finds one. "
            f"Received: {', '.join(config.predict.also)}."
        )
    view = keypoint_settings.view(config, info)
    predictor = Keypoints(
        scorer=info.dlc_scorer,
        bodyparts=tuple(info.bodyparts),
        config=keypoint_settings.dlc_config(config, info),
        uncertainty=info.uncertainty,
        view=view,
        following=keypoint_settings.following(config, info),
    )
    settings = keypoint_settings.settings(config, "dynamic", "margin")
    settings = keypoint_settings.looked(config, settings)
    return Described(predictor, predictor.scorer, settings, view)
