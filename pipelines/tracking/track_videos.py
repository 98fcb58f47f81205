"""Individuals of each frame, which `beampose predict` left, to tracks through whole videos."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from upath import UPath

from beampose.core import __version__, artefacts, storage
from beampose.core.infos import ModelInfo, TracksInfo
from beampose.core.infos.video_info import TrackJoin
from beampose.core.settings.experiment import Config, to_dict
from beampose.formats import individuals_file
from beampose.formats.deeplabcut import track_writer
from beampose.formats.individuals_file import Head, Individuals
from beampose.formats.sleap import slp_writer
from beampose.pipelines.tracking import (
    appearance,
    gaps,
    identity_labels,
    identity_metrics,
    predicted_videos,
    stitch,
    tracklets,
)
from beampose.pipelines.tracking.costs import Appearance
from beampose.pipelines.tracking.predicted_videos import Video
from beampose.pipelines.tracking.stitch import Tracks
from beampose.pipelines.tracking.tracklets import Tracklet
from beampose.trainer import scaling

# Number of joins listed, the least certain first: what a person should look at.
LISTED = 20


class TrackFile(NamedTuple):
    """What is said of the tracks of a video, and the file that holds them."""

    info: TracksInfo
    file: str


class Detections(NamedTuple):
    """The individuals of a video and their tracklets; frames of tracklets are rows.

    Attributes:
      head: of the file of individuals.
      frames: int64 (rows,), numbers of the analysed frames.
      single: (rows, unique bodyparts, 3).
      pieces: tracklets.
      refused: tracklets that were dropped, being of too few detections.
    """

    head: Head
    frames: np.ndarray
    single: np.ndarray
    pieces: list[Tracklet]
    refused: int


def run(
    config: Config,
    paths: Sequence[str],
    progress: Callable[..., Iterable],
    *,
    labels: str | None = None,
    slp: bool = False,
) -> tuple[list[TrackFile], list[tuple[str, str]]]:
    """Tracks videos. Returns a summary of each, and failures (path, reason).

    Args:
      labels: a file with the identities of animals in the videos, to measure by.
      slp: also writes SLEAP's file of each.

    Raises:
      FileNotFoundError: there is no model, or a path matches nothing.
      ValueError: the model finds one animal.
    """
    if slp:
        slp_writer.check()

    def one(video: Video) -> TrackFile:
        said = _track(config, video, progress, labels)
        if slp:
            write_slp(config, said)
        return said

    return predicted_videos.each(config, paths, one, instead=predicted_videos.NO_TRACKS)


def detect(config: Config, found: Individuals, shown: Iterable[dict] | None = None) -> Detections:
    """The tracklets of a video.

    Args:
      shown: `found.each("keypoints")`, perhaps wrapped in a progress bar.
    """
    track = config.track
    settings = tracklets.Settings(
        similarity=track.similarity,
        min_similarity=track.min_similarity,
        max_age=track.max_age,
        min_hits=track.min_hits,
    )
    tracker = tracklets.Tracker(settings)
    pieces: list[Tracklet] = []
    for piece in found.each("keypoints") if shown is None else shown:
        for one in piece["keypoints"]:
            pieces += tracker.update(one)
    if found.count:
        pieces += tracker.finish()
    frames, single = found.whole("frames"), found.whole("single")
    return Detections(found.head, frames, single, pieces, tracker.refused)


def stitched(config: Config, found: Detections, looks: Appearance | None = None) -> Tracks:
    """Tracklets to tracks, as many as there are animals."""
    track = config.track
    settings = stitch.Settings(
        tracks=track.animals or len(found.head.individuals),
        max_gap=track.max_gap,
        min_length=track.min_length,
    )
    made = stitch.stitch(
        found.pieces,
        settings,
        frames=len(found.frames),
        bodyparts=len(found.head.bodyparts),
        appearance=looks,
    )
    filled = gaps.fill(made.keypoints, track.fill) if track.fill else made.keypoints
    return made._replace(keypoints=filled)


def write(stem: str, found: Detections, made: Tracks, *, method: str) -> UPath:
    """Writes tracks as DeepLabCut does; returns what their files begin with."""
    head = found.head
    names = track_writer.Names(head.scorer, head.bodyparts, head.unique)
    table = track_writer.table(
        made.keypoints,
        called(found, made),
        names,
        found.single,
        frames=found.frames,
    )
    track_writer.write(table, stem, method=method)
    return storage.place(f"{stem}{track_writer.ENDINGS[method]}")


def write_slp(config: Config, made: TrackFile) -> None:
    """Writes SLEAP's file beside the tracks; without unique bodyparts."""
    said = made.info
    table = track_writer.read(made.file)
    owners, parts = (table.columns.get_level_values(level) for level in (1, 2))
    names = said.individuals
    bodyparts = list(dict.fromkeys(parts[owners.isin(names)]))
    shape = (len(table), len(names), len(bodyparts), 3)
    values = table.loc[:, owners.isin(names)].to_numpy().reshape(shape)
    known = artefacts.require(config.model, ModelInfo).edges
    edges = [(a, b) for a, b in known if a in bodyparts and b in bodyparts]
    video = slp_writer.Film(said.video, said.frames, said.height, said.width)
    slp_writer.write(
        made.file.removesuffix(".h5") + ".slp",
        values,
        table.index.to_numpy(),
        (names, bodyparts, edges),
        video,
    )


