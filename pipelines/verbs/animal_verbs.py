"""Verbs on videos of several animals."""

import argparse
from typing import Any

from beampose.pipelines.verbs import command_line
from beampose.pipelines.verbs.verb import Verb


def track(arguments: argparse.Namespace) -> int:
    """Makes tracks of predicted individuals. 1 if those of a video could not be made."""
    from beampose.pipelines.tracking import track_videos

    config = command_line.config(arguments)
    done, failures = track_videos.run(
        config,
        command_line.videos(arguments, config),
        arguments.progress,
        labels=getattr(arguments, "labels", None),
        slp=getattr(arguments, "slp", False),
    )
    for one in done:
        print(f"track: {one['file']}")
        print(f"  {describe(one)}")
    for path, why in failures:
        print(f"FAILED {path}: {why}")
    return 1 if failures else 0


def reid(arguments: argparse.Namespace) -> int:
    """Learns to tell animals apart, and makes tracks by it. 1 if those of a video could not be."""
    from beampose.pipelines.tracking import reidentify

    config = command_line.config(arguments)
    done = reidentify.run(
        config,
        command_line.videos(arguments, config),
        arguments.progress,
        labels=getattr(arguments, "labels", None),
        slp=getattr(arguments, "slp", False),
    )
    info = done.info
    if info.get("reason"):
        print(f"reid: nothing to learn from, so looks do not count. {info['reason']}")
    elif info:
        judged = "nothing was held out"
        if info["accuracy"] is not None:
            ways = sorted({one["by"] for one in info["split"].values()})
            judged = (
                f"{info['accuracy']:.1%} of {info['test_triplets']} held-out triplets right "
                f"(held out by {', '.join(ways)})"
            )
        print(f"reid: {info['triplets']} triplets, {judged}, {info['seconds']:.0f} s")
    for one in done.videos:
        print(f"reid: {one['file']}")
        print(f"  {describe(one)}")
        if "without" in one:
            without = one["without"]
            print(f"  without looks: IDF1 {without['idf1']:.3f}, {without['switches']} switches")
        if one["reid"]["reason"] and not info.get("reason"):
            print(f"  NOTE: looks do not count: {one['reid']['reason']}")
    for path, why in done.failures:
        print(f"FAILED {path}: {why}")
    return 1 if done.failures else 0


def describe(one: dict[str, Any]) -> str:
    """A video's tracks in a line, for people."""
    said = (
        f"{one['tracks']} tracks of {one['tracklets']} tracklets in {one['rows']} frames, "
        f"{one['joins']} joins, {one['detections_left_out']} detections left out"
    )
    found = one.get("figures")
    if not found:
        return said
    return (
        f"{said}\n  against labels of {found['frames']} frames: IDF1 {found['idf1']:.3f}, "
        f"{found['switches']} switches, {found['detection_rate']:.1%} of animals found, "
        f"{found['false']} false, MOTA {found['mota']:.3f}"
    )


LABELS = (
    "--labels",
    {"metavar": "FILE", "help": "who is who in the videos (h5, csv, slp, json), to measure by"},
)
SLP = (
    "--slp",
    {"action": "store_true", "help": "also write SLEAP's .slp (pip install 'beampose[sleap]')"},
)
VERBS = {
    "track": Verb(
        track,
        "make tracks of several animals through videos",
        videos=True,
        tensorflow=False,
        options=(LABELS, SLP),
    ),
    "reid": Verb(
        reid,
        "learn to tell animals apart by how they look, and make tracks by it",
        videos=True,
        options=(LABELS, SLP),
    ),
}
