"""Writes the dataset: labels joined to store keys, rejects, and what it is."""

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
from apache_beam import pvalue
from pydantic import JsonValue
from upath import UPath

from beampose.core import __version__, artefacts, json_files, storage, tfrecords
from beampose.core.infos import Chosen, Counts, DatasetInfo, Shard
from beampose.core.names import REJECTS
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.features import kept_frames, label_files, store_writer
from beampose.pipelines.gathered import WriteTogether
from beampose.preprocess import reject_paths
from beampose.preprocess.labels import Labels
from beampose.trainer import schema
from beampose.trainer.dataset import LABELS, MANIFEST, read_labels
from beampose.trainer.feature_store import Index, Part
from beampose.trainer.schema import LabelRecord

LABELS_A_FILE = 65_536
# Lists, while a job runs, the shards that it wrote into the store.
STORED = ".stored.jsonl"
# Images of a split of which one may verify the model.
_FIRST = 5


def count_shards(records: int, pooled: bool) -> int:
    """Files of labels: a power of two, and of crops as many as the store has shards.

    So each needs few of these where it takes embeddings along.
    """
    if pooled:
        return store_writer.count_shards(records, pooled)
    return 1 << max(int(np.ceil(np.log2(max(records / LABELS_A_FILE, 1)))), 0)


class WriteLabels(beam.PTransform):
    """Writes label records in files sorted by name, and their manifest, once `after` is done.

    Args:
      folder: the dataset.
      store: of their features.
      shards: number of files at most, see `count_shards`.
      pooled: whether records carry their embeddings.
      after: what must be done before.
    """

    def __init__(self, folder: str, store: str, shards: int, *, pooled: bool, after: list):
        super().__init__()
        self._step = _WriteLabels(folder, store, shards, pooled)
        self._folder, self._shards, self._after = folder, shards, after

    def expand(self, input_or_inputs):
        waits = [
            pvalue.AsIter(done | f"Wait{i}" >> beam.combiners.Count.Globally())
            for i, done in enumerate(self._after)
        ]
        return (
            input_or_inputs
            | "ByShard" >> beam.Map(_by_shard, self._shards)
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.ParDo(self._step, *waits)
            | "Manifest" >> WriteTogether(functools.partial(_write_manifest, self._folder))
        )


def _by_shard(element: tuple[LabelRecord, str], shards: int) -> tuple[int, LabelRecord]:
    return store_writer.shard_of(element[0].key, shards), element[0]


class _WriteLabels(beam.DoFn):
    def __init__(self, folder: str, store: str, shards: int, pooled: bool):
        self._folder, self._store, self._pooled = folder, store, pooled
        self._shards = shards

    def process(self, element: tuple[int, Iterable[LabelRecord]], *waits) -> Iterator[list]:
        index = Index(self._store, Part(element[0], self._shards))
        # An image lost while embedding has its reject; its label must not point into nothing.
        records = [r for r in element[1] if r.key in index]
        records.sort(key=lambda r: (r.name, r.copy))
        name = f"{LABELS}-{element[0]:05d}-of-{self._shards:05d}.tfrecord"
        with (
            storage.replacing(storage.place(self._folder, name)) as temporary,
            temporary.open("wb") as stream,
        ):
            for record in records:
                embedding = index.read(record.key) if self._pooled else None
                stream.write(tfrecords.framed(schema.label_example(record, embedding)))
        yield [name, len(records)]


def _write_manifest(folder: str, files: list) -> None:
    storage.write_json(storage.place(folder, MANIFEST), {"files": files})


def write_stored(folder: str) -> WriteTogether:
    """Writes the lines of the store's manifest that a job adds into one file; see `stored`."""
    return WriteTogether(functools.partial(_write_stored, folder), _line)


def _write_stored(folder: str, rows: list[dict]) -> None:
    storage.write_text(storage.place(folder, STORED), "".join(f"{_line(row)}\n" for row in rows))


def _line(row: dict) -> str:
    return json.dumps(row, sort_keys=True)


def stored(folder: str) -> list[Shard]:
    """Shards that a job wrote; the file that says so is removed."""
    file = storage.place(folder, STORED)
    found = [Shard(**values) for values in json_files.lines(file.read_text(encoding="utf-8"), file)]
    file.unlink()
    return found


def write_rejects(folder: str) -> WriteTogether:
    """Writes all rejects as JSON lines, sorted, into one file; an empty file if there are none."""
    return WriteTogether(functools.partial(_write_rejects, folder), _place)


def _place(reject: dict) -> tuple:
    return reject["file"], reject["row"], reject["image"], reject["what"]


