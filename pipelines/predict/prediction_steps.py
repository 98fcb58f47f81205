"""The steps of the prediction job, one DoFn each."""

from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.metrics import Metrics
from apache_beam.utils import shared

from beampose.core import files, fingerprints
from beampose.core.infos import PredictionInfo
from beampose.pipelines import film_names, manifest
from beampose.pipelines.film_names import Film
from beampose.pipelines.manifest import Range, Sample
from beampose.pipelines.predict import (
    commit,
    earlier_stills,
    film_outcomes,
    frame_times,
    still_ranges,
)
from beampose.pipelines.predict.frame_reader import split
from beampose.pipelines.predict.inference import SavedModelHandler
from beampose.pipelines.predict.predictor import Result
from beampose.pipelines.predict.view import View
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Frame, Video
from beampose.trainer.frame_predictor import FramePredictor

RANGES, OUTCOMES = "ranges", "outcomes"
# Decoded frames waiting for the model, in batches.
AHEAD = 3


class Index(beam.DoFn):
    """A film or a set of images to its stretches of ranges; why not, where that is impossible.

    A video whose files are there from an earlier run gives only its outcome, as one that cannot be
    predicted does.
    """

    def __init__(self, output: commit.Output, sample: Sample, view: View, chunk: int):
        self.view = view
        self._output = output
        self._sample = sample
        self._chunk = chunk

    def process(self, film: Film) -> Iterator:
        try:
            kept = self._kept(film)
            if kept is not None:
                Metrics.counter("predict", "videos_kept").inc()
                outcome = film_outcomes.of_summary(film.name, kept)
                yield pvalue.TaggedOutput(OUTCOMES, outcome)
                return
            yield from self._stretches(film)
        except (ValueError, OSError) as error:
            Metrics.counter("predict", "videos_failed").inc()
            outcome = film_outcomes.of_refusal(film.name, film.path, files.why(error))
            yield pvalue.TaggedOutput(OUTCOMES, outcome)

    def _kept(self, film: Film) -> PredictionInfo | None:
        if film.fingerprint == film_names.LATER:
            # It had no results when the job began, but a worker may have died since.
            if not commit.summary_file(self._output, film.name).is_file():
                return None
            film = film._replace(fingerprint=fingerprints.of_file(film.path))
        return commit.finished(self._output, film)

    def _stretches(self, film: Film) -> Iterable[tuple[Range, ...]]:
        path = film.path
        if film.stills is not None:
            burst = self._output.predictor.burst is not None
            return still_ranges.ranges(film.name, film.stills, self._chunk, burst=burst)
        video = manifest.index(path)
        if film.fingerprint not in (film_names.LATER, video.fingerprint):
            raise ValueError(f"{path} {commit.CHANGING}")
        if problem := self.view.problem(video.height, video.width):
            raise ValueError(f"{path}: {problem}.")
        self._output.predictor.check(video)
        frames = manifest.chosen(video, self._sample)
        if not len(frames):
            raise ValueError(
                f"{path}: no frame is chosen; predict.start and predict.stop leave "
                f"nothing of its {video.count} frames."
            )
        return manifest.stretches(
            film.name, video, frames, self._chunk, self._output.predictor.lead
        )


class PredictRanges(beam.DoFn):
    """Decodes ranges, runs the model, keeps the results; gives (name of the video, range).

    A range whose result is there from an earlier run is not computed again.
    """

    def __init__(self, handler: SavedModelHandler, output: commit.Output, view: View):
        self._handler = handler
        self._output = output
        self._view = view
        self._shared = shared.Shared()

    def process(self, stretch: tuple[Range, ...]) -> Iterator[tuple[str, Range]]:
        count = Metrics.counter
        todo = [p for p in stretch if not self._kept(p)]
        count("predict", "ranges_kept").inc(len(stretch) - len(todo))
        if todo:
            for part, result in self._results(todo):
                commit.save_range(commit.range_file(self._output, part), result)
                count("predict", "frames").inc(len(part.frames) - result.known)
                count("predict", "frames_failed").inc(len(result.failures))
        for part in stretch:
            # What is put together needs no timestamps or names, which are most of a range.
            yield part.name, part._replace(video=_short(part.video))

    def _kept(self, part: Range) -> bool:
        return commit.load_range(commit.range_file(self._output, part)) is not None

    def _results(self, todo: Sequence[Range]) -> Iterator[tuple[Range, Result]]:
        lead = self._output.predictor.lead
        depth = AHEAD * self._handler.batch_size
        if isinstance(todo[0].video, Stills):
            for part in todo:
                yield part, self._stills(part, depth)
            return
        # Where all is there already no model is loaded.
        model = self._handler.acquire(self._shared)
        for part, frames in split(todo, lead, depth):
            yield part, frame_times.with_times(part, self._result(part, frames, model))

    def _stills(self, part: Range, depth: int) -> Result:
        """Result of a range of images, of which those of an earlier run are not predicted."""
        known = earlier_stills.rows(part)
        todo = [number for number in part.frames if number not in known]
        fresh = None
        if todo:
            new = part._replace(frames=todo)
            reader = still_ranges.Reader(new, self._view, depth, self._output.predictor.burst)
            model = self._handler.acquire(self._shared)
            fresh = reader.with_facts(self._result(new, reader.frames(), model))
        return earlier_stills.joined(part, fresh, todo, known)

    def _result(self, part: Range, frames: Iterator[Frame], model: FramePredictor) -> Result:
        """Result of a range; one without its frames if there is not enough memory for it."""
        infer = self._output.predictor.infer
        try:
            return infer(part, frames, self._handler, model)
        except MemoryError as error:
            Metrics.counter("predict", "ranges_without_memory").inc()
            lost = [Frame(i, None, str(error)) for i in (*part.before, *part.frames)]
            return infer(part, iter(lost), self._handler, model)


def _short(source: Video | Stills) -> Video | Stills:
    """What is known of a source as a whole."""
    if isinstance(source, Stills):
        return source._replace(images=(), first=0)
    return source._replace(times=())


class Assemble(beam.DoFn):
    """All ranges of a video to its files; gives the outcome."""

    def __init__(self, output: commit.Output):
        self._output = output

    def process(self, element: tuple[str, Iterable[Range]]) -> Iterator:
        name, parts = element[0], list(element[1])
        video = parts[0].video
        if isinstance(video, Video) and commit.changed(video):
            # Its ranges may be of the one content or of the other: none of them is kept.
            Metrics.counter("predict", "videos_failed").inc()
            why = f"{video.path} {commit.CHANGING}"
            yield film_outcomes.of_refusal(name, video.path, why)
            commit.forget_ranges(self._output, parts)
            return
        yield film_outcomes.of_summary(name, commit.assemble(self._output, name, video, parts))
