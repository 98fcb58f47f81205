"""Labeled images to a store of features and a dataset of labels; this file only wires."""

import dataclasses
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from beampose.core import artefacts, files, folder_lock, storage
from beampose.core.answering import Unanswered
from beampose.core.files import join
from beampose.core.infos import Chosen, Recipe, Shard
from beampose.core.infos.dataset_info import INT8, worth_telling
from beampose.core.names import LITE
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines import beam_options, beam_runner, inputs, item_files, item_source
from beampose.pipelines.features import (
    analyze,
    dataset_writer,
    embedding_worker,
    feature_recipe,
    feature_steps,
    kept_frames,
    label_files,
    labeled_source,
    quantization,
    shard_repair,
    store_writer,
)
from beampose.pipelines.outcome import Outcome
from beampose.preprocess.labels import TRAIN, Labels
from beampose.trainer import embed, schema
from beampose.trainer.dataset import read_labels
from beampose.trainer.encoded_frames import FRAMES
from beampose.trainer.feature_store import SHARDS, Index

LOG = logging.getLogger(__name__)
# Labels that travel together to be checked: enough to keep a worker's reading threads busy.
CHECKED_TOGETHER = 32
# Lines on labels that a run begins with; all are in its rejects.
NOTES = 10
# Where the labels of a job wait for its workers, in the dataset.
WAITING = ".labels"


@dataclasses.dataclass(frozen=True, repr=False)
class Summary(Outcome):
    """Summary of a run.

    Attributes:
      images: labeled images that are used.
      embedded: images and copies that were not in the store before.
      rejected: labeled images that could not be used.
      problems: lines of rejects.jsonl in the dataset.
      counters: the job's own, by name.
      dataset: its folder.
      chosen: by setting, what the labels chose.
      repaired: what was damaged before and was made again, human-readable.
    """

    images: int
    embedded: int
    rejected: int
    problems: int
    seconds: float
    counters: dict[str, int]
    dataset: str
    chosen: dict[str, Chosen] = dataclasses.field(default_factory=dict)
    repaired: Sequence[str] = ()

    def lines(self) -> Iterator[str]:
        for line in self.repaired:
            yield f"features: {line}; made again"
        if told := worth_telling(self.chosen):
            each = (f"{key} {one.value:g} ({one.why})" for key, one in told.items())
            yield f"chosen by the labels: {', '.join(each)}"
        yield (
            f"features: {counted(self.images, 'labeled image')}, {self.embedded} embedded, "
            f"{self.rejected} rejected, {self.seconds:.0f} s. {self.dataset}"
        )
        if self.problems:
            yield f"{counted(self.problems, 'problem')}, one per line: {self.dataset}/rejects.jsonl"


def run(config: Config, beam_words: Sequence[str] = ()) -> Summary:
    """Fills the store with what it lacks and writes the dataset.

    Raises:
      OSError, ValueError: the source or the backbone cannot be used, or too much was rejected.
    """
    began = time.perf_counter()
    options = beam_options.parse(beam_words)
    beam_options.check_reachable(options, config.output, "The output")
    storage.check_writable(config.dataset, config.store)
    labels, splits = labeled_source.read_to_learn(config)
    contents = labeled_source.contents(labels)
    notes = labeled_source.notes(labels)
    for note in notes[:NOTES]:
        LOG.warning("%s: %s", note.file, f"{files.name(note.image)} {note.what}".strip())
    if len(notes) > NOTES:
        LOG.warning("%d more kinds of problems: `beampose check` lists all.", len(notes) - NOTES)
    config, chosen, _ = feature_recipe.choose(config, labels, splits)
    with folder_lock.experiment(config.output):
        made = _fill(config, labels, splits, options)
        embedded = sum(shard.records for shard in made.stored)
        for line in labeled_source.edited(contents):
            LOG.warning("%s", line)
        seconds = time.perf_counter() - began
        counts = dataset_writer.finish(config, labels, made.tally, made.recipe_id, seconds, chosen)
    return Summary(
        counts.images,
        embedded,
        counts.rejected,
        counts.problems,
        seconds,
        made.counters,
        config.dataset,
        chosen,
        made.repaired,
    )


