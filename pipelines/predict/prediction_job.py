"""Videos to predictions; this file only wires."""

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence

import apache_beam as beam

from beampose.core import storage
from beampose.core.infos import ModelInfo, PredictionInfo
from beampose.core.names import FAILURES
from beampose.core.settings.experiment import Config
from beampose.pipelines import beam_options, beam_runner, film_names, inputs, still_sets
from beampose.pipelines.film_names import Film
from beampose.pipelines.manifest import Sample
from beampose.pipelines.outcome import OfVideos, Rows, failed
from beampose.pipelines.predict import candidates, commit, lock, prediction_steps, predictors
from beampose.pipelines.predict.inference import SavedModelHandler
from beampose.pipelines.predict.view import View
from beampose.pipelines.results.result_names import Predictions
from beampose.trainer.model_digest import file_digest, model_digest


@dataclasses.dataclass(frozen=True, repr=False)
class Summary(OfVideos):
    """Summary of a run.

    Attributes:
      videos: a summary of each, as in the json beside its predictions.
      kept: videos that were predicted before.
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
            f"predict: {len(self.videos)} videos ({self.kept} from before), {self.frames} "
            f"frames in {self.seconds:.0f} s{rate}. {self.folder}"
        )
        if self.lost:
            yield f"{self.lost} frames have no result, one per line: {self.folder}/{FAILURES}"

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
    options = beam_options.parse(beam_words)
    beam_options.check_reachable(options, config.output, "The output")
    info = storage.require(config.model, ModelInfo)
    if config.boxes.path is not None:
        beam_options.check_reachable(options, config.boxes.path, "boxes.path")
    output, view = describe(config, info, overwrite)
    sources = still_sets.expand(paths, config.output)
    if not beam_options.shares_disk(options):
        sources = inputs.put_sources(sources, config.output)
    predict = config.predict
    sample = Sample(predict.every, predict.fps, predict.start, predict.stop)
    index = prediction_steps.Index(output, sample, view, predict.chunk)
    handler = SavedModelHandler(config.model, predict.batch_size, output.predictor.signature)
    with lock.held(config.predictions):
        commit.forget_refusals(output)
        known = Predictions(output.folder, output.label)
        find = candidates.of_config(config.boxes).of_stills() if config.kind.pooled else None
        sets, unsure = still_sets.write_all(sources.sets, output.folder, find)
        films = film_names.assign([*sources.videos, *sets], known, replace=overwrite)
        filmed = [film.path for film in films if film.stills is None]
        unsure |= candidates.of_config(config.boxes).unsure(filmed)
        for film in films:
            if film.path in unsure:
                commit.refuse(output, film.name, film.path, unsure[film.path])
        pipeline = beam.Pipeline(options=options)
        sure = [film for film in films if film.path not in unsure]
        build(pipeline, sure, index, handler, output, beam_options.NetworkOptions.hints(options))
        counters = beam_runner.finish(pipeline, "predict")
        summaries, failures = _results(output, films)
        _write_failures(output, summaries, failures)
        output.predictor.conclude(output.folder, summaries, failures)
        storage.remove(storage.place(output.folder, still_sets.WORK))
    seconds = time.perf_counter() - began
    kept = counters.get("videos_kept", 0)
    return Summary(
        failures, summaries, kept, counters.get("frames", 0), seconds, counters, config.predictions
    )


def build(
    pipeline: beam.Pipeline,
    films: Sequence[Film],
    index: prediction_steps.Index,
    handler: SavedModelHandler,
    output: commit.Output,
    hints: dict[str, str] | None = None,
) -> None:
    """Wires the steps; names and ranges travel, frames stay inside a step.

    Args:
      films: with the names of their results.
      hints: resources of the step that runs the model.
    """
    _ = (
        pipeline
        | "Videos" >> beam.Create(list(films))
        | "SpreadVideos" >> beam.Reshuffle()
        | "Index" >> beam.ParDo(index)
        | "SpreadRanges" >> beam.Reshuffle()
        | "Predict"
        >> beam.ParDo(
            prediction_steps.PredictRanges(handler, output, index.view)
        ).with_resource_hints(**(hints or {}))
        | "GroupByVideo" >> beam.GroupByKey()
        | "Assemble" >> beam.ParDo(prediction_steps.Assemble(output))
    )


def describe(config: Config, info: ModelInfo, overwrite: bool) -> tuple[commit.Output, View]:
    """Describes the output of an experiment and what its model sees of a frame.

    Args:
      info: the model's info.json.
    """
    digest = model_digest(config.model)
    found = predictors.of_model(config, info, digest)
    output = commit.Output(
        folder=config.predictions,
        label=found.label,
        model_digest=digest,
        former_digest=file_digest(config.model),
        settings=found.settings,
        predictor=found.predictor,
        overwrite=overwrite,
    )
    return output, found.view


def _results(
    output: commit.Output, films: Sequence[Film]
) -> tuple[list[PredictionInfo], list[tuple[str, str]]]:
    """Summaries and failures: every video is one of them.

    Raises:
      FileNotFoundError: a video is neither: its files went away meanwhile.
    """
    summaries, failures = [], []
    for film in films:
        refused = commit.refusal(output, film.name)
        file = commit.summary_file(output, film.name)
        if refused is not None:
            failures.append(refused)
        elif file.is_file():
            summaries.append(storage.read_info(file, PredictionInfo))
        else:
            raise FileNotFoundError(
                f"{film.path} has neither a result nor a reason: {output.folder} changed while the "
                "job ran. Run the same command again; if it says so again, please report this."
            )
    return summaries, failures


def _video_lines(video: PredictionInfo) -> Iterator[str]:
    if video.images:
        yield from _image_lines(video)
        return
    chosen, held = video.frames_chosen, video.frames_by_packets
    of_all = held if chosen == held else f"{chosen} of {held}"
    windows = video.rows_by_window
    yield (
        f"{video.video}: {video.rows} rows for {of_all} frames, "
        f"{video.frames_decoded} decoded, {len(video.failures)} failed"
        + (f", {windows} found in a window around the animal" if windows else "")
    )
    if "boxes" in video.model_fields_set:
        kept = f", {video.frames_kept} frames and {len(video.clips)} clips kept"
        yield (
            f"  {video.boxes} boxes, {video.hits} of them hits in "
            f"{video.frames_with_hits} frames ({100 * video.return_rate:.1f} %){kept}"
        )
    for remark in (video.frames_differ, video.remark):
        if remark:
            yield f"  NOTE: {remark}"


def _image_lines(video: PredictionInfo) -> Iterator[str]:
    turned = f", {video.images_turned} turned upright" if video.images_turned else ""
    yield (
        f"{video.video}: {video.rows} images, {len(video.failures)} failed, "
        f"{video.images_with_time} with a time{turned}"
    )
    if "boxes" in video.model_fields_set:
        found = f"{video.hits} hits in {video.frames_with_hits} images"
        yield f"  {video.boxes} boxes, {found} ({100 * video.return_rate:.1f} %)"
    if video.remark:
        yield f"  NOTE: {video.remark}"


def _write_failures(
    output: commit.Output, summaries: list[PredictionInfo], unreadable: list[tuple[str, str]]
) -> None:
    lines = [{"video": path, "frame": None, "why": why} for path, why in unreadable]
    lines += [{"video": s.video, **one.plain()} for s in summaries for one in s.failures]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    storage.write_text(storage.place(output.folder, FAILURES), text)
