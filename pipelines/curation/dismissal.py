"""Repeated detections of an experiment's videos: the page, and what a person decided on it."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from upath import UPath

from beampose.core import json_files, storage
from beampose.core.infos import PredictionInfo
from beampose.core.names import FAILURES
from beampose.formats import deepmeerkat, detection_table, megadetector
from beampose.formats.detection_table import Detections
from beampose.pipelines import film_names, manifest
from beampose.pipelines.curation import repeats_page
from beampose.pipelines.curation.crop_vectors import thumb
from beampose.pipelines.predict import commit
from beampose.pipelines.predict.crops_predictor import LABEL, MEGADETECTOR, TABLE, Crops
from beampose.pipelines.results.result_names import Predictions
from beampose.preprocess import videos
from beampose.preprocess.videos import Video


class Predicted(NamedTuple):
    """A video with its table, and its name among the predictions."""

    name: str
    stem: UPath
    video: Video
    table: Detections


def predicted(folder: str, paths: Sequence[str]) -> tuple[list[Predicted], list[str]]:
    """Videos with the tables of their detections, and paths of those without.

    Raises:
      FileNotFoundError: none of the videos was predicted.
      ValueError: a video is not there, and several may be meant.
    """
    found, without = [], []
    for film in film_names.assign(manifest.expand(paths), Predictions(folder, LABEL)):
        if film.problem:
            raise ValueError(f"{film.path} {film.problem}.")
        stem = storage.place(folder, f"{film.name}{LABEL}")
        file = stem.with_name(stem.name + TABLE)
        if not file.is_file():
            without.append(film.path)
            continue
        table = detection_table.read(file)
        found.append(Predicted(film.name, stem, manifest.index(film.path), table))
    if not found:
        raise FileNotFoundError(f"{without[0]} has no detections. Run `beampose predict` first.")
    return found, without


def write_page(
    folder: str, crops: Crops, every: Sequence[Predicted], at_least: int
) -> tuple[UPath, int]:
    """Writes `repeats.html`. Returns its path and the number of groups."""
    made, pictures = [], {}
    for one in every:
        sure = one.table.confidence >= crops.threshold
        found = repeats_page.groups(one.name, one.table, sure, at_least)
        rows = [row for group in found for row in repeats_page.samples(group)]
        pictures |= {(one.name, row): jpeg for row, jpeg in _pictures(one, crops, rows).items()}
        # What comes back again and again stands first: an animal that rests comes once.
        visits = {id(g): repeats_page.visits(one.table.frames[g.rows]) for g in found}
        made += [(-visits[id(g)], -len(g.rows), g) for g in found]
    made = [group for *_, group in sorted(made, key=lambda one: one[:2])]
    file = storage.place(folder, repeats_page.PAGE)
    clocks = {e.name: functools.partial(deepmeerkat.clock, fps=e.video.fps) for e in every}
    tables = {e.name: e.table for e in every}
    repeats_page.write(file, tables, made, times=clocks, pictures=pictures)
    return file, len(made)


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
    summaries = storage.place(folder).rglob(f"*{LABEL}.json")
    everything = [storage.read_info(path, PredictionInfo) for path in sorted(summaries, key=str)]
    crops.conclude(folder, everything, _failures(folder))
    return counts


def _rewrite(one: Predicted, crops: Crops, table: Detections) -> dict[str, Any]:
    summary_file = one.stem.with_name(f"{one.stem.name}.json")
    part = megadetector.own_part(one.stem.with_name(one.stem.name + MEGADETECTOR))
    seen = np.array(part["frames_processed"], np.int64)
    about = crops.about(one.video, len(seen))
    detection_table.write(one.stem.with_name(one.stem.name + TABLE), table, about)
    said = crops.publish(one.stem, one.video, seen, table)
    summary = storage.read_info(summary_file, PredictionInfo)
    sums = commit.sums(one.stem, crops.endings)
    storage.write_info(summary_file, summary.replace(**said, sums=sums))
    return said


def _failures(folder: str) -> list[tuple[str, str]]:
    """Videos that could not be predicted, and why."""
    file = storage.place(folder, FAILURES)
    if not file.is_file():
        return []
    needed = ("video", "why", "frame")
    lines = json_files.lines(file.read_text(encoding="utf-8"), file, *needed)
    return [(line["video"], line["why"]) for line in lines if line["frame"] is None]


def _pictures(one: Predicted, crops: Crops, rows: Sequence[int]) -> dict[int, bytes]:
    """Small JPEGs of detections, by row."""
    wanted: dict[int, list[int]] = {}
    for row in rows:
        wanted.setdefault(int(one.table.frames[row]), []).append(row)
    found = {}
    if not wanted:
        return found
    for frame in videos.read(one.video, min(wanted), max(wanted) + 1, wanted):
        if frame.pixels is None:
            continue
        for row in wanted[frame.index]:
            place = tuple(one.table.places[row].tolist())
            found[row] = thumb(crops.rule.cut(frame.pixels, place))
    return found