class _Made(NamedTuple):
    """What a job did: shards that it wrote, its records, and what it repaired and counted."""

    stored: list[Shard]
    tally: dataset_writer.Tally
    recipe_id: str
    repaired: list[str]
    counters: dict[str, int]


def _fill(config: Config, labels: Labels, splits: list[str], options: PipelineOptions) -> _Made:
    """Runs the job on labels, and describes the store it filled."""
    target = open_store(config, labels, splits)
    repaired = [str(one) for one in _mend(config, target)]
    artefacts.begin(config.dataset)
    if not beam_options.shares_disk(options):
        images = inputs.put_images(labels.items, join(config.output, "images"))
        labels = dataclasses.replace(labels, items=images)
    records = len(labels.items) * (1 + config.copies)
    hints = beam_options.NetworkOptions.hints(options)
    job = feature_steps.Job(
        spec=embedding_worker.store_spec(config, join(target.folder, embed.TRANSFORM)),
        store=target.folder,
        recipe_id=target.recipe_id,
        transform_digest=target.transform_digest,
        bodyparts=labels.bodyparts,
        ranges=embedding_worker.ranges(config),
        copies=config.copies,
        batch_size=config.features.batch_size,
        shards=store_writer.count_shards(records, config.kind.pooled),
        label_shards=dataset_writer.count_shards(records, config.kind.pooled),
        window=round(config.window / config.scale),
        gpus=beam_options.gpus(hints),
    )
    keep = None
    if config.features.frames:
        shards = store_writer.count_shards(len(labels.items), config.kind.pooled)
        keep = kept_frames.KeepFrames(config.dataset, shards)
    pipeline = beam.Pipeline(options=options)
    items = list(zip(labels.items, splits, strict=True))
    waiting = join(config.dataset, WAITING)
    addresses = item_files.write(items, waiting, label_files.plain)
    build(pipeline, addresses, job, config.dataset, keep=keep, hints=hints)
    counters = beam_runner.finish(pipeline, "features")
    storage.remove(waiting)
    tally = dataset_writer.written(config.dataset, labels)
    stored = dataset_writer.stored(config.dataset)
    target.describe(stored)
    store_writer.register(target.folder, config.dataset)
    return _Made(stored, tally, target.recipe_id, repaired, counters)


def build(
    pipeline: beam.Pipeline,
    addresses: Sequence[str],
    job: feature_steps.Job,
    folder: str,
    *,
    keep: kept_frames.KeepFrames | None = None,
    hints: dict[str, str] | None = None,
) -> None:
    """Wires the steps; references travel, pixels stay inside a step.

    Args:
      addresses: files of the labels, see `label_files`.
      keep: the step that writes encoded frames, if they are asked for.
      hints: resources of the step that runs the network.
    """
    checked = (
        pipeline
        | "Labels" >> item_source.Read(addresses, label_files.item, CHECKED_TOGETHER)
        | "Check"
        >> beam.ParDo(feature_steps.Check(job)).with_outputs(feature_steps.REJECTS, main="usable")
    )
    kept = (
        checked.usable
        | "GroupByPixels" >> beam.GroupByKey()
        | "KeepOne"
        >> beam.ParDo(feature_steps.KeepOne()).with_outputs(feature_steps.REJECTS, main="kept")
    )
    records = kept.kept | "Records" >> beam.ParDo(feature_steps.Records(job))
    stored = (
        records
        | "ByShard" >> beam.Map(feature_steps.by_shard, job.shards)
        | "GroupByShard" >> beam.GroupByKey()
        | "Missing" >> beam.ParDo(feature_steps.Missing(job))
        | "Embed"
        >> feature_steps.hinted(beam.ParDo(feature_steps.Embed(job)), hints).with_outputs(
            feature_steps.REJECTS, main="stored"
        )
    )
    rejected = [
        checked[feature_steps.REJECTS],
        kept[feature_steps.REJECTS],
        stored[feature_steps.REJECTS],
    ]
    if keep is not None:
        written = records | "KeepFrames" >> keep
        rejected.append(written[feature_steps.REJECTS])
    rejects = (
        rejected
        | "Rejects" >> beam.Flatten()
        | "WriteRejects" >> dataset_writer.write_rejects(folder)
    )
    listed = stored.stored | "Stored" >> dataset_writer.write_stored(folder)
    _ = records | "WriteLabels" >> dataset_writer.WriteLabels(
        folder, job.store, job.label_shards, pooled=job.spec.pooled, after=[listed, rejects]
    )


