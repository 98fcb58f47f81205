"""Videos to predictions; this file only wires."""

import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import apache_beam as beam

from pipelines import options as beam_options
from pipelines.predict import commit, manifest, steps
from pipelines.predict.infer import SavedModelHandler, model_digest
from trainer import artefacts
from trainer.config import Config


class Summary(NamedTuple):
    """What a run did: a summary a video, those kept from before, and failures (path, reason)."""

    videos: list[dict[str, Any]]
    kept: int
    failures: list[tuple[str, str]]
    frames: int
    seconds: float


def run(config: Config, paths: Sequence[str], beam_words: Sequence[str] = ()) -> Summary:
    """Runs the model on videos, and goes on where a killed run stopped.

    Raises:
      OSError, ValueError: there is no model, or no such videos at all.
    """
    began = time.perf_counter()
    options = beam_options.parse(beam_words)
    info = artefacts.require(config.model, "train")
    if info["task"] != "pose":
        raise ValueError(
            "beampose predict runs pose models on videos; a crop model classifies crops, by its "
            f"SavedModel in {config.model} or `beampose evaluate`."
        )
    listed = manifest.read(manifest.expand(paths))
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
    with beam.Pipeline(options=options) as pipeline:
        build(pipeline, ranges, SavedModelHandler(config.model, config.predict.batch_size), output)
    summaries = [artefacts.read_json(commit.summary_file(output, n)) for n, _ in listed.videos]
    _write_failures(output, summaries, listed.failures)
    frames = sum(video.count for _, video in todo)
    kept = len(listed.videos) - len(todo)
    return Summary(summaries, kept, listed.failures, frames, time.perf_counter() - began)


def build(
    pipeline: beam.Pipeline,
    ranges: list[manifest.Range],
    handler: SavedModelHandler,
    output: commit.Output,
) -> None:
    """Wires the steps; ranges travel, frames stay inside a step."""
    _ = (
        pipeline
        | "Ranges" >> beam.Create(ranges)
        | "Predict" >> beam.ParDo(steps.PredictRange(handler, output))
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
