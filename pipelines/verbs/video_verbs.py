"""Verbs on videos."""

import argparse
import sys
from pathlib import Path

from beampose.core import artefacts, files, made_here, storage, task_kinds
from beampose.core.infos import ModelInfo
from beampose.core.names import SAVED_MODEL
from beampose.core.settings import experiment
from beampose.core.settings.experiment import Config, changed
from beampose.core.wording import counted
from beampose.pipelines.outcomes import video_outcomes
from beampose.pipelines.verbs import beam_jobs, command_line
from beampose.pipelines.verbs.printed import report_failures, told

# Settings of `predict` that `extract-crops` follows.
_EXTRACTED = {"every", "fps", "start", "stop", "chunk"}


def predict(arguments: argparse.Namespace) -> int:
    """Runs the model on videos. 1 if a video could not be read, or not all of it."""
    from beampose.pipelines.predict import prediction_job

    if arguments.dry_run:
        return beam_jobs.dry_run(arguments, "predict", lambda: _asked(arguments))
    config = _asked(arguments)
    paths = config.predict.videos
    _warn_of_a_stranger(config.model)
    with beam_jobs.beam_job(arguments, config, "predict") as (config, words):
        summary = prediction_job.run(config, paths, words, overwrite=arguments.overwrite)
    beam_jobs.print_counters(arguments, summary.counters)
    return told(summary)


def _asked(arguments: argparse.Namespace) -> Config:
    """The experiment with the videos that are meant, wherever they are named."""
    config = command_line.config(arguments)
    if arguments.boxes is not None:
        if config.kind.points:
            raise ValueError("--boxes applies to crop models: a pose model looks at whole frames.")
        config = experiment.load(arguments.config, [*_boxes(arguments.boxes), *arguments.set])
    return changed(config, predict={"videos": list(command_line.videos(arguments, config))})


def _warn_of_a_stranger(model: str) -> None:
    """Says that a local model was not made on this machine; `predict` runs it all the same."""
    place = storage.place(model, SAVED_MODEL)
    if storage.is_local(place) and place.is_dir() and not made_here.knows(Path(str(place))):
        print(f"warning: {place} {made_here.WARNING}", file=sys.stderr)


def render(arguments: argparse.Namespace) -> int:
    """Draws predictions into videos. 1 if a video could not be drawn."""
    config = command_line.of_results(arguments)
    return told(
        video_outcomes.render(
            config,
            command_line.predicted(arguments, config),
            arguments.progress,
            filtered=arguments.filtered,
            detections=arguments.detections,
        )
    )


def extract_crops(arguments: argparse.Namespace) -> int:
    """Cuts candidate crops out of videos. 1 if a video could not be read."""
    from beampose.pipelines.curation import crop_extraction
    from beampose.pipelines.manifest import Sample
    from beampose.pipelines.predict import candidates

    boxes = [] if arguments.boxes is None else _boxes(arguments.boxes)
    known = {"boxes": experiment.Boxes, "predict": experiment.Predict}
    found = experiment.sections(known, [*boxes, *arguments.set])
    predict = found["predict"]
    if unused := sorted(predict.model_fields_set - _EXTRACTED):
        raise ValueError(
            f"predict.{unused[0]} has no effect on extract-crops, which takes "
            f"{', '.join(f'predict.{name}' for name in sorted(_EXTRACTED))} and boxes: remove it."
        )
    rule, _ = candidates.rule_of(found["boxes"], None)
    wanted = crop_extraction.Extraction(
        folder=files.absolute(arguments.to),
        candidates=candidates.of_config(found["boxes"]),
        rule=rule,
        sample=Sample(predict.every, predict.fps, predict.start, predict.stop),
        chunk=predict.chunk,
    )
    done = crop_extraction.run(wanted, arguments.videos, arguments.progress)
    for path, count in done.crops.items():
        print(f"{path}: {counted(count, 'crop')}")
    failed = report_failures(done.failures)
    print(f"extract-crops: {counted(sum(done.crops.values()), 'crop')} in {wanted.folder}")
    if arguments.html:
        from beampose.pipelines.curation import crop_vectors, sorting_page

        looks = crop_vectors.of_folder(wanted.folder, arguments.progress)
        for line in looks.notes():
            print(f"NOTE {line}")
        for page in sorting_page.write(wanted.folder, looks.names, looks.features, looks.thumbs):
            print(f"sort them in a browser: {page}")
    return failed


def _boxes(word: str) -> list[str]:
    """Settings that --boxes means."""
    import json

    if word == "motion":
        return ["boxes.by=motion", "boxes.path=null"]
    return ["boxes.by=file", f"boxes.path={json.dumps(files.absolute(word))}"]


def repeats(arguments: argparse.Namespace) -> int:
    """Groups detections that come back in one place; or dismisses what a person chose."""
    from beampose.pipelines.curation import dismissal
    from beampose.pipelines.predict import crops_predictor
    from beampose.pipelines.results import result_names

    config = command_line.config(arguments)
    info = artefacts.require(config.model, ModelInfo)
    if task_kinds.of_info(info).points:
        raise ValueError("beampose repeats applies only to crop models.")
    crops = crops_predictor.of_experiment(config, info)
    everything = [*result_names.predicted(config), *result_names.present_stills(config)]
    named = arguments.videos or config.predict.videos or everything
    every, without = dismissal.predicted(config, named)
    failed = report_failures(without)
    if arguments.dismiss:
        counts = dismissal.apply(config.predictions, crops, every, arguments.dismiss)
        for name, (gone, left) in counts.items():
            print(f"{name}: {gone} dismissed, {counted(left, 'hit')} left")
    else:
        page, count = dismissal.write_page(config.predictions, crops, every, arguments.at_least)
        print(f"repeats: {counted(count, 'place')}. {page}")
    return failed
