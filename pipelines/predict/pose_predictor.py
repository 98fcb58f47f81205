"""Keypoints of one animal: frames to arrays, arrays to DeepLabCut's files."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from upath import UPath

from beampose.core import storage
from beampose.core.infos import ModelInfo, PredictionInfo, Uncertainty
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import prediction_writer
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import keypoint_settings
from beampose.pipelines.predict.frame_reader import batches
from beampose.pipelines.predict.predictor import Described, Result, Results
from beampose.pipelines.predict.view import View
from beampose.preprocess.videos import Frame, Video

if TYPE_CHECKING:
    from beampose.pipelines.predict.inference import SavedModelHandler
    from beampose.trainer.frame_predictor import FramePredictor

# What a model is asked to know how many bodyparts it has, where no frame could be decoded.
BLANK = np.zeros((1, 64, 64, 3), np.uint8)


class Keypoints(NamedTuple):
    """A model that finds one animal in a frame; a `predictor.Predictor`.

    Attributes:
      scorer, bodyparts: as in the model's info.json.
      config: the part of a DeepLabCut test pose_cfg that its tools read.
      uncertainty: as in the model's info.json.
      view: what of a frame the model sees.
      dynamic: likelihood from which the next frames are cut to the animal; 0 = never.
      margin: pixels around the animal in such a cut.
    """

    scorer: str
    bodyparts: tuple[str, ...]
    config: dict[str, Any]
    uncertainty: Uncertainty | None
    view: View
    dynamic: float = 0.0
    margin: int = 10

    endings = (".h5", ".csv", "_meta.pickle")
    lead = 0
    signature = "frames"

    def check(self, video: Video) -> None:
        """Accepts every video."""

    def depends(self, path: str) -> str:
        return ""

    def conclude(
        self, folder: str, summaries: list[PredictionInfo], failures: list[tuple[str, str]]
    ) -> None:
        """DeepLabCut's files are a video's own."""

    def infer(
        self,
        part: Range,
        frames: Iterator[Frame],
        handler: "SavedModelHandler",
        model: "FramePredictor",
    ) -> Result:
        """Array `keypoints`: (frames, bodyparts, 3 or 4) x, y, likelihood, spread of several heads.

        NaN where a frame failed.
        """
        failures: list[tuple[int, str]] = []
        rows: list[tuple[list[int], np.ndarray]] = []
        focus = None
        for batch in batches(frames, handler.batch_size, failures):
            pixels = [f.pixels for f in batch if f.pixels is not None]
            found, focus = self._found(pixels, focus, handler, model)
            rows.append(([f.index for f in batch], found))
        shape = rows[0][1].shape[1:] if rows else _joined(model.predict(BLANK)).shape[1:]
        keypoints = np.full((len(part.frames), *shape), np.nan)
        place = {number: row for row, number in enumerate(part.frames)}
        for numbers, found in rows:
            keypoints[[place[number] for number in numbers]] = found
        return Result({"keypoints": keypoints}, failures)

    def write(
        self, stem: UPath, video: Video, frames: np.ndarray, results: Results
    ) -> dict[str, Any]:
        """DeepLabCut's h5, csv and metadata; of several heads also `<stem>_spread.csv`."""
        keypoints = results.joined("keypoints")["keypoints"]
        table = prediction_writer.table(keypoints[..., :3], self.scorer, self.bodyparts, frames)
        prediction_writer.write(table, stem)
        if keypoints.shape[-1] > 3:
            self._write_spread(keypoints[..., 3], stem, frames)
        keypoint_settings.write_meta(stem, video, self.scorer, self.config)
        return {
            "scorer": self.scorer,
            "uncertainty": self.uncertainty,
            "rows_without_result": int(np.isnan(keypoints).all(axis=(1, 2)).sum()),
            "remark": self.view.remark(video.height, video.width),
        }

    def _found(
        self,
        pixels: list[np.ndarray],
        focus: "Focus | None",
        handler: "SavedModelHandler",
        model: "FramePredictor",
    ) -> tuple[np.ndarray, "Focus | None"]:
        """Keypoints of a batch in pixels of the frame, and the part of the next one to use."""
        seen = [self.view.apply(one) for one in pixels]
        if focus is None:
            found = _joined(handler.outputs(seen, model))
        else:
            found = _joined(handler.outputs([focus.cut(one) for one in seen], model))
            found[..., :2] += [focus.left, focus.top]
            lost = np.flatnonzero(~(found[..., 2] >= self.dynamic).any(axis=1))
            if len(lost):
                found[lost] = _joined(handler.outputs([seen[i] for i in lost], model))
        if self.dynamic:
            focus = Focus.around(found, self.dynamic, self.margin, seen[0].shape[:2])
        found[..., :2] = self.view.undo(found[..., :2], *pixels[0].shape[:2])
        return found, focus

    def _write_spread(self, spread: np.ndarray, stem: UPath, frames: np.ndarray) -> None:
        """`<stem>_spread.csv`: pixels by which the model's heads disagree, a row for each frame."""
        with storage.replacing(stem.with_name(f"{stem.name}_spread.csv")) as temporary:
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
        dynamic=config.predict.dynamic,
        margin=config.predict.margin,
    )
    settings = keypoint_settings.settings(config, "dynamic", "margin")
    return Described(predictor, predictor.scorer, settings, view)


class Focus(NamedTuple):
    """A part of a frame around the animal."""

    left: int
    top: int
    right: int
    bottom: int

    # Sides are multiples of it, so that the network meets few sizes.
    STEP = 32

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        return pixels[self.top : self.bottom, self.left : self.right]

    @classmethod
    def around(
        cls, found: np.ndarray, likelihood: float, margin: int, size: tuple[int, int]
    ) -> "Focus | None":
        """Around all points (batch, bodyparts, 3 or more) that reach a likelihood.

        None if there are none, or the part would be nearly the whole frame.
        """
        points = found[found[..., 2] >= likelihood][:, :2]
        if not len(points):
            return None
        sides = []
        for axis, length in ((0, size[1]), (1, size[0])):
            low = max(int(points[:, axis].min()) - margin, 0)
            wanted = int(np.ceil(points[:, axis].max())) + margin - low
            wanted = min(cls.STEP * max(-(-wanted // cls.STEP), 2), length)
            low = min(low, length - wanted)
            sides.append((low, low + wanted))
        (left, right), (top, bottom) = sides
        if (right - left) * (bottom - top) > 0.8 * size[0] * size[1]:
            return None
        return cls(left, top, right, bottom)


def _joined(outputs: dict[str, np.ndarray]) -> np.ndarray:
    """(batch, bodyparts, 3 or 4) of the one individual."""
    columns = [outputs[name][:, 0, :, None] for name in ("likelihood", "spread") if name in outputs]
    return np.concatenate([outputs["keypoints"][:, 0], *columns], axis=-1)
