"""Verbs that choose frames to label, and judge labels."""

import argparse
from typing import TYPE_CHECKING, Any

from beampose.core import files
from beampose.core.settings.experiment import Config
from beampose.core.wording import agreed, counted
from beampose.pipelines.verbs import command_line, printed, training_verbs

if TYPE_CHECKING:
    from beampose.pipelines.curation.frame_extraction import Known
    from beampose.pipelines.curation.label_corrections import Applied


def audit(arguments: argparse.Namespace) -> int:
    """Ranks the labels most likely wrong; or writes corrections. 1 if one could not be written."""
    from beampose.pipelines.curation import label_audit, label_evidence

    config = command_line.config(arguments)
    if arguments.apply is not None:
        return _apply(arguments.apply, config)
    training_verbs.say_if_outdated(config)
    evidence = label_evidence.gather(
        config,
        folds=arguments.folds,
        calibration=arguments.calibration or config.cameras.calibration,
    )
    found = label_audit.suspicions(evidence)
    page, table, listed = label_audit.write(
        evidence, found, config, top=arguments.top, progress=arguments.progress
    )
    for rank, one in enumerate(found[: min(listed, 10)], 1):
        print(f"{rank:>3}. {evidence.records[one.image].name}: {one.reason}")
    suspicious, labels = label_audit.count(found[:listed]), label_audit.count(found)
    print(
        f"audit: {suspicious} of {counted(labels, 'label')} {agreed(suspicious, 'are')} "
        f"suspicious. {page} {table}"
    )
    return 0


def _apply(path: str, config: Config) -> int:
    found, done = _applied(path, config)
    for words in done.lost:
        print(f"FAILED {words}")
    for file in done.written:
        print(f"changed: {file}")
    backup = f" As they were: {done.backup}" if done.backup else ""
    print(f"audit: {done.done} of {found} marked corrections written.{backup}")
    if done.written:
        print("Run `beampose features` again: it picks up the new labels and embeds nothing.")
    return 1 if done.lost else 0


def _applied(path: str, config: Config) -> tuple[int, "Applied"]:
    """Applies the marked corrections; returns how many are marked, and the result."""
    from beampose.pipelines.curation import crop_corrections, label_audit, label_corrections
    from beampose.pipelines.features import labeled_source

    told = config.source
    if told.format in crop_corrections.WRITERS:
        classes = crop_corrections.read(path)
        backups = files.join(config.output, label_audit.FOLDER)
        return len(classes), crop_corrections.WRITERS[told.format](classes, told.path, backups)
    if told.format != "deeplabcut":
        raise ValueError(
            f"--apply cannot write into labels of the format {told.format} ({told.path}): it "
            "writes into DeepLabCut projects, folders of crops and lists of crops. `beampose "
            "import-labels` makes a DeepLabCut project of them: audit that one."
        )
    labels, _ = labeled_source.read(config)
    if isinstance(told.scorer, list) and len(told.scorer) > 1:
        raise ValueError(
            f"--apply cannot write into the labels of {', '.join(told.scorer)} together: which of "
            "them is wrong? Audit each with source.scorer."
        )
    points = label_corrections.read(path)
    return len(points), label_corrections.apply(points, _root(told.path), labels.scorer)


def _root(path: str) -> str:
    return files.parent(path) if files.suffix(path) in (".yaml", ".yml") else path


def extract_frames(arguments: argparse.Namespace) -> int:
    """Writes frames to label into a DeepLabCut project. 1 if a video could not be used."""
    from beampose.formats.deeplabcut import project_config
    from beampose.pipelines import manifest
    from beampose.pipelines.curation import frame_extraction

    paths = manifest.expand(arguments.videos)
    root = files.absolute(arguments.to)
    known = project_config.settings(_project(root, arguments))
    if arguments.start is not None or arguments.stop is not None:
        known = {"count": known.get("count")}
    settings = frame_extraction.Settings(
        method=arguments.method,
        cluster=arguments.cluster,
        count=_first(arguments.count, known.get("count"), 20),
        start=_first(arguments.start, known.get("start"), 0.0),
        stop=_first(arguments.stop, known.get("stop")),
        crop=arguments.crop,
        every=arguments.every,
        seed=arguments.seed,
    )
    settings.check()
    shown = _shown(root, arguments) if arguments.method == "features" else None
    done, failures = frame_extraction.run(paths, root, settings, shown, arguments.progress)
    for one in done:
        had = f", {one.had} were already there" if one.had else ""
        lost = f", {one.lost} could not be decoded" if one.lost else ""
        looked = f" of {one.looked_at} considered" if one.looked_at else ""
        print(f"{one.video}: {counted(len(one.written), 'frame')}{looked}{had}{lost}. {one.folder}")
    code = printed.report_failures(failures)
    print(
        f"extract-frames: {counted(sum(len(one.written) for one in done), 'frame')} to label in "
        f"{root}"
    )
    return code


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _project(root: str, arguments: argparse.Namespace) -> str:
    """The text of the project's config.yaml, which is made if there is none."""
    from beampose.core import storage
    from beampose.formats.deeplabcut import project_config

    file = files.join(root, project_config.CONFIG)
    names = arguments.bodyparts or []
    if files.exists(file):
        text = project_config.read(file)[0]
        # The same command goes on with the project that it made.
        try:
            known, scorer = project_config.bodyparts(text), project_config.scorer(text)
        except ValueError as error:
            raise ValueError(f"{file} {error}") from None
        if (names and names != known) or arguments.scorer not in (None, scorer):
            raise ValueError(f"{file} exists: change its bodyparts and its scorer there.")
        return text
    text = project_config.create(root, scorer=arguments.scorer or "", bodyparts=names)
    storage.write_text(file, text, durable=True)
    print(f"extract-frames: a new project, {file}")
    return text


def _shown(root: str, arguments: argparse.Namespace) -> "Known":
    """The network, and what it makes of the images the project has."""
    from beampose.pipelines.curation import frame_extraction, frame_vectors

    network = frame_vectors.Embedding(arguments.backbone, arguments.weights, arguments.scale)
    paths = frame_extraction.shown(root)
    found = frame_vectors.read(arguments.progress(paths, len(paths), "labeled images"))
    return frame_extraction.Known(network.all, network.all(found))
