"""Labeled images to a store of features and a dataset of labels; this file only wires."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import apache_beam as beam

from pipelines import options as beam_options
from pipelines import runner
from pipelines.cloud import stage
from pipelines.features import analyze, dataset, extract, frames, source, steps, store
from preprocess.labels import TRAIN, Labels
from trainer import artefacts, embed
from trainer.config import Config, join
from trainer.store import Index

# Labels that travel together to be checked: enough to keep a worker's reading threads busy.
CHECKED_TOGETHER = 32


class Summary(NamedTuple):
    """What a run did.

    `embedded` counts images and copies that were not in the store before; `counters` are the job's
    own, by name.
    """

    images: int
    embedded: int
    rejected: int
    problems: int
    seconds: float
    counters: dict[str, int]


def run(config: Config, beam_words: Sequence[str] = ()) -> Summary:
    """Fills the store with what it lacks and writes the dataset.

    Raises:
      OSError, ValueError: the source or the backbone cannot be used, or too much was rejected.
    """
    began = time.perf_counter()
    options = beam_options.parse(beam_words)
    beam_options.check_reachable(options, config.output, "The output")
    labels, splits = source.read(config)
    artefacts.begin(config.dataset)
    target = open_store(config, labels, splits)
    if not beam_options.is_local(options):
        images = stage.images(labels.items, join(config.output, "images"))
        labels = dataclasses.replace(labels, items=images)
    job = steps.Job(
        spec=extract.model_spec(config, join(target.folder, embed.TRANSFORM)),
        store=target.folder,
        recipe_id=target.recipe_id,
        transform_digest=target.transform_digest,
        bodyparts=labels.bodyparts,
        ranges=extract.ranges(config),
        copies=config.copies,
        batch_size=config.features.batch_size,
        shards=store.count_shards(len(labels.items) * (1 + config.copies), config.task == "crops"),
    )
    before = len(Index(target.folder))
    keep = None
    if config.features.frames:
        shards = store.count_shards(len(labels.items), config.task == "crops")
        keep = frames.KeepFrames(config.dataset, shards)
    pipeline = beam.Pipeline(options=options)
    hints = beam_options.NetworkOptions.hints(options)
    items = list(zip(labels.items, splits, strict=True))
    build(pipeline, items, job, config.dataset, keep=keep, hints=hints)
    counters = runner.finish(pipeline, "features")
    target.describe()
    store.register(target.folder, config.dataset)
    embedded = len(Index(target.folder)) - before
    seconds = time.perf_counter() - began
    counts = dataset.finish(config, labels, target.recipe_id, seconds)
    return Summary(
        counts["images"], embedded, counts["rejected"], counts["problems"], seconds, counters
    )


def build(
    pipeline: beam.Pipeline,
    items: list,
    job: steps.Job,
    folder: str,
    *,
    keep: frames.KeepFrames | None = None,
    hints: dict[str, str] | None = None,
) -> None:
    """Wires the steps; references travel, pixels stay inside a step.

    Args:
      keep: the step that writes encoded frames, if they are asked for.
      hints: resources of the step that runs the network.
    """
    together = [items[i : i + CHECKED_TOGETHER] for i in range(0, len(items), CHECKED_TOGETHER)]
    checked = (
        pipeline
        | "Labels" >> beam.Create(together)
        | "Check" >> beam.ParDo(steps.Check(job)).with_outputs(steps.REJECTS, main="usable")
    )
    kept = (
        checked.usable
        | "GroupByPixels" >> beam.GroupByKey()
        | "KeepOne" >> beam.ParDo(steps.KeepOne()).with_outputs(steps.REJECTS, main="kept")
    )
    records = kept.kept | "Records" >> beam.ParDo(steps.Records(job))
    stored = (
        records
        | "Missing" >> beam.ParDo(steps.Missing(job))
        | "GroupByShard" >> beam.GroupByKey()
        | "Embed"
        >> steps.hinted(beam.ParDo(steps.Embed(job)), hints).with_outputs(
            steps.REJECTS, main="stored"
        )
    )
    rejected = [checked[steps.REJECTS], kept[steps.REJECTS], stored[steps.REJECTS]]
    if keep is not None:
        written = records | "KeepFrames" >> keep
        rejected.append(written[steps.REJECTS])
    rejects = (
        rejected | "Rejects" >> beam.Flatten() | "WriteRejects" >> dataset.WriteRejects(folder)
    )
    _ = records | "WriteLabels" >> dataset.WriteLabels(
        folder, job.store, pooled=job.spec.pooled, after=[stored.stored, rejects]
    )


class Target(NamedTuple):
    """The store of a recipe, with its transform in place."""

    folder: str
    recipe_id: str
    recipe: dict[str, Any]
    weights: str
    dims: int
    transform_digest: str

    def describe(self) -> None:
        store.describe(
            self.folder,
            recipe=self.recipe,
            weights=self.weights,
            dims=self.dims,
            transform_digest=self.transform_digest,
        )


def open_store(config: Config, labels: Labels, splits: list[str]) -> Target:
    """Finds the store of the config's recipe, or makes it: its transform is learned once.

    It is learned in this process whatever the runner: a bounded sample takes seconds here, and a
    job on other machines minutes to begin.
    """
    features = config.features
    backbone = extract.backbone(features.backbone, features.weights, config.task == "crops")
    recipe = extract.recipe(config, backbone)
    recipe_id = embed.recipe_id(recipe)
    folder = join(config.store, recipe_id)
    transform = join(folder, embed.TRANSFORM)
    if not embed.exists(transform):
        training = [item for item, s in zip(labels.items, splits, strict=True) if s == TRAIN]
        if not training:
            raise ValueError("The training split is empty. Lower split.test or add labels.")
        learned = analyze.analyze(
            analyze.sample(training, backbone.pooled),
            extract.model_spec(config, None),
            pca=config.pca,
            channels=backbone.channels,
            options=beam_options.parse([]),
        )
        artefacts.begin(folder)
        store.adopt_transform(folder, learned)
    return Target(
        folder,
        recipe_id,
        recipe,
        features.weights,
        analyze.dims(transform),
        analyze.digest(transform, backbone.channels),
    )
