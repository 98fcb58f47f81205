"""Repeated detections of an experiment's videos: the page, and what a person decided on it."""

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from upath import UPath

from beampose.core import artefacts, files, json_files, storage
from beampose.core.infos import PredictionInfo
from beampose.core.names import FAILURES
from beampose.core.settings.experiment import Config
from beampose.formats import deepmeerkat, detection_table, megadetector
from beampose.formats.detection_table import Detections
from beampose.pipelines import film_names, manifest
from beampose.pipelines.curation import repeats_page
from beampose.pipelines.curation.crop_vectors import thumb
from beampose.pipelines.predict import commit, still_ranges
from beampose.pipelines.predict.crops_predictor import LABEL, MEGADETECTOR, TABLE, Crops
from beampose.pipelines.results import named_sets
from beampose.pipelines.results.result_names import Predictions
from beampose.preprocess import stills, videos
from beampose.preprocess.stills import Still, Stills
from beampose.preprocess.videos import Frame, Video

_NONE = "has no detections. Run `beampose predict` first"


class Predicted(NamedTuple):
    """A video or a set of photographs with its table, and its name among the predictions."""

    name: str
    stem: UPath
    video: Video | PredictionInfo
    table: Detections

    def images(self) -> list[still_ranges.Image]:
        """Of a set of photographs."""
        return list(still_ranges.read(self.stem.with_name(self.stem.name + still_ranges.TABLE)))


def predicted(
    config: Config, paths: Sequence[str]
) -> tuple[list[Predicted], list[tuple[str, str]]]:
    """Videos with the tables of their detections, and those without, and why.

    Args:
      paths: of videos and sets of photographs.

    Raises:
      FileNotFoundError: none of the videos was predicted.
      ValueError: a video is not there, and several may be meant.
    """
    folder, named = config.predictions, named_sets.apart(config, paths)
    found = [_of_stills(folder, one) for one in named.sets.values()]
    without = list(named.lost)
    for film in film_names.assign(manifest.expand(named.films), Predictions(folder, LABEL)):
        if film.problem:
            raise ValueError(f"{film.path} {film.problem}.")
        stem = storage.place(folder, f"{film.name}{LABEL}")
        file = stem.with_name(stem.name + TABLE)
        if not file.is_file():
            without.append((film.path, _NONE))
            continue
        table = detection_table.read(file)
        found.append(Predicted(film.name, stem, manifest.index(film.path), table))
    if not found:
        first, why = without[0] if without else (folder, _NONE)
        raise FileNotFoundError(f"{first} {why}.")
    return found, without


def _of_stills(folder: str, said: PredictionInfo) -> Predicted:
    stem = storage.place(folder, f"{said.name}{LABEL}")
    table = detection_table.read(stem.with_name(stem.name + TABLE))
    return Predicted(said.name, stem, said, table)


def write_page(
    folder: str, crops: Crops, every: Sequence[Predicted], at_least: int
) -> tuple[UPath, int]:
    """Writes `repeats.html`. Returns its path and the number of groups."""
    made, pictures = [], {}
    for one in every:
        found = groups_of(one, one.table.confidence >= crops.threshold, at_least)
        rows = [row for group in found for row in repeats_page.samples(group)]
        pictures |= {(one.name, row): jpeg for row, jpeg in pictures_of(one, crops, rows).items()}
        # What comes back again and again stands first: an animal that rests comes once.
        visits = {id(g): repeats_page.visits(one.table.frames[g.rows]) for g in found}
        made += [(-visits[id(g)], -len(g.rows), g) for g in found]
    made = [group for *_, group in sorted(made, key=lambda one: one[:2])]
    file = storage.place(folder, repeats_page.PAGE)
    clocks = {one.name: clock_of(one) for one in every}
    tables = {e.name: e.table for e in every}
    repeats_page.write(file, tables, made, times=clocks, pictures=pictures)
    return file, len(made)


def groups_of(one: Predicted, sure: np.ndarray, at_least: int) -> list[repeats_page.Group]:
    """Groups of a video; of photographs those of each folder, which is a camera's."""
    if isinstance(one.video, Video):
        return repeats_page.groups(one.name, one.table, sure, at_least)
    folders = [files.parent(image.name) for image in one.images()]
    cameras = np.array([folders[number] for number in one.table.frames.tolist()], object)
    found = []
    for camera in dict.fromkeys(folders):
        own = sure & (cameras == camera)
        if own.any():
            found += repeats_page.groups(one.name, one.table, own, at_least)
    return found


