"""Re-identification: tracks by appearance, learned from tracklets and the features kept."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import __version__, artefacts, files, storage
from beampose.core.files import join
from beampose.core.infos import ReidInfo
from beampose.core.infos.video_info import HeldOut
from beampose.core.settings.experiment import Config, to_dict
from beampose.formats import individuals_file
from beampose.formats.deeplabcut import track_writer
from beampose.formats.individuals_file import Individuals
from beampose.formats.sleap import slp_writer
from beampose.pipelines.tracking import (
    appearance,
    held_out,
    predicted_videos,
    track_videos,
    triplets,
)
from beampose.pipelines.tracking.appearance import Calibration
from beampose.pipelines.tracking.predicted_videos import Video
from beampose.pipelines.tracking.track_videos import Detections, TrackFile
from beampose.pipelines.tracking.tracklets import Tracklet

FOLDER = "reid"


class Seen(NamedTuple):
    """A video with its tracklets, some of them to learn from and some to judge by.

    `described_by` says what the features are of: bodyparts, and maybe the animal cut out.
    """

    video: Video
    found: Detections
    split: held_out.Split
    described_by: list[str]


class Learned(NamedTuple):
    """Result of learning.

    Attributes:
      network: None where there was nothing to learn from.
      info: of the folder; `reason` says why there is no network.
    """

    network: Any
    info: ReidInfo


class Done(NamedTuple):
    """Result of a run: the network's info, a summary of each video, and failures (path, reason)."""

    info: ReidInfo | None
    videos: list[TrackFile]
    failures: list[tuple[str, str]]


def run(
    config: Config,
    paths: Sequence[str],
    progress: Callable[..., Iterable],
    *,
    labels: str | None = None,
    slp: bool = False,
) -> Done:
    """Learns from all videos together, and stitches each again: `_tr.h5` and `.csv`.

    Args:
      labels: a file with the identities of animals in the videos, to measure by.
      slp: also writes SLEAP's file of each.

    Raises:
      FileNotFoundError: there is no model, or a path matches nothing.
      ValueError: the model finds one animal.
    """
    if slp:
        slp_writer.check()
    storage.check_writable(config.predictions)
    alike: list[Seen] = []

    def look(video: Video) -> Seen:
        one = _seen(config, video, progress)
        alike.append(_comparable(one, alike))
        return one

    seen, failures = predicted_videos.each(config, paths, look, instead=predicted_videos.NO_TRACKS)
    if not seen:
        return Done(None, [], failures)
    learned = learn(config, seen)
    done = []
    for one in seen:
        try:
            said = _stitch(config, one, learned, labels)
            done.append(said)
            if slp:
                track_videos.write_slp(config, said)
        except (OSError, ValueError) as error:
            failures.append((one.video.path, files.why(error)))
    return Done(learned.info, done, failures)


def _seen(config: Config, video: Video, progress: Callable[..., Iterable]) -> Seen:
    with individuals_file.read(video.stem) as held:
        found = track_videos.detect(
            config, held, progress(held.each("keypoints"), held.pieces, video.name)
        )
        by = held.described_by
    return Seen(video, found, held_out.split(found.pieces, config.reid.test, config.reid.seed), by)


def _comparable(one: Seen, others: Sequence[Seen]) -> Seen:
    """A video whose features mean what those of the others do.

    Raises:
      ValueError: another model made them, or they belong to something else.
    """
    first = others[0] if others else one
    if one.found.head.model_digest != first.found.head.model_digest:
        raise ValueError(
            f"was predicted by another model than {first.video.path}: predict both by one."
        )
    if one.described_by != first.described_by:
        raise ValueError(
            f"was predicted with other `predict.also` than {first.video.path}: predict both alike, "
            "with crops or without."
        )
    return one


def learn(config: Config, seen: Sequence[Seen], *, keep: bool = True) -> Learned:
    """Trains on the triplets of all videos; the network is kept in `<output>/reid` if wanted."""
    from beampose.trainer import reid_network, reid_training

    began = time.perf_counter()
    training, held_out, reasons = _mined(config, seen)
    info = ReidInfo(
        made_by=f"beampose {__version__} reid",
        settings=to_dict(config.reid),
        videos=[one.video.path for one in seen],
        split={one.video.path: HeldOut(by=one.split.by, why=one.split.reason) for one in seen},
        bodyparts=list(seen[0].described_by),
        descriptors=seen[0].found.head.model_digest,
    )
    folder = join(config.output, FOLDER)
    if training is None:
        if keep:
            storage.remove(folder)
        return Learned(None, info.replace(reason=" ".join(reasons)))
    trained = reid_training.train(training, held_out, config.reid)
    info = info.replace(
        triplets=len(training.triplets),
        test_triplets=0 if held_out is None else len(held_out.triplets),
        accuracy=trained.accuracy,
        best_epoch=trained.best_epoch,
        history=trained.history,
        seconds=round(time.perf_counter() - began, 2),
    )
    if keep:
        info = reid_network.save(folder, trained.network, info)
    return Learned(trained.network, info)