def _write_rejects(folder: str, rejects: list[dict]) -> None:
    lines = "".join(json.dumps(r) + "\n" for r in rejects)
    storage.write_text(storage.place(folder, REJECTS), lines)


def _source(config: Config) -> dict[str, JsonValue]:
    second = config.split.test_from
    source = {"format": config.source.format, "path": config.source.path}
    return {**source, "test_from": second} if second else {**source}


class Tally:
    """What the records of a dataset are, counted in one pass over their files.

    Attributes:
      images, copies: numbers of records.
      split: images by split.
      digest: of the labels, in the order of their names.
      keys: of the images.
      first: some of the first images, of each split.
    """

    def __init__(self, records: Iterable[LabelRecord]):
        self.images = self.copies = 0
        self.split: Counter[str] = Counter()
        self.keys: list[str] = []
        self.first: list[LabelRecord] = []
        code, begun = hashlib.sha256(b"["), False
        for record in records:
            row = [record.key, record.split, record.label, str(record.keypoints.tolist())]
            code.update(f"{', ' if begun else ''}{json.dumps(row)}".encode())
            begun = True
            self._count(record)
        code.update(b"]")
        self.digest = code.hexdigest()

    def _count(self, record: LabelRecord) -> None:
        if record.copy:
            self.copies += 1
            return
        self.images += 1
        self.keys.append(record.key)
        if self.split[record.split] < _FIRST:
            self.first.append(record)
        self.split[record.split] += 1


def written(folder: str, labels: Labels) -> Tally:
    """The records of a job: every label has one or a reason, whatever runner did the work.

    Raises:
      RuntimeError: some are lost.
    """
    file = storage.place(folder, REJECTS)
    reasons = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    found = Tally(read_labels(folder))
    lost = len(labels.items) - found.images - len(reasons)
    if lost > 0:
        raise RuntimeError(
            f"The runner lost {lost} of {len(labels.items)} labels: it ended well, with neither "
            "features nor a reason for them. Nothing is marked as complete. Run it again with "
            "another --runner, or without one."
        )
    return found


def finish(
    config: Config,
    labels: Labels,
    tally: Tally,
    recipe_id: str,
    seconds: float,
    chosen: dict[str, Chosen],
) -> Counts:
    """Adds what the reader could not use to the rejects, writes the info, marks the dataset whole.

    Args:
      tally: see `written`.
      chosen: what the labels chose of the settings.

    Raises:
      ValueError: more than `source.max_rejects` of the labels cannot be used, or all of them.
    """
    folder = storage.place(config.dataset)
    lines = (folder / REJECTS).read_text(encoding="utf-8")
    rejects = [{"stage": "read", **p._asdict()} for p in labels.problems]
    rejects += json_files.lines(lines, folder / REJECTS)
    roots = reject_paths.roots(config.source.path, config.split.test_from)
    rejects = [reject_paths.relative(one, roots) for one in rejects]
    _write_rejects(config.dataset, sorted(rejects, key=_place))
    lost = len(labels.items) - tally.images
    if not tally.images or lost > config.source.max_rejects * len(labels.items):
        raise ValueError(
            f"{lost} of {counted(len(labels.items), 'labeled image')} cannot be used, which is "
            f"above source.max_rejects ({config.source.max_rejects:g}). {folder / REJECTS} gives "
            "the reasons."
        )
    _drop_former(folder)
    kept_frames.keep_probe(config.dataset, tally.first)
    counts = Counts(
        images=tally.images,
        copies=tally.copies,
        rejected=lost,
        problems=len(rejects),
    )
    info = DatasetInfo(
        made_by=f"beampose {__version__} features",
        task=config.task,
        source=_source(config),
        bodyparts=list(labels.bodyparts),
        individuals=list(labels.individuals),
        unique_bodyparts=list(labels.unique_bodyparts),
        edges=[list(edge) for edge in labels.edges],
        classes=list(labels.classes),
        crop_rule=None if labels.rule is None else labels.rule._asdict(),
        scorer=labels.scorer,
        project=labels.project or storage.place(config.output).name,
        store=recipe_id,
        counts=counts,
        split=dict(sorted(tally.split.items())),
        frames=kept_frames.describe(config.dataset, tally.keys) if config.features.frames else None,
        labels_digest=tally.digest,
        chosen=chosen,
        seconds=round(seconds, 2),
        labels_read=label_files.digest(labels),
    )
    artefacts.complete(folder, info)
    return counts


def _drop_former(folder: UPath) -> None:
    """Takes away label files of a former run that are not in the manifest."""
    listed = {name for name, _ in storage.read_json(folder / MANIFEST, "files")["files"]}
    for name in storage.names(folder) - listed:
        if name.startswith(f"{LABELS}-") and name.endswith(".tfrecord"):
            (folder / name).unlink()
