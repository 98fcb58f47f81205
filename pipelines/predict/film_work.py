"""The work of a prediction on a film, step by step: for workers of a job as for a plain loop."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from beampose.core import fingerprints
from beampose.core.infos import PredictionInfo
from beampose.core.wording import counted
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
from beampose.pipelines.predict.job_output import Output
from beampose.pipelines.predict.predictor import Result
from beampose.pipelines.predict.view import View
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Frame, Video
from beampose.trainer.frame_predictor import FramePredictor

# Decoded frames waiting for the model, in batches.
AHEAD = 3
# Adds to a counter of a run, by name.
Count = Callable[[str, int], object]


class Chosen(NamedTuple):
    """What of films is predicted.

    Attributes:
      sample: which frames.
      view: what of a frame the model sees.
      chunk: frames of a range, whose result is kept as a whole.
    """

    sample: Sample
    view: View
    chunk: int


def kept(output: Output, film: Film, count: Count) -> PredictionInfo | None:
    """The summary of a film, or of a set of images, that has its files from an earlier run.

    Raises:
      ValueError: they are of another model or other settings, and may not be replaced.
    """
    if film.fingerprint == film_names.LATER:
        # It had no results when the job began, but a worker may have died since.
        if not commit.summary_file(output, film.name).is_file():
            return None
        film = film._replace(fingerprint=fingerprints.of_file(film.path))
    found = commit.finished(output, film)
    if found is not None:
        count("videos_kept", 1)
        if found.images:
            count("sets_kept", 1)
            count("images_from_before", found.images)
    return found


def stretches(output: Output, film: Film, chosen: Chosen) -> Iterable[tuple[Range, ...]]:
    """Stretches of ranges of a film or a set of images.

    Raises:
      OSError, ValueError: it cannot be predicted; the text says why.
    """
    path = film.path
    if film.stills is not None:
        burst = output.predictor.burst is not None
        return still_ranges.ranges(film.name, film.stills, chosen.chunk, burst=burst)
    video = manifest.index(path)
    if film.fingerprint not in (film_names.LATER, video.fingerprint):
        raise ValueError(f"{path} {commit.CHANGING}")
    if problem := chosen.view.problem(video.height, video.width):
        raise ValueError(f"{path}: {problem}.")
    output.predictor.check(video)
    frames = manifest.chosen(video, chosen.sample)
    if not len(frames):
        raise ValueError(
            f"{path}: no frame is chosen; predict.start and predict.stop leave "
            f"nothing of its {counted(video.count, 'frame')}."
        )
    return manifest.stretches(film.name, video, frames, chosen.chunk, output.predictor.lead)


def predict(
    stretch: Sequence[Range],
    output: Output,
    view: View,
    handler: SavedModelHandler,
    load: Callable[[], FramePredictor],
    count: Count,
) -> Iterator[tuple[str, Range]]:
    """Decodes ranges, runs the model, keeps the results; gives (name of the film, range).

    A range whose result is there from an earlier run is not computed again, and where all are no
    model is loaded.
    """
    todo = [p for p in stretch if commit.load_range(commit.range_file(output, p)) is None]
    count("ranges_kept", len(stretch) - len(todo))
    if todo:
        for part, result in _results(todo, _Asked(output, view, handler, load, count)):
            commit.save_range(commit.range_file(output, part), result)
            count("frames", len(part.frames) - result.known)
            count("frames_failed", len(result.failures))
    for part in stretch:
        # What is put together needs no timestamps or names, which are most of a range.
        yield part.name, part._replace(video=_short(part.video))


def assembled(
    output: Output, name: str, parts: Sequence[Range], count: Count
) -> tuple[str, dict[str, Any]]:
    """All ranges of a film put together to its files; gives the outcome."""
    video = parts[0].video
    if isinstance(video, Video) and commit.changed(video):
        # Its ranges may be of the one content or of the other: none of them is kept.
        count("videos_failed", 1)
        why = f"{video.path} {commit.CHANGING}"
        commit.forget_ranges(output, parts)
        return film_outcomes.of_refusal(name, video.path, why)
    made = commit.assemble(output, name, video, parts)
    if made.images_from_before:
        count("images_from_before", made.images_from_before)
    return film_outcomes.of_summary(name, made)


class _Asked(NamedTuple):
    output: Output
    view: View
    handler: SavedModelHandler
    load: Callable[[], FramePredictor]
    count: Count


def _results(todo: Sequence[Range], asked: _Asked) -> Iterator[tuple[Range, Result]]:
    depth = AHEAD * asked.handler.batch_size
    if isinstance(todo[0].video, Stills):
        for part in todo:
            yield part, _stills(part, depth, asked)
        return
    for part, frames in split(todo, asked.output.predictor.lead, depth):
        yield part, frame_times.with_times(part, _result(part, frames, asked))


def _stills(part: Range, depth: int, asked: _Asked) -> Result:
    """Result of a range of images, of which those of an earlier run are not predicted."""
    known = earlier_stills.rows(part)
    todo = [number for number in part.frames if number not in known]
    fresh = None
    if todo:
        new = part._replace(frames=todo)
        reader = still_ranges.Reader(new, asked.view, depth, asked.output.predictor.burst)
        fresh = reader.with_facts(_result(new, reader.frames(), asked))
    return earlier_stills.joined(part, fresh, todo, known)


def _result(part: Range, frames: Iterator[Frame], asked: _Asked) -> Result:
    """Result of a range; one without its frames if there is not enough memory for it."""
    infer, model = asked.output.predictor.infer, asked.load()
    try:
        return infer(part, frames, asked.handler, model)
    except MemoryError as error:
        asked.count("ranges_without_memory", 1)
        lost = [Frame(i, None, str(error)) for i in (*part.before, *part.frames)]
        return infer(part, iter(lost), asked.handler, model)


def _short(source: Video | Stills) -> Video | Stills:
    """What is known of a source as a whole."""
    if isinstance(source, Stills):
        return source._replace(images=(), first=0)
    return source._replace(times=())
