"""Predicts videos and photographs: as a Beam job, or in a plain loop where Beam is not there."""

import dataclasses
import json
import logging
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Protocol

from beampose.core import artefacts, folder_lock, storage, texts
from beampose.core.infos import ModelInfo, PredictionInfo
from beampose.core.names import FAILURES
from beampose.core.settings.experiment import Config
from beampose.core.wording import agreed, counted
from beampose.pipelines import film_names, still_sets
from beampose.pipelines.film_names import Film
from beampose.pipelines.manifest import Sample
from beampose.pipelines.outcome import OfVideos, Rows, failed
from beampose.pipelines.predict import (
    candidates,
    earlier_stills,
    film_outcomes,
    frame_times,
    plain_loop,
    predictors,
)
from beampose.pipelines.predict.film_outcomes import Refused
from beampose.pipelines.predict.film_work import Chosen
from beampose.pipelines.predict.inference import SavedModelHandler
from beampose.pipelines.predict.job_output import Output
from beampose.pipelines.predict.view import View
from beampose.pipelines.results.result_names import Predictions
from beampose.pipelines.still_sets import Sources
from beampose.trainer.model_digest import file_digest, model_digest

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, repr=False)
class Summary(OfVideos):
    """Summary of a run.

    Attributes:
      videos: a summary of each, as in the json beside its predictions.
      kept: videos and sets of photographs that were predicted before, as they are now.
      frames: that the model saw.
      counters: the job's own, by name.
      folder: of the predictions.
    """

    videos: list[PredictionInfo]
    kept: int
    frames: int
    seconds: float
    counters: dict[str, int]
    folder: str

    @property
    def lost(self) -> int:
        """Frames without a result."""
        return sum(len(video.failures) for video in self.videos)

    @property
    def passed(self) -> bool:
        return super().passed and not self.lost

    def lines(self) -> Iterator[str]:
        for video in self.videos:
            yield from _video_lines(video)
        yield from failed(self.failures)
        rate = f", {self.frames / self.seconds:.1f} frames/s" if self.frames else ""
        yield (
            f"predict: {' and '.join(self._counts())}, "
            f"{counted(self.frames, 'frame')} in {self.seconds:.0f} s{rate}. {self.folder}"
        )
        if self.lost:
            lost = f"{counted(self.lost, 'frame')} {agreed(self.lost, 'have')}"
            yield f"{lost} no result, one per line: {self.folder}/{FAILURES}"

    def _counts(self) -> Iterator[str]:
        """Videos and photographs by number, and how many of them an earlier run had."""
        sets = [one for one in self.videos if one.images]
        films, before = len(self.videos) - len(sets), self.counters.get
        if films or not sets:
            kept = self.kept - before("sets_kept", 0)
            yield f"{counted(films, 'video')} ({kept} from before)"
        if sets:
            each = f" of {len(sets)} sets" if len(sets) > 1 else ""
            pictures = counted(sum(one.images for one in sets), "photograph")
            yield f"{pictures}{each} ({before('images_from_before', 0)} from before)"

    def tables(self) -> Iterator[Rows]:
        found = [
            [one.video, one.rows, one.frames_decoded, len(one.failures)] for one in self.videos
        ]
        lost = [[path, why, None, None] for path, why in self.failures]
        yield Rows(("video", "rows", "frames_decoded", "failures"), [*found, *lost])


def run(
    config: Config,
    paths: Sequence[str],
    beam_words: Sequence[str] = (),
    *,
    overwrite: bool = False,
) -> Summary:
    """Runs the model on videos, and continues where a killed run stopped.

    Args:
      overwrite: whether predictions may be replaced: those by another model, with other settings,
        or of what a changed film held before.

    Raises:
      OSError, ValueError: there is no model, or no such videos at all, or another run writes to
        the same folder.
    """
    began = time.perf_counter()
    work = _work(config, beam_words)
    info = artefacts.require(config.model, ModelInfo)
    output, view = describe(config, info, overwrite)
    sources = work.put(still_sets.expand(paths, config.output))
    predict = config.predict
    sample = Sample(predict.every, predict.fps, predict.start, predict.stop)
    chosen = Chosen(sample, view, predict.chunk)
    handler = SavedModelHandler(config.model, predict.batch_size, output.predictor.signature)
    with folder_lock.held(config.predictions):
        film_outcomes.clear(output.folder)
        known = Predictions(output.folder, output.label)
        find = candidates.of_config(config.boxes).of_stills() if config.kind.pooled else None
        recall = earlier_stills.recall(output, known)
        sets, unsure = still_sets.write_all(sources.sets, output.folder, find, recall)
        named = [*sources.videos, *sets]
        films = film_names.assign(named, known, replace=overwrite, later=True)
        filmed = [film.path for film in films if film.stills is None]
        unsure |= candidates.of_config(config.boxes).unsure(filmed)
        unsure |= {path: why for path in filmed if (why := texts.unnameable(path))}
        sure = [film for film in films if film.path not in unsure]
        done, counters = work.run(sure, output, chosen, handler)
        found = iter(done)
        outcomes = [
            Refused(film.path, unsure[film.path]) if film.path in unsure else next(found)
            for film in films
        ]
        film_outcomes.clear(output.folder)
        failures = [(o.path, o.why) for o in outcomes if isinstance(o, Refused)]
        summaries = [one for one in outcomes if isinstance(one, PredictionInfo)]
        _write_failures(output, summaries, failures)
        output.predictor.conclude(output.folder, summaries, failures)
        storage.remove(storage.place(output.folder, still_sets.WORK))
    seconds = time.perf_counter() - began
    kept = counters.get("videos_kept", 0)
    return Summary(
        failures, summaries, kept, counters.get("frames", 0), seconds, counters, config.predictions
    )


