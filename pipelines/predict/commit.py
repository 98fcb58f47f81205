"""Results of ranges, kept whole or not at all, and put together to the files of a video."""

import io
import json
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from upath import UPath

from beampose.core import (
    artefacts,
    checksums,
    files,
    fingerprints,
    json_files,
    npz_files,
    storage,
)
from beampose.core.infos import PredictionInfo
from beampose.core.names import SPREAD
from beampose.formats.deeplabcut import vector_shelf
from beampose.pipelines.film_names import Film
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import frame_times, prediction_summary, still_ranges
from beampose.pipelines.predict.job_output import Output
from beampose.pipelines.predict.predictor import Predictor, Result, Results
from beampose.preprocess.stills import Stills
from beampose.preprocess.videos import Video

LOG = logging.getLogger(__name__)
WORK = ".ranges"
# Endings of files that only some predictions have.
_SOMETIMES = (frame_times.ENDING, SPREAD, "_full.pickle", *vector_shelf.ENDINGS)
CHANGING = (
    "changed or went away while it was predicted, or is still being written: nothing of it is "
    "kept. Predict it when it is there and complete."
)


def range_file(output: Output, part: Range) -> UPath:
    """File of a range's results; another model, setting or video gives another file."""
    video, digest = part.video, output.settings_digest(part.video.path)
    identity = (video.fingerprint, video.count, output.model_digest, digest)
    return _ranges(output, part.name, identity) / f"{part.start:09d}-{part.stop:09d}.npz"


def kept_ranges(output: Output, summary: PredictionInfo) -> UPath:
    """Folder of the ranges that are kept of a set of images, by its summary."""
    count, digest = summary.frames_by_packets, summary.settings_digest
    identity = (summary.video_fingerprint, count, summary.model_digest, digest)
    return _ranges(output, summary.name, identity)


def _ranges(output: Output, name: str, identity: Sequence[Any]) -> UPath:
    return storage.place(output.folder, WORK, name, storage.digest(identity)[:16])


def save_range(file: UPath, result: Result) -> None:
    """Keeps a result, whole or not at all."""
    with storage.replacing(file) as temporary, temporary.open("wb") as stream:
        arrays: dict[str, Any] = {
            **result.arrays,
            "failures": np.array(json.dumps(result.failures)),
        }
        np.savez(stream, **arrays)


def load_range(file: UPath) -> Result | None:
    """Loads what `save_range` kept, or returns None if nothing is usable."""
    try:
        # In one request: the archive is small, and its parts would be asked for one by one.
        with npz_files.opened(io.BytesIO(file.read_bytes())) as saved:
            told = json_files.parse(str(saved["failures"]), "failures")
            failures = [(int(i), str(why)) for i, why in told]
            return Result({n: saved[n] for n in saved.files if n != "failures"}, failures)
    except (OSError, ValueError):
        return None


def summary_file(output: Output, name: str) -> UPath:
    return storage.place(output.folder, f"{name}{output.label}.json")


def stem_of(summary: UPath) -> UPath:
    """Stem of a video's files, from its summary file."""
    return summary.with_suffix("")


def finished(output: Output, film: Film) -> PredictionInfo | None:
    """The summary of a video that has its files, made by this model with these settings.

    Raises:
      ValueError: they are there from another model or other settings, and may not be replaced.
    """
    file, path = summary_file(output, film.name), film.path
    if not film.fingerprint or not file.is_file():
        return None
    try:
        summary = artefacts.read_info(file, PredictionInfo)
    except ValueError as error:
        if output.overwrite:
            return None
        raise ValueError(
            f"{error} What made the predictions beside it is not known: give --overwrite to "
            "replace them, or set another `output` to keep them."
        ) from None
    same_model = summary.model_digest in (output.model_digest, output.former_digest)
    same_settings = summary.settings_digest == output.settings_digest(path)
    grown = film.stills is not None and bool(film.stills.owns and film.stills.earlier)
    if not (same_model and same_settings) and not output.overwrite and not grown:
        what = "with other settings" if same_model else "by another model"
        raise ValueError(
            f"{path} has predictions made {what} ({file}). Give --overwrite to replace them, or "
            "set another `output` to keep them."
        )
    known = summary.video_fingerprint
    # Changed since: a set of images that grew, or a film of which what is there may be replaced.
    if not (same_model and same_settings) or (known and known != film.fingerprint):
        return None
    if not known and summary.video_bytes != files.size(path):
        return None
    endings = output.predictor.endings if film.stills is None else still_endings(output.predictor)
    wrong = _damage(stem_of(file), endings, summary.sums)
    if wrong:
        LOG.warning("%s: %s; it is predicted again", path, wrong)
    return None if wrong else summary


