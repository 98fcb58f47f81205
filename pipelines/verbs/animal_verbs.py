"""Verbs on videos of several animals."""

import argparse
from typing import Any

from beampose.pipelines.verbs import command_line, outcome


def track(arguments: argparse.Namespace) -> int:
    """Joins predicted animals into tracks. 1 if a video could not be tracked."""
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
        _print_tracks("track", one)
    return outcome.report_failures(failures)


def reid(arguments: argparse.Namespace) -> int:
    """Learns to tell animals apart and tracks them by it. 1 if a video could not be tracked."""
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
        print(f"reid: nothing to learn from, so appearance was not used. {info['reason']}")
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
        _print_tracks("reid", one)
        if "without" in one:
            without = one["without"]
            print(
                f"  without appearance: IDF1 {without['idf1']:.3f}, {without['switches']} switches"
            )
        if one["reid"]["reason"] and not info.get("reason"):
            print(f"  NOTE: appearance was not used: {one['reid']['reason']}")
    return outcome.report_failures(done.failures)


def _print_tracks(verb: str, one: dict[str, Any]) -> None:
    print(f"{verb}: {one['file']}")
    print(f"  {describe(one)}")


def describe(one: dict[str, Any]) -> str:
    """Describes a video's tracks in one human-readable line."""
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
