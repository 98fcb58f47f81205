"""The steps of the feature job, one DoFn each."""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam import pvalue
from apache_beam.metrics import Metrics
from apache_beam.utils import shared

from beampose.core import storage
from beampose.pipelines.features import embedding_worker, store_writer
from beampose.preprocess import ahead, transform, validate
from beampose.preprocess.labels import TRAIN, LabeledCrop, LabeledFrame, Problem
from beampose.preprocess.transform import Ranges, Window
from beampose.preprocess.validate import Inspection
from beampose.trainer import devices
from beampose.trainer.feature_store import SHARDS, Index, Part
from beampose.trainer.schema import LabelRecord

REJECTS = "rejects"


class Job(NamedTuple):
    """Settings that all steps share.

    `window` is the side in pixels of what copies show, 0: all; `gpus` are those that a worker of
    the network is ordered with.
    """

    spec: embedding_worker.ModelSpec
    store: str
    recipe_id: str
    transform_digest: str
    bodyparts: tuple[str, ...]
    ranges: Ranges
    copies: int
    batch_size: int
    shards: int
    label_shards: int = 1
    window: int = 0
    gpus: int = 0


def reject(stage: str, problem: Problem) -> pvalue.TaggedOutput:
    """A line for rejects.jsonl."""
    Metrics.counter("features", f"rejected_{stage}").inc()
    return pvalue.TaggedOutput(REJECTS, {"stage": stage, **problem._asdict()})


def hinted(step: beam.ParDo, hints: dict[str, str] | None) -> beam.ParDo:
    """A step whose workers have some resources."""
    step.with_resource_hints(**(hints or {}))
    return step


def pending(record: LabelRecord, digest: str) -> embedding_worker.Pending:
    """Pending image of a record, for the step that reads pixels again; `digest` is the image's."""
    return embedding_worker.Pending(
        key=record.key,
        image=record.image_uri,
        name=record.name,
        file=record.file,
        row=record.row,
        digest=digest,
        copy=record.copy,
        height=record.height,
        width=record.width,
        window=Window(*record.window) if record.window else None,
    )


class Check(beam.DoFn):
    """Decodes and checks some images; gives (digest of its pixels, (inspection, split)) of each."""

    def __init__(self, job: Job):
        self._bodyparts = job.bodyparts

    def process(self, element: Sequence[tuple[LabeledFrame | LabeledCrop, str]]) -> Iterator:
        read = ahead.mapped(self._inspect, element, len(element), embedding_worker.READERS)
        for (_, split), inspection in read:
            for problem in inspection.problems:
                yield reject("check", problem)
            if inspection.digest:
                Metrics.counter("features", "checked").inc()
                yield inspection.digest, (inspection, split)

    def _inspect(self, element: tuple[LabeledFrame | LabeledCrop, str]) -> Inspection:
        inspection, pixels = validate.inspect(element[0], self._bodyparts)
        if pixels is not None:
            embedding_worker.RECENT.put(inspection.digest, pixels)
        return inspection


class KeepOne(beam.DoFn):
    """Of the items with one digest, keeps one; the others are rejects."""

    def process(self, element: tuple[str, Iterable[tuple[Inspection, str]]]) -> Iterator:
        found = list(element[1])
        kept, kept_split = found[validate.choose([inspection for inspection, _ in found])]
        for inspection, split in found:
            if inspection is kept:
                yield inspection, split
            else:
                problem = validate.duplicate_problem(inspection, kept, split, kept_split)
                yield reject("duplicate", problem)


class Records(beam.DoFn):
    """An image to the label records of itself and, in training, its augmented copies."""

    def __init__(self, job: Job):
        self._job = job

    def process(self, element: tuple[Inspection, str]) -> Iterator[tuple[LabelRecord, str]]:
        inspection, split = element
        for copy in range(1 + (self._job.copies if split == TRAIN else 0)):
            yield self._record(inspection, split, copy), inspection.digest

    def _record(self, inspection: Inspection, split: str, copy: int) -> LabelRecord:
        job, item = self._job, inspection.item
        height, width = inspection.height, inspection.width
        frame = isinstance(item, LabeledFrame)
        keypoints = item.keypoints if frame else np.empty((0, 0, 2))
        augmentation, window = store_writer.ORIGINAL, None
        if copy:
            window = transform.animal(keypoints, copy, job.window, height, width)
            augmentation = f"{copy}:{tuple(job.ranges)}" + (f":{tuple(window)}" if window else "")
            seen = window or transform.whole(height, width)
            change = embedding_worker.draw(inspection.digest, copy, job.ranges, seen)
            keypoints = transform.move(change, keypoints)
            height, width = change.height, change.width
        return LabelRecord(
            key=store_writer.key(
                inspection.digest, job.recipe_id, job.transform_digest, augmentation
            ),
            name=item.name,
            image_uri=item.image,
            video=item.video,
            file=item.file,
            row=item.row,
            split=split,
            height=height,
            width=width,
            copy=copy,
            keypoints=keypoints,
            label=-1 if frame else item.label,  # pyright: ignore[reportAttributeAccessIssue]
            window=tuple(window or ()),
        )


class _Names:
    """Names of what a folder held when a process began to work on a job."""

    def __init__(self, folder: str):
        self.names = storage.names(folder)


def listing(handle: shared.Shared, folder: str) -> set[str]:
    """Names of what a folder holds, listed once by a process of a job."""
    return handle.acquire(functools.partial(_Names, folder), tag=folder).names


def by_shard(element: tuple[LabelRecord, str], shards: int) -> tuple[int, embedding_worker.Pending]:
    """A reference to an image, by the shard its features belong to."""
    record, digest = element
    return store_writer.shard_of(record.key, shards), pending(record, digest)


class Missing(beam.DoFn):
    """Of the images of a shard, those that the store does not hold yet."""

    def __init__(self, job: Job):
        self._job = job
        self._shared = shared.Shared()

    def process(
        self, element: tuple[int, Iterable[embedding_worker.Pending]]
    ) -> Iterator[tuple[int, list[embedding_worker.Pending]]]:
        names = listing(self._shared, str(storage.place(self._job.store, SHARDS)))
        index = Index(self._job.store, Part(element[0], self._job.shards), names)
        found = list(element[1])
        missing = [one for one in found if one.key not in index]
        Metrics.counter("features", "kept").inc(len(found) - len(missing))
        if missing:
            yield element[0], missing


class Embed(beam.DoFn):
    """Embeds the images of a shard and writes it; gives the line of the store's manifest."""

    def __init__(self, job: Job):
        self._job = job
        self._shared = shared.Shared()

    def setup(self):
        devices.require(self._job.gpus)
        model = embedding_worker.acquire(self._shared, self._job.spec)
        self._work = embedding_worker.steps(model, self._job.spec)

    def process(self, element: tuple[int, list[embedding_worker.Pending]]) -> Iterator:
        job, pending = self._job, element[1]
        keys = "\n".join(sorted(one.key for one in pending))
        lost: list[tuple[embedding_worker.Pending, str]] = []
        size = embedding_worker.batch_size(job.spec, job.batch_size)
        written = store_writer.write_shard(
            job.store,
            element[0],
            job.shards,
            embedding_worker.embed(self._work, pending, job.ranges, size, lost),
            hashlib.sha256(keys.encode()).hexdigest(),
        )
        Metrics.counter("features", "embedded").inc(written.records)
        for one, why in lost:
            problem = Problem("error", one.file, one.row, one.name, f"image {why}")
            yield reject("embed", problem)
        yield written.plain()