class Work(Protocol):
    """How films are worked on."""

    def put(self, sources: Sources) -> Sources:
        """Videos and images where they can be read."""
        ...

    def run(
        self,
        films: Sequence[Film],
        output: Output,
        chosen: Chosen,
        handler: SavedModelHandler,
    ) -> tuple[list[PredictionInfo | Refused], dict[str, int]]:
        """The outcome of each film, in their order, and the counters of the run."""
        ...


def beam_is_there() -> bool:
    """Whether Apache Beam is installed."""
    return find_spec("apache_beam") is not None


def _work(config: Config, words: Sequence[str]) -> Work:
    if beam_is_there():
        from beampose.pipelines.predict import prediction_pipeline

        return prediction_pipeline.Job(config, words)
    if words:
        raise ValueError(
            f"Apache Beam is not installed, so that {words[0]} has no effect: remove it, or "
            "install Beam with: pip install 'beampose[all]'"
        )
    LOG.info("Apache Beam is not installed: films are predicted in a plain loop in this process.")
    return plain_loop.Loop()


def describe(config: Config, info: ModelInfo, overwrite: bool) -> tuple[Output, View]:
    """Describes the output of an experiment and what its model sees of a frame.

    Args:
      info: the model's info.json.
    """
    digest = model_digest(config.model)
    found = predictors.of_model(config, info, digest)
    output = Output(
        folder=config.predictions,
        label=found.label,
        model_digest=digest,
        former_digest=file_digest(config.model),
        settings=found.settings,
        predictor=found.predictor,
        overwrite=overwrite,
    )
    return output, found.view


def _video_lines(video: PredictionInfo) -> Iterator[str]:
    if video.images:
        yield from _image_lines(video)
        return
    chosen, held = video.frames_chosen, video.frames_by_packets
    frames = counted(held, "frame")
    of_all = frames if chosen == held else f"{chosen} of {frames}"
    windows = video.rows_by_window
    yield (
        f"{video.video}: {counted(video.rows, 'row')} for {of_all}, "
        f"{video.frames_decoded} decoded, {len(video.failures)} failed"
        + (f", {windows} by windows around the animals" if windows else "")
    )
    if "boxes" in video.model_fields_set:
        kept = (
            f", {counted(video.frames_kept, 'frame')} and {counted(len(video.clips), 'clip')} kept"
        )
        yield (
            f"  {counted(video.boxes, 'box')}, {video.hits} of them hits in "
            f"{counted(video.frames_with_hits, 'frame')} ({100 * video.return_rate:.1f} %){kept}"
        )
    timed = f"frames come unevenly: when, says {video.name}…{frame_times.ENDING}"
    for remark in (video.frames_differ, timed if video.rate_varies else "", video.remark):
        if remark:
            yield f"  NOTE: {remark}"


def _image_lines(video: PredictionInfo) -> Iterator[str]:
    turned = f", {video.images_turned} turned upright" if video.images_turned else ""
    turned += f", {video.images_from_before} from before" if video.images_from_before else ""
    yield (
        f"{video.video}: {counted(video.rows, 'image')}, {len(video.failures)} failed, "
        f"{video.images_with_time} with a time{turned}"
    )
    if "boxes" in video.model_fields_set:
        found = f"{counted(video.hits, 'hit')} in {counted(video.frames_with_hits, 'image')}"
        yield f"  {counted(video.boxes, 'box')}, {found} ({100 * video.return_rate:.1f} %)"
    if video.remark:
        yield f"  NOTE: {video.remark}"


def _write_failures(
    output: Output, summaries: list[PredictionInfo], unreadable: list[tuple[str, str]]
) -> None:
    lines = [{"video": path, "frame": None, "why": why} for path, why in unreadable]
    lines += [{"video": s.video, **one.plain()} for s in summaries for one in s.failures]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    storage.write_text(storage.place(output.folder, FAILURES), text)
