"""Crops: frames to candidate boxes, boxes to crops, crops to classes; and the files of a video."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from upath import UPath

from beampose.core import storage
from beampose.core.infos import ModelInfo, PredictionInfo
from beampose.core.settings.experiment import Config, Keep
from beampose.formats import deepmeerkat, detection_table, megadetector
from beampose.formats.detection_table import Detections
from beampose.pipelines import manifest
from beampose.pipelines.films import clips
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import candidates, crop_stills, dismissed_stills, still_ranges
from beampose.pipelines.predict.candidates import Candidates
from beampose.pipelines.predict.crop_batches import Rows
from beampose.pipelines.predict.predictor import Burst, Described, Result, Results
from beampose.pipelines.predict.view import View
from beampose.pipelines.results import result_names
from beampose.preprocess.cut import Rule
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Frame, Video

if TYPE_CHECKING:
    from beampose.pipelines.predict.inference import SavedModelHandler
    from beampose.trainer.frame_predictor import FramePredictor

LABEL = result_names.CROPS
TABLE, MEGADETECTOR = ".parquet", "_megadetector.json"
# Of a run, beside the files of its videos.
ALL_VIDEOS = "megadetector.json"


class Crops(NamedTuple):
    """A model that classifies crops; a `predictor.Predictor`.

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
    still_endings = (TABLE, crop_stills.CSV, MEGADETECTOR)
    signature = "frames"

    @property
    def lead(self) -> int:
        return self.candidates.lead

    @property
    def burst(self) -> Burst | None:
        motion, seconds = self.candidates.motion, self.candidates.burst
        return Burst(seconds, motion) if motion and seconds else None

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
        rows = Rows(self.rule, self.side, len(self.classes), handler, model)
        failures: list[tuple[int, str]] = []
        looked: dict[int, bool] = dict.fromkeys(part.frames, False)
        for frame in frames:
            counts = frame.index in looked
            if frame.pixels is None:
                if counts:
                    failures.append((frame.index, frame.failure))
                continue
            places, sure = find(frame.index, frame.pixels)
            if frame.boxes is not None:
                places, sure = frame.boxes, np.full(len(frame.boxes), np.nan)
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
        about = self.about(video, len(seen))
        detection_table.write(stem.with_name(stem.name + TABLE), found, about)
        said = self.publish(stem, video, seen, found)
        return {**said, **self._keep(stem, video, found, seen), "remark": self.remark}

    def write_stills(self, stem: UPath, stills: Stills, results: Results) -> dict[str, Any]:
        """The table of detections, as csv too, and MegaDetector's JSON of all images."""
        known = {"looked", *still_ranges.FACTS}
        arrays = results.joined(*(name for name in results.names if name not in known))
        found = detection_table.of_arrays(arrays, self.classes)
        found = dismissed_stills.go_on(stem, LABEL, found, stills)
        looked = int(sum(one.arrays["looked"].sum() for one in results.each()))
        about = {
            "images": stills.path,
            "images_fingerprint": stills.fingerprint,
            "threshold": self.threshold,
            "looked_at": looked,
        }
        said = self.publish_stills(stem, stills.root, found, about)
        return {**said, "remark": self.remark}

    def publish_stills(
        self, stem: UPath, root: str, found: Detections, about: dict[str, Any]
    ) -> dict[str, Any]:
        """Writes the files of a set beside its table of images; repeatable."""
        table = stem.with_name(stem.name + still_ranges.TABLE)
        images = [(one.name, one.taken) for one in still_ranges.read(table)]
        detection_table.write(stem.with_name(stem.name + TABLE), found, about, images)
        crop_stills.write_csv(stem.with_name(stem.name + crop_stills.CSV), found, images)
        kept = found.only(~found.dismissed)
        file = stem.with_name(stem.name + MEGADETECTOR)
        megadetector.write(file, self._head(True), crop_stills.entries(kept, table, root))
        return self._said(found, int(about["looked_at"]))

    def _said(self, found: Detections, seen: int) -> dict[str, Any]:
        """Figures of a summary.

        Args:
          seen: how many frames or images were looked at.
        """
        hits = found.only(found.hits(self.threshold))
        frames_hit = len(np.unique(hits.frames))
        return {
            "boxes": len(found.frames),
            "hits": len(hits.frames),
            "frames_with_hits": frames_hit,
            "dismissed": int(found.dismissed.sum()),
            "return_rate": round(frames_hit / max(seen, 1), 4),
            "classes": {name: int((hits.labels == i).sum()) for i, name in enumerate(self.classes)},
        }

    def about(self, video: Video, looked_at: int) -> dict[str, Any]:
        """Metadata of a table of detections."""
        return {
            "video": video.path,
            "video_fingerprint": video.fingerprint,
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
        said = self._said(found, len(seen))
        folder = folder_of(stem)
        deepmeerkat.write(folder, hits, video.fps)
        parameters = {
            "video_fingerprint": video.fingerprint,
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
        megadetector.write(file, self._head(False), [image])
        return said

    def conclude(
        self, folder: str, summaries: list[PredictionInfo], failures: list[tuple[str, str]]
    ) -> None:
        """One MegaDetector JSON for all videos of a run, for Timelapse."""
        parts = [
            storage.place(folder, f"{summary.name}{LABEL}{MEGADETECTOR}") for summary in summaries
        ]
        kinds = sorted({bool(summary.images) for summary in summaries}) or [False]
        megadetector.join(storage.place(folder, ALL_VIDEOS), self._head(*kinds), parts, failures)

    def _head(self, *stills: bool) -> dict[str, Any]:
        """All but the images of a file of videos, of photographs (`stills`), or of both."""
        found = dict.fromkeys(self.candidates.detector(stills=one) for one in stills)
        return megadetector.header(self.classes, "; ".join(found))

    def _keep(
        self, stem: UPath, video: Video, found: Detections, seen: np.ndarray
    ) -> dict[str, Any]:
        said: dict[str, Any] = {"frames_kept": 0, "clips": []}
        hits = found.only(found.hits(self.threshold))
        clips.clear(folder_of(stem))
        if self.keep.frames or self.keep.clips:
            # What came with the ranges tells no times of frames, nor all pages of a stack.
            video = manifest.index(video.path)
        if self.keep.frames:
            best = best_frames(hits, self.keep.frames, seen)
            said["frames_kept"] = clips.write_frames(folder_of(stem), video, best)
        if self.keep.clips:
            times = manifest.seconds(video)
            if np.isnan(times).any():
                return {**said, "clips_left_out": "the video has no frame rate"}
            keep = self.keep
            cuts = clips.stretches(
                hits.frames, times, gap=keep.gap, buffer=keep.buffer, shortest=keep.shortest
            )
            name = folder_of(stem).name
            said["clips"] = clips.write_clips(folder_of(stem), name, video, cuts)
        return said


def of_experiment(config: Config, info: ModelInfo) -> Crops:
    """What a crop model makes of frames.

    Args:
      info: the model's info.json.
    """
    rule, remark = candidates.rule_of(config.boxes, info.crop_rule)
    return Crops(
        classes=tuple(info.classes),
        candidates=candidates.of_config(config.boxes),
        rule=rule,
        side=info.recipe.crop_size,
        threshold=config.predict.pcutoff,
        keep=config.keep,
        remark=remark,
    )


def of_model(config: Config, info: ModelInfo, digest: str) -> Described:
    """See `predictors.of_model`."""
    predictor, predict = of_experiment(config, info), config.predict
    settings: dict[str, Any] = {
        name: getattr(predict, name) for name in ("every", "fps", "start", "stop", "pcutoff")
    }
    settings |= {**predictor.candidates.describe(), **predictor.rule._asdict()}
    settings |= {f"keep_{name}": value for name, value in vars(config.keep).items()}
    if predictor.lead:
        # Every range learns the background again, so where ranges begin is part of the result.
        settings["chunk"] = predict.chunk
    return Described(predictor, LABEL, settings, View())


def folder_of(stem: UPath) -> UPath:
    """DeepMeerkat's folder of a video, from what the names of its files begin with."""
    return stem.with_name(stem.name.removesuffix(LABEL))


def best_frames(hits: Detections, most: int, seen: np.ndarray | None = None) -> list[int]:
    """Frames to keep, in order: the most confident of every visit, then the next ones of each.

    Args:
      seen: int64, the analysed frames in order; a visit is hits in a row of these. None: all.
    """
    order = np.argsort(-hits.confidence, kind="stable")
    surest = list(dict.fromkeys(hits.frames[order].tolist()))
    numbers = np.unique(hits.frames)
    places = numbers if seen is None else np.searchsorted(seen, numbers)
    visits = dict(zip(numbers.tolist(), np.cumsum(np.diff(places, prepend=0) > 1), strict=True))
    ranked: list[tuple[int, int]] = []
    ranks: dict[int, int] = {}
    for number in surest:
        rank = ranks[visits[number]] = ranks.get(visits[number], -1) + 1
        ranked.append((rank, number))
    # The sort is stable: among those of one rank the most confident stay first.
    return sorted(number for _, number in sorted(ranked, key=lambda one: one[0])[:most])