def called(found: Detections, made: Tracks) -> list[str]:
    """Names of the tracks: those of the project, or numbers where there are more tracks.

    If the model knows identities, a track gets the name of most of its detections.
    """
    known: list[str] = list(found.head.individuals)
    count = made.keypoints.shape[1]
    if count != len(known):
        return [f"ind{i + 1}" for i in range(count)]
    if not found.head.identity:
        return known
    votes = np.zeros((count, len(known)), int)
    for one in found.pieces:
        if one.slots is not None:
            rows, tracks_of = np.nonzero(made.ids[one.frames] == one.id)
            np.add.at(votes, (tracks_of, one.slots[rows]), 1)
    rows, columns = linear_sum_assignment(votes, maximize=True)
    names = dict(zip(rows, columns, strict=True))
    return [known[int(names[track])] for track in range(count)]


def figures(labels: str, video: str, found: Detections, made: Tracks) -> dict[str, Any]:
    """Measures the tracks in the labeled frames that were analysed."""
    labeled = identity_labels.read(labels, video, list(found.head.bodyparts))
    _, rows, of_truth = np.intersect1d(found.frames, labeled.frames, return_indices=True)
    if not len(rows):
        raise ValueError(f"{labels} labels none of the analysed frames.")
    measured = identity_metrics.figures(labeled.keypoints[of_truth], made.keypoints[rows, ..., :2])
    return {"frames": len(rows), **measured}


def summary(video: Video, config: Config, found: Detections, made: Tracks) -> TracksInfo:
    """Summary of a video's tracks, written beside them."""
    there = ~np.isnan(made.keypoints[..., 0]).all(axis=-1)
    by_count = np.bincount(there.sum(axis=1), minlength=1)
    said = video.summary
    return TracksInfo(
        made_by=f"beampose {__version__} track",
        video=video.path,
        video_fingerprint=said.video_fingerprint,
        name=video.name,
        fps=said.fps,
        height=said.height,
        width=said.width,
        scorer=said.scorer,
        source=individuals_file.source(video.stem),
        settings=to_dict(config.track),
        frames=found.head.frames,
        rows=len(found.frames),
        tracks=made.keypoints.shape[1],
        individuals=called(found, made),
        tracklets=len({one.id for one in found.pieces}),
        tracklets_refused=found.refused,
        detections_left_out=int(sum(len(one.frames) for one in made.left)),
        frames_by_tracks={str(n): int(count) for n, count in enumerate(by_count) if count},
        joins=len(made.links),
        costliest_joins=[
            TrackJoin(
                track=int(link.track),
                frame=int(found.frames[link.frame]),
                before=int(link.before),
                after=int(link.after),
                cost=round(float(link.cost), 3),
            )
            for link in made.links[:LISTED]
        ],
    )


def _track(
    config: Config, video: Video, progress: Callable[..., Iterable], labels: str | None
) -> TrackFile:
    began = time.perf_counter()
    with individuals_file.read(video.stem) as held:
        found = detect(config, held, progress(held.each("keypoints"), held.pieces, video.name))
        seconds = {"tracklets": round(time.perf_counter() - began, 3)}
        looks = _looks(config, held, found)
    began = time.perf_counter()
    made = stitched(config, found, looks)
    seconds["stitching"] = round(time.perf_counter() - began, 3)
    said = summary(video, config, found, made).replace(seconds=seconds)
    if labels is not None:
        said = said.replace(figures=figures(labels, video.path, found, made))
    method = config.track.similarity
    stem = write(video.stem, found, made, method=method)
    head = found.head
    names = track_writer.Names(head.scorer, head.bodyparts, head.unique)
    track_writer.write_tracklets(
        video.stem, _numbered(found), names, head.frames, _scene(found), method=method
    )
    artefacts.write_info(f"{stem}.json", said)
    return TrackFile(said, f"{stem}.h5")


def _numbered(found: Detections) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Tracklets with the numbers of their frames."""
    for one in found.pieces:
        yield one.id, found.frames[one.frames], one.keypoints


def _scene(found: Detections) -> np.ndarray:
    """Unique bodyparts in every frame of the video, (frames, unique, 3)."""
    whole = np.full((found.head.frames, *found.single.shape[1:]), np.nan)
    whole[found.frames] = found.single
    return whole


def _looks(config: Config, held: Individuals, found: Detections) -> Appearance | None:
    """Similarity of tracklets by the features themselves, if the settings ask for it."""
    if config.track.appearance == "none" or not found.pieces:
        return None
    chosen = appearance.sample(found.pieces)
    vectors, there = held.described(*chosen.places.T)
    described = appearance.plain(vectors, there, scaling.of(vectors, there))
    known = appearance.calibrate(found.pieces, chosen, described)
    alike = appearance.similarity(chosen, described, known)
    return appearance.by_tracklet(found.pieces, chosen, alike)
