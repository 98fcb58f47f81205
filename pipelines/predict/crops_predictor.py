"""Crops: frames to candidate boxes, boxes to crops, crops to classes; and the files of a video."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from upath import UPath

from beampose.core import storage
from beampose.core.infos import PredictionInfo
from beampose.core.settings.experiment import Keep
from beampose.formats import deepmeerkat, detection_table, megadetector
from beampose.formats.detection_table import Detections
from beampose.pipelines import manifest
from beampose.pipelines.films import clips
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict.candidates import Candidates
from beampose.pipelines.predict.predictor import Result, Results
from beampose.preprocess.cut import Rule
from beampose.preprocess.videos import Frame, Video

if TYPE_CHECKING:
    from beampose.pipelines.predict.inference import SavedModelHandler
    from beampose.trainer.frame_predictor import FramePredictor

LABEL = "_crops"
TABLE, MEGADETECTOR = ".parquet", "_megadetector.json"
# Of a run, beside the files of its videos.
ALL_VIDEOS = "megadetector.json"
# Numbers an embedding is projected to: enough to tell crops that look alike, 64 bytes a box.
COMPACT = 32


class Crops(NamedTuple):
    """A model that classifies crops; a `kinds.Kind`.

    Attributes:
      classes: names, in the order of the model.
      candidates: what finds boxes.
      rule: how a crop is cut around a box.
      side: crops are resized to this square, as the model itself would.
      threshold: confidence from which a detection is a hit.
      keep: which frames and clips.
      remark: human-readable, on the rule.
    """

    classes: tuple[str, ...]
    candidates: Candidates
    rule: Rule
    side: int
    threshold: float
    keep: Keep
    remark: str = ""

    endings = (TABLE, MEGADETECTOR)
    signature = "frames"

    @property
    def lead(self) -> int:
        return self.candidates.lead

    def check(self, video: Video) -> None:
        """Raises ValueError if a video has no boxes, or the region of interest is outside."""
        self.candidates.check(video)

    def depends(self, path: str) -> str:
        return self.candidates.digest(path)

    def infer(
        self,
        part: Range,
        frames: Iterator[Frame],
        handler: "SavedModelHandler",
        model: "FramePredictor",
    ) -> Result:
        """Arrays of `detections.of_arrays`, a row per box; `looked` is True for decoded frames."""
        find = self.candidates.of(part.video)
        rows = Rows(self, handler, model)
        failures: list[tuple[int, str]] = []
        looked: dict[int, bool] = dict.fromkeys(part.frames, False)
        for frame in frames:
            counts = frame.index in looked
            if frame.pixels is None:
                if counts:
                    failures.append((frame.index, frame.failure))
                continue
            places, sure = find(frame.index, frame.pixels)
            if counts:
                looked[frame.index] = True
                rows.add(frame, places, sure)
        return Result({**rows.arrays(), "looked": np.array(list(looked.values()))}, failures)

    def write(
        self, stem: UPath, video: Video, frames: np.ndarray, results: Results
    ) -> dict[str, Any]:
        """The table of detections, DeepMeerkat's folder, MegaDetector's JSON, frames and clips."""
        arrays = results.joined(*results.names)
        seen = frames[arrays.pop("looked")]
        found = detection_table.of_arrays(arrays, self.classes)
        times = manifest.seconds(video)
        about = self.about(video, len(seen))
        detection_table.write(stem.with_name(stem.name + TABLE), found, about)
        said = self.publish(stem, video, seen, found)
        return {**said, **self._keep(stem, video, found, times), "remark": self.remark}

    def about(self, video: Video, looked_at: int) -> dict[str, Any]:
        """Metadata of a table of detections."""
        return {
            "video": video.path,
            "fps": video.fps,
            "height": video.height,
            "width": video.width,
            "threshold": self.threshold,
            "looked_at": looked_at,
        }

    def publish(
        self, stem: UPath, video: Video, seen: np.ndarray, found: Detections
    ) -> dict[str, Any]:
        """Writes annotations.csv, parameters.csv and MegaDetector's JSON from a table; repeatable.

        Args:
          seen: int64, the analysed frames.
        """
        rate = video.fps or 25.0
        hits = found.only(found.hits(self.threshold))
        kept = found.only(~found.dismissed)
        frames_hit = len(np.unique(hits.frames))
        said = {
            "boxes": len(found.frames),
            "hits": len(hits.frames),
            "frames_with_hits": frames_hit,
            "dismissed": int(found.dismissed.sum()),
            "return_rate": round(frames_hit / max(len(seen), 1), 4),
            "classes": {name: int((hits.labels == i).sum()) for i, name in enumerate(self.classes)},
        }
        folder = folder_of(stem)
        deepmeerkat.write(folder, hits, video.fps)
        parameters = {
            **self.candidates.describe(),
            **{k: v for k, v in said.items() if k != "classes"},
            "confidence_threshold": self.threshold,
            "frames_looked_at": len(seen),
            "frames_per_second": video.fps,
            "minutes": round(video.count / rate / 60, 2),
            "total_frames": video.count,
        }
        deepmeerkat.write_parameters(folder, video.path, parameters)
        image = megadetector.entry(
            kept,
            video=video.path,
            size=(video.height, video.width),
            fps=rate,
            frames=seen,
        )
        file = stem.with_name(stem.name + MEGADETECTOR)
        megadetector.write(file, self._head(), [image])
        return said

    def conclude(
        self, folder: str, summaries: list[PredictionInfo], failures: list[tuple[str, str]]
    ) -> None:
        """One MegaDetector JSON for all videos of a run, for Timelapse."""
        parts = [
            storage.place(folder, f"{summary.name}{LABEL}{MEGADETECTOR}") for summary in summaries
        ]
        megadetector.join(storage.place(folder, ALL_VIDEOS), self._head(), parts, failures)

    def _head(self) -> dict[str, Any]:
        return megadetector.header(self.classes, self.candidates.name)

    def _keep(
        self, stem: UPath, video: Video, found: Detections, times: np.ndarray
    ) -> dict[str, Any]:
        said: dict[str, Any] = {"frames_kept": 0, "clips": []}
        hits = found.only(found.hits(self.threshold))
        clips.clear(folder_of(stem))
        if self.keep.frames:
            best = best_frames(hits, self.keep.frames)
            said["frames_kept"] = clips.write_frames(folder_of(stem), video, best)
        if self.keep.clips:
            if np.isnan(times).any():
                return {**said, "clips_left_out": "the video has no frame rate"}
            keep = self.keep
            cuts = clips.stretches(
                hits.frames, times, gap=keep.gap, buffer=keep.buffer, shortest=keep.shortest
            )
            name = folder_of(stem).name
            said["clips"] = clips.write_clips(folder_of(stem), name, video, cuts)
        return said


class Rows:
    """Crops waiting for the model, in batches of one size, and what it said."""

    def __init__(self, kind: Crops, handler: "SavedModelHandler", model: "FramePredictor"):
        self._kind = kind
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
            crop = self._kind.rule.cut(frame.pixels, tuple(place.tolist()))
            self._waiting.append(resized(crop, self._kind.side))
            self._frames.append(frame.index)
            self._boxes.append(number)
            self._places.append(place)
            self._sure.append(float(sure[number]))
            if len(self._waiting) == self._handler.batch_size:
                self._flush()

    def arrays(self) -> dict[str, np.ndarray]:
        """All rows, as `detections.of_arrays` takes them."""
        self._flush()
        empty = np.empty((0, len(self._kind.classes)), np.float32)
        outputs = self._outputs or [{"scores": empty, "spread": empty[:, :0]}]
        if not self._outputs:
            # Joined with other ranges, whose columns these must be.
            blank = np.zeros((self._kind.side, self._kind.side, 3), np.uint8)
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
    from beampose.trainer.backbone import resize

    if crop.shape[:2] == (side, side):
        return crop
    values = resize(crop[None], side, side)[0].numpy()  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


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


def folder_of(stem: UPath) -> UPath:
    """DeepMeerkat's folder of a video, from what the names of its files begin with."""
    return stem.with_name(stem.name.removesuffix(LABEL))


def best_frames(hits: Detections, most: int) -> list[int]:
    """Frames to keep, in order: the most confident of every visit, then the next ones of each."""
    order = np.argsort(-hits.confidence, kind="stable")
    surest = list(dict.fromkeys(hits.frames[order].tolist()))
    numbers = np.unique(hits.frames)
    visits = dict(zip(numbers.tolist(), np.cumsum(np.diff(numbers, prepend=0) > 1), strict=True))
    ranked: list[tuple[int, int]] = []
    seen: dict[int, int] = {}
    for number in surest:
        rank = seen[visits[number]] = seen.get(visits[number], -1) + 1
        ranked.append((rank, number))
    # The sort is stable: among those of one rank the most confident stay first.
    return sorted(number for _, number in sorted(ranked, key=lambda one: one[0])[:most])