def _mined(config: Config, seen: Sequence[Seen]) -> tuple[Any, Any, list[str]]:
    """Examples to learn from and to judge by, each None if there are none; and why not.

    A video gives as many as its share of all detections.
    """
    rng = np.random.default_rng(config.reid.seed)
    total = sum(_size(one.split.train) for one in seen)
    training, held_out, reasons = [], [], []
    for one in seen:
        count = config.reid.triplets * _size(one.split.train) / max(total, 1)
        mined = triplets.mine(one.split.train, max(round(count), 1), rng)
        if mined.reason:
            reasons.append(f"{one.video.path}: {mined.reason}")
        judged = triplets.mine(one.split.test, max(round(count * config.reid.test), 1), rng)
        for found, made in ((mined, training), (judged, held_out)):
            if len(found.anchor):
                made.append(_examples(one, found))
    return _joined(training), _joined(held_out), reasons


def _stitch(config: Config, one: Seen, learned: Learned, labels: str | None) -> TrackFile:
    began = time.perf_counter()
    known = Calibration(0.0, 0.0, reason=learned.info.reason)
    alike = None
    if learned.network is not None:
        with individuals_file.read(one.video.stem) as held:
            alike, known = looks(learned.network, held, one)
    made = track_videos.stitched(config, one.found, alike)
    ending = track_writer.ENDINGS[config.track.similarity]
    said = track_videos.summary(one.video, config, one.found, made).replace(
        made_by=f"beampose {__version__} reid",
        reid={
            "accuracy": learned.info.accuracy,
            "reason": known.reason,
            "calibration": known._asdict(),
        },
        seconds={"reid": round(time.perf_counter() - began, 3)},
    )
    if labels is not None:
        plain = track_videos.stitched(config, one.found)
        said = said.replace(
            figures=track_videos.figures(labels, one.video.path, one.found, made),
            without=track_videos.figures(labels, one.video.path, one.found, plain),
        )
    stem = track_videos.write(f"{one.video.stem}{ending}", one.found, made, method="transformer")
    artefacts.write_info(f"{stem}.json", said)
    return TrackFile(said, f"{stem}.h5")


def looks(network: Any, held: Individuals, one: Seen) -> tuple[np.ndarray, Calibration]:
    """Similarity of a video's tracklets by appearance, and its calibration."""
    from beampose.trainer import reid_network

    def described(chosen: appearance.Sample) -> np.ndarray:
        return reid_network.embed(network, *held.described(*chosen.places.T))

    judged = appearance.sample(one.split.test)
    known = appearance.calibrate(one.split.test, judged, described(judged))
    chosen = appearance.sample(one.found.pieces)
    every = described(chosen)
    if known.reason:
        # Too few were held out: those the network learned from say more than nothing.
        known = appearance.calibrate(one.found.pieces, chosen, every)
    alike = appearance.similarity(chosen, every, known)
    return appearance.by_tracklet(one.found.pieces, chosen, alike), known


def _examples(one: Seen, mined: triplets.Triplets):
    from beampose.trainer import reid_training

    places, rows = mined.detections()
    with individuals_file.read(one.video.stem) as held:
        return reid_training.Examples(*held.described(*places.T), rows)


def _joined(made: Sequence[Any]):
    """Examples of several videos as those of one; None if there are none."""
    if not made:
        return None
    starts = np.cumsum([0, *[len(one.vectors) for one in made[:-1]]])
    moved = [one.triplets + start for one, start in zip(made, starts, strict=True)]
    return type(made[0])(
        np.concatenate([one.vectors for one in made]),
        np.concatenate([one.present for one in made]),
        np.concatenate(moved),
    )


def _size(tracklets: Sequence[Tracklet]) -> int:
    return sum(len(one.frames) for one in tracklets)