def clock_of(one: Predicted) -> Callable[[int], str]:
    """When a frame of a video is shown; of a set, which image it is and when it was taken."""
    if isinstance(one.video, Video):
        return functools.partial(deepmeerkat.clock, fps=one.video.fps)
    images = one.images()
    return lambda number: " ".join(
        filter(None, (images[number].name, images[number].taken.replace("T", " ")))
    )


def apply(
    folder: str, crops: Crops, every: Sequence[Predicted], file: str
) -> dict[str, tuple[int, int]]:
    """Dismisses what a csv names and nothing else, and writes the files of the videos again.

    Returns:
      By name of the video: how many are dismissed, and how many hits are left.

    Raises:
      ValueError: the csv names a video or a detection that is not there; nothing is changed then.
    """
    chosen = repeats_page.read_dismissed(file)
    if unknown := sorted(set(chosen) - {one.name for one in every}):
        raise ValueError(f"{file} names {unknown[0]}, which is not one of the videos.")
    judged = []
    for one in every:
        try:
            judged.append(repeats_page.dismiss(one.table, chosen.get(one.name, set())))
        except ValueError as error:
            raise ValueError(f"{file}: {one.name} {error}") from None
    counts = {}
    for one, table in zip(every, judged, strict=True):
        said = _rewrite(one, crops, table)
        counts[one.name] = (said["dismissed"], said["hits"])
    summaries = storage.whole_below(folder, f"*{LABEL}.json")
    everything = [artefacts.read_info(path, PredictionInfo) for path in summaries]
    crops.conclude(folder, everything, _failures(folder))
    return counts


def _rewrite(one: Predicted, crops: Crops, table: Detections) -> dict[str, Any]:
    summary_file = one.stem.with_name(f"{one.stem.name}.json")
    if not isinstance(one.video, Video):
        return _rewrite_stills(one, one.video, crops, table)
    part = megadetector.own_part(one.stem.with_name(one.stem.name + MEGADETECTOR))
    seen = np.array(part["frames_processed"], np.int64)
    about = crops.about(one.video, len(seen))
    detection_table.write(one.stem.with_name(one.stem.name + TABLE), table, about)
    said = crops.publish(one.stem, one.video, seen, table)
    summary = artefacts.read_info(summary_file, PredictionInfo)
    sums = commit.sums(one.stem, crops.endings)
    artefacts.write_info(summary_file, summary.replace(**said, sums=sums))
    return said


def _rewrite_stills(
    one: Predicted, summary: PredictionInfo, crops: Crops, table: Detections
) -> dict[str, Any]:
    about = {
        "images": summary.video,
        "images_fingerprint": summary.video_fingerprint,
        "threshold": crops.threshold,
        "looked_at": summary.rows - len(summary.failures),
    }
    said = crops.publish_stills(one.stem, summary.images_root, table, about)
    sums = commit.sums(one.stem, commit.still_endings(crops))
    file = one.stem.with_name(f"{one.stem.name}.json")
    artefacts.write_info(file, summary.replace(**said, sums=sums))
    return said


def _failures(folder: str) -> list[tuple[str, str]]:
    """Videos that could not be predicted, and why."""
    file = storage.place(folder, FAILURES)
    if not file.is_file():
        return []
    needed = ("video", "why", "frame")
    lines = json_files.lines(file.read_text(encoding="utf-8"), file, *needed)
    return [(line["video"], line["why"]) for line in lines if line["frame"] is None]


def pictures_of(one: Predicted, crops: Crops, rows: Sequence[int]) -> dict[int, bytes]:
    """Small JPEGs of detections, by row."""
    wanted: dict[int, list[int]] = {}
    for row in rows:
        wanted.setdefault(int(one.table.frames[row]), []).append(row)
    found = {}
    if not wanted:
        return found
    for frame in _frames(one, wanted):
        if frame.pixels is None:
            continue
        for row in wanted[frame.index]:
            place = tuple(one.table.places[row].tolist())
            found[row] = thumb(crops.rule.cut(frame.pixels, place))
    return found


def _frames(one: Predicted, wanted: Collection[int]) -> Iterator[Frame]:
    """Frames or images of these numbers."""
    if isinstance(one.video, Video):
        yield from videos.read(one.video, min(wanted), max(wanted) + 1, wanted)
        return
    images = [Still(image.name, image.bytes) for image in one.images()]
    root, said = one.video.images_root, one.video
    source = Stills(said.video, said.name, root, len(images), images=tuple(images))
    yield from stills.read_some(source, wanted)
