"""Verbs on videos."""

import argparse
from dataclasses import replace
from typing import Any

from pipelines.verbs import asked, jobs
from pipelines.verbs.verb import MONEY, Verb


def predict(arguments: argparse.Namespace) -> int:
    """Runs the model on videos. 1 if a video could not be read, or not all of it."""
    from pipelines.predict import pipeline

    config = asked.config(arguments)
    paths = asked.videos(arguments, config)
    # The estimate is of these videos, wherever they are named.
    config = replace(config, predict=replace(config.predict, videos=list(paths)))
    with jobs.beam_job(arguments, config, "predict") as (config, words):
        summary = pipeline.run(config, paths, words, overwrite=arguments.overwrite)
    jobs.print_counters(arguments, summary.counters)
    for video in summary.videos:
        print(
            f"{video['video']}: {video['rows']} rows for {_of_all(video)} frames, "
            f"{video['frames_decoded']} decoded, {len(video['failures'])} failed"
        )
        for remark in (video["frames_differ"], video.get("remark")):
            if remark:
                print(f"  NOTE: {remark}")
    for path, why in summary.failures:
        print(f"FAILED {path}: {why}")
    rate = f", {summary.frames / summary.seconds:.1f} frames/s" if summary.frames else ""
    print(
        f"predict: {len(summary.videos)} videos ({summary.kept} from before), {summary.frames} "
        f"frames in {summary.seconds:.0f} s{rate}. {config.predictions}"
    )
    lost = sum(len(video["failures"]) for video in summary.videos)
    if lost:
        print(f"{lost} frames have no result, one a line: {config.predictions}/failures.jsonl")
    return 1 if summary.failures or lost else 0


def _of_all(video: dict[str, Any]) -> str:
    chosen, held = video["frames_chosen"], video["frames_by_packets"]
    return str(held) if chosen == held else f"{chosen} of {held}"


def render(arguments: argparse.Namespace) -> int:
    """Draws predictions into videos. 1 if a video could not be drawn."""
    from pipelines.review import render as drawing

    config = asked.config(arguments)
    done, failures = drawing.run(
        config,
        asked.videos(arguments, config),
        arguments.progress,
        filtered=getattr(arguments, "filtered", False),
    )
    for path in done:
        print(f"render: {path}")
    for path, why in failures:
        print(f"FAILED {path}: {why}")
    return 1 if failures else 0


FILTERED = ("--filtered", {"action": "store_true", "help": "of what `beampose filter` made"})
OVERWRITE = (
    "--overwrite",
    {"action": "store_true", "help": "replace predictions of another model or other settings"},
)
VERBS = {
    "predict": Verb(
        predict,
        "run the model on videos",
        videos=True,
        beam=True,
        cloud=True,
        options=(*MONEY, OVERWRITE),
    ),
    "render": Verb(
        render,
        "draw predictions into videos",
        videos=True,
        tensorflow=False,
        options=(FILTERED,),
    ),
}