class Target(NamedTuple):
    """The store of a recipe, with its transform in place."""

    folder: str
    recipe_id: str
    recipe: Recipe
    weights: str
    dims: int
    transform_digest: str

    def describe(self, stored: Sequence[Shard]) -> None:
        store_writer.describe(
            self.folder,
            recipe=self.recipe,
            weights=self.weights,
            dims=self.dims,
            transform_digest=self.transform_digest,
            stored=stored,
        )


def open_store(config: Config, labels: Labels, splits: list[str]) -> Target:
    """Finds the store of the config's recipe, or makes it: its transform is learned once.

    It is learned in this process whatever the runner: a bounded sample takes seconds here, and a
    job on other machines minutes to begin.
    """
    backbone = embedding_worker.network(config)
    recipe = embedding_worker.recipe(config, backbone)
    recipe_id = embed.recipe_id(recipe)
    folder = join(config.store, recipe_id)
    transform = join(folder, embed.TRANSFORM)
    if not embed.exists(transform):
        training = [item for item, s in zip(labels.items, splits, strict=True) if s == TRAIN]
        if not training:
            raise ValueError("The training split is empty. Lower split.test or add labels.")
        with tempfile.TemporaryDirectory() as learned:
            _learn(config, analyze.sample(training, backbone.pooled), backbone, learned)
            artefacts.begin(folder)
            store_writer.adopt_transform(folder, learned)
    try:
        dims, digest = analyze.dims(transform), analyze.digest(transform, backbone.channels)
    except Unanswered:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{transform} is damaged, and all features of {folder} depend on it: delete {folder} "
            f"and run `beampose features` again ({str(error).splitlines()[0]})."
        ) from None
    return Target(folder, recipe_id, recipe, config.weights, dims, digest)


def _learn(config: Config, sample: list, backbone, folder: str) -> None:
    """Learns a store's transform, and first writes the backbone as LiteRT reads it.

    Args:
      folder: will hold both.
    """
    lite = None
    if config.features.precision == INT8:
        content = quantization.of_sample(config, sample, backbone)
    else:
        content = backbone.lite_file()
    if content is not None:
        lite = join(folder, LITE)
        storage.write_bytes(lite, content)
    analyze.analyze(
        sample,
        embedding_worker.model_spec(config, None, lite),
        pca=config.pca,
        channels=backbone.channels,
        options=beam_options.parse([]),
        folder=folder,
    )


def _mend(config: Config, target: Target) -> Iterator[shard_repair.Damage]:
    """Takes out of the store, and of the frames kept, what is damaged of this dataset's."""
    shards = storage.whole(join(target.folder, SHARDS), "*.json")
    try:
        keys = {record.key for record in read_labels(config.dataset)}
    except ValueError:
        # A damaged label file does not tell what is needed: everything is looked at.
        keys = set(Index(target.folder).keys())
    features = shard_repair.check(
        schema.parse_features, dims=target.dims, pooled=target.recipe.pooled
    )
    frames = shard_repair.check(lambda data: (schema.parse_frame(data).key, None))
    yield from shard_repair.mend(shards, features, keys)
    kept = storage.whole(config.dataset, f"{FRAMES}-*.json")
    yield from shard_repair.mend(kept, frames, keys)
