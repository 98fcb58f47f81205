"""Real animals hidden again and again: tracks by where they go, and by how they look as well.

    python scripts/benchmark/reid.py CONFIG VIDEO LABELS [--hide 150 --every 200 --first 30]

The video must have been predicted, and LABELS must give identities in most of its frames. Of every
`--every` frames all animals are hidden in `--hide`: each time they come back as new tracklets.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from beampose.core.settings import experiment
from beampose.formats import individuals_file
from beampose.pipelines.tracking import (
    appearance,
    held_out,
    identity_labels,
    identity_metrics,
    predicted_videos,
    reidentify,
    track_videos,
    tracklets,
)
from beampose.trainer import scaling


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("video")
    parser.add_argument("labels")
    parser.add_argument("--hide", type=int, default=150)
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--first", type=int, default=30, help="frames the first time comes earlier")
    parser.add_argument("--set", action="append", default=[])
    asked = parser.parse_args()
    config = experiment.load(asked.config, asked.set)
    (video,), _ = predicted_videos.each(
        config, [asked.video], lambda video: video, instead=predicted_videos.NO_TRACKS
    )
    with individuals_file.read(video.stem) as held:
        keypoints = held.whole("keypoints")
        frames, single, head = held.whole("frames"), held.whole("single"), held.head
    when = (np.arange(len(keypoints)) + asked.first) % asked.every
    hidden = when >= asked.every - asked.hide
    keypoints[hidden] = np.nan
    pieces = list(tracklets.track(keypoints))
    found = track_videos.Detections(head, frames, single, pieces, 0)
    split = held_out.split(pieces, config.reid.test, config.reid.seed)
    labels = identity_labels.read(asked.labels, video.path, head.bodyparts)
    _, rows, known = np.intersect1d(frames[~hidden], labels.frames, return_indices=True)
    rows = np.flatnonzero(~hidden)[rows]

    def tell(what: str, looks: np.ndarray | None, more: str = "") -> None:
        made = track_videos.stitched(config, found, looks)
        said = identity_metrics.figures(labels.keypoints[known], made.keypoints[rows, ..., :2])
        print(f"{what:12} IDF1 {said['idf1']:.3f}  switches {said['switches']:3}  {more}")

    print(f"{len({one.id for one in pieces})} tracklets, {len(rows)} labeled frames")
    tell("none", None)
    with individuals_file.read(video.stem) as held:
        described_by = held.described_by
        chosen = appearance.sample(pieces)
        vectors, there = held.described(*chosen.places.T)
    described = appearance.plain(vectors, there, scaling.of(vectors, there))
    curve = appearance.calibrate(pieces, chosen, described)
    alike = appearance.similarity(chosen, described, curve)
    tell("descriptors", appearance.by_tracklet(pieces, chosen, alike), str(curve))
    seen = reidentify.Seen(video, found, split, described_by)
    learned = reidentify.learn(config, [seen], keep=False)
    with individuals_file.read(video.stem) as held:
        looks, curve = reidentify.looks(learned.network, held, seen)
    told = {
        key: getattr(learned.info, key) for key in ("accuracy", "best_epoch", "seconds", "split")
    }
    tell("reid", looks, f"{told} {curve}")


if __name__ == "__main__":
    main()
