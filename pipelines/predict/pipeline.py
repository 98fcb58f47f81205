"""Videos to predictions; this file only wires."""

import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import apache_beam as beam

from pipelines import options as beam_options
from pipelines import runner
from pipelines.cloud import stage
from pipelines.predict import commit, manifest, steps
from pipelines.predict.infer import SavedModelHandler, model_digest
from trainer import artefacts
from trainer.config import Config, join


class Summary(NamedTuple):
    """What a run did: a summary a video, those kept from before, and failures (path, reason).

    `counters` are the job's own, by name.
    """

    videos: list[dict[str, Any]]
    kept: int
    failures: list[tuple[str, str]]
    frames: int
    seconds: float
    counters: dict[str, int]


def run(config: Config, paths: Sequence[str], beam_words: Sequence[str] = ()) -> Summary:
    """Runs the model on videos, and goes on where a killed run stopped.

    Raises:
      OSError, ValueError: there is no model, or no such videos at all.
    """
    began = time.perf_counter()
    options = beam_options.parse(beam_words)
    beam_options.check_reachable(options, config.output, "The output")
    info = artefacts.require(config.model, "train")
    if info["task"] != "pose":
        raise ValueError(
            "beampose predict runs pose models on videos; a crop model classifies crops, by its "
            f"SavedModel in {config.model} or `beampose evaluate`."
        )
    if info.get("assembly"):
        raise ValueError(
            f"The model in {config.model} finds several animals, and beampose predict writes the "
            "keypoints of one. `beampose evaluate` measures and draws it on labeled images; "
            "docs/animals.md says how to run it on frames of your own."
        )
    expanded = manifest.expand(paths)
    if not beam_options.is_local(options):
        expanded = stage.videos(expanded, join(config.output, "videos"))
    listed = manifest.read(expanded)
    output = commit.Output(
        folder=config.predictions,
        scorer=info["dlc_scorer"],
        bodyparts=tuple(info["bodyparts"]),
        model_digest=model_digest(config.model),
        config=_dlc_config(config, info),
        uncertainty=info.get("uncertainty"),
    )
    todo = [(n, v) for n, v in listed.videos if not commit.finished(output, n, v)]
    ranges = [r for n, v in todo for r in manifest.ranges(n, v, config.predict.chunk)]
    pipeline = beam.Pipeline(options=options)
    handler = SavedModelHandler(config.model, config.predict.batch_size)
    build(pipeline, ranges, handler, output, beam_options.NetworkOptions.hints(options))
    counters = runner.finish(pipeline, "predict")
    summaries = [artefacts.read_json(commit.summary_file(output, n)) for n, _ in listed.videos]
    _write_failures(output, summaries, listed.failures)
    frames = sum(video.count for _, video in todo)
    kept = len(listed.videos) - len(todo)
    seconds = time.perf_counter() - began
    return Summary(summaries, kept, listed.failures, frames, seconds, counters)


def build(
    pipeline: beam.Pipeline,
    ranges: list[manifest.Range],
    handler: SavedModelHandler,
    output: commit.Output,
    hints: dict[str, str] | None = None,
) -> None:
    """Wires the steps; ranges travel, frames stay inside a step.

    Args:
      hints: resources of the step that runs the model.
    """
    _ = (
        pipeline
        | "Ranges" >> beam.Create(ranges)
        | "Predict"
        >> beam.ParDo(steps.PredictRange(handler, output)).with_resource_hints(**(hints or {}))
        | "GroupByVideo" >> beam.GroupByKey()
        | "Assemble" >> beam.ParDo(steps.Assemble(output))
    )


def _dlc_config(config: Config, info: dict[str, Any]) -> dict[str, Any]:
    """The part of a DeepLabCut test pose_cfg that its tools look at."""
    bodyparts = info["bodyparts"]
    total = sum(info["split"].values())
    return {
        "all_joints": [[i] for i in range(len(bodyparts))],
        "all_joints_names": bodyparts,
        "num_joints": len(bodyparts),
        "net_type": info["recipe"]["backbone"],
        "global_scale": info["recipe"]["scale"],
        "batch_size": config.predict.batch_size,
        "train_fraction": round(info["split"].get("train", 0) / total, 2) if total else 1.0,
    }


def _write_failures(
    output: commit.Output, summaries: list[dict], unreadable: list[tuple[str, str]]
) -> None:
    lines = [{"video": path, "frame": None, "why": why} for path, why in unreadable]
    lines += [{"video": s["video"], **failure} for s in summaries for failure in s["failures"]]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    artefacts.write_text(artefacts.place(output.folder, commit.FAILURES_FILE), text)