def same(output: Output, summary: PredictionInfo) -> bool:
    """Whether a set of images was predicted as now, but for what its images say of themselves.

    The file of boxes may be another: the boxes of an image are among what it is known by.
    """
    if summary.model_digest not in (output.model_digest, output.former_digest):
        return False
    before, now = ({**one, "path": ""} for one in (summary.settings, output.settings))
    return storage.digest(before) == storage.digest(now)


def _damage(stem: UPath, endings: Sequence[str], known: dict[str, str]) -> str:
    """Which file of a video is not there or not what was written; empty if none."""
    for ending in endings:
        file = _with(stem, ending)
        if not file.is_file():
            return f"{file} is missing"
        # Versions before kept no checksums.
        expected = known.get(ending)
        if not file.stat().st_size or (expected and checksums.of_file(file) != expected):
            return f"{file} is damaged or was changed"
    return ""


def still_endings(predictor: Predictor) -> tuple[str, ...]:
    """Of the files that a set of images gets."""
    return (still_ranges.TABLE, *predictor.still_endings)


def assemble(
    output: Output, name: str, video: Video | Stills, parts: Sequence[Range]
) -> PredictionInfo:
    """Joins the ranges of a video or of a set of images, writes its files and counts; repeatable.

    Raises:
      FileNotFoundError: a range is missing.
      RuntimeError: rows and frames differ.
    """
    parts = sorted(parts, key=lambda part: part.start)

    def load(number: int) -> Result:
        part = parts[number]
        loaded = load_range(range_file(output, part))
        if loaded is None:
            raise FileNotFoundError(
                f"{video.path}: frames {part.start} to {part.stop} have no result: "
                f"{output.folder} changed while the job ran. Run the same command again."
            )
        return loaded

    def own(number: int) -> Result:
        return frame_times.apart(load(number))[0]

    results = Results(len(parts), own)
    failures, seconds = [], []
    for number in range(len(parts)):
        one, times = frame_times.apart(load(number))
        failures += one.failures
        seconds.append(times)
    frames = np.concatenate([np.array(part.frames, np.int64) for part in parts])
    stem = stem_of(summary_file(output, name))
    for ending in set(_SOMETIMES).difference(output.predictor.endings):
        # Of another model, or of what the film held before.
        _with(stem, ending).unlink(missing_ok=True)
    summary = prediction_summary.of_video(output, name, video, frames, failures)
    if isinstance(video, Stills):
        endings = still_endings(output.predictor)
        summary = prediction_summary.of_stills(summary, video, results)
        table = _with(stem, still_ranges.TABLE)
        said = still_ranges.write(table, still_ranges.rows(video, results))
        said |= output.predictor.write_stills(stem, video, results)
    else:
        endings = output.predictor.endings
        said = output.predictor.write(stem, video, frames, results)
        said["rate_varies"] = _write_times(stem, video, frames, seconds)
    for ending in endings:
        artefacts.settle(_with(stem, ending))
    summary = summary.replace(**said, sums=sums(stem, endings))
    _finish(output, summary, parts)
    return summary


def _write_times(
    stem: UPath, video: Video, frames: np.ndarray, seconds: Sequence[np.ndarray | None]
) -> bool:
    """Writes the times of a video's frames if its rate varies. Returns whether it does."""
    known = [one for one in seconds if one is not None]
    # Ranges of a version before have none.
    varies = len(known) == len(seconds) and frame_times.vary(
        frames, np.concatenate(known), video.tick
    )
    if varies:
        frame_times.write(stem, frames, np.concatenate(known))
    return varies


def _finish(output: Output, summary: PredictionInfo, parts: Sequence[Range]) -> None:
    """Writes the summary of a video, and takes away the ranges that nobody needs any more."""
    file = summary_file(output, summary.name)
    try:
        before = artefacts.find_info(file, PredictionInfo)
    except ValueError:
        before = None
    artefacts.write_info(file, summary)
    if not summary.images:
        forget_ranges(output, parts)
    elif before is not None and kept_ranges(output, before) != range_file(output, parts[0]).parent:
        storage.remove(kept_ranges(output, before))


def forget_ranges(output: Output, parts: Sequence[Range]) -> None:
    """Takes the results of a video's ranges away."""
    storage.remove(range_file(output, parts[0]).parent)


def changed(video: Video) -> bool:
    """Returns True if a file no longer holds what was read from it."""
    return not files.exists(video.path) or fingerprints.of_file(video.path) != video.fingerprint


def sums(stem: UPath, endings: Sequence[str]) -> dict[str, str]:
    """Checksums of a video's files, by their endings."""
    return {ending: checksums.of_file(_with(stem, ending)) for ending in endings}


def _with(stem: UPath, ending: str) -> UPath:
    # A scorer or a video may hold dots: with_suffix would cut them.
    return stem.with_name(stem.name + ending)
