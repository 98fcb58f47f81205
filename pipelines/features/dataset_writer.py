"""Writes the dataset: labels joined to store keys, rejects, and what it is."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam import pvalue
from pydantic import JsonValue

from beampose.core import __version__, json_files, storage, tfrecords
from beampose.core.infos import Chosen, Counts, DatasetInfo
from beampose.core.names import REJECTS
from beampose.core.settings.experiment import Config
from beampose.pipelines.features import kept_frames
from beampose.preprocess.labels import Labels
from beampose.trainer import schema
from beampose.trainer.dataset import LABELS, read_labels
from beampose.trainer.feature_store import Index
from beampose.trainer.schema import LabelRecord


class WriteLabels(beam.PTransform):
    """Writes label records, sorted by name, once everything in `after` is done."""

    def __init__(self, folder: str, store: str, *, pooled: bool, after: list):
        super().__init__()
        self._folder, self._store, self._pooled, self._after = folder, store, pooled, after

    def expand(self, input_or_inputs):
        waits = [
            pvalue.AsIter(done | f"Wait{i}" >> beam.combiners.Count.Globally())
            for i, done in enumerate(self._after)
        ]
        return (
            input_or_inputs
            | "ToOneFile" >> beam.Map(lambda element: ("labels", element[0]))
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.ParDo(_WriteLabels(self._folder, self._store, self._pooled), *waits)
        )


class _WriteLabels(beam.DoFn):
    def __init__(self, folder: str, store: str, pooled: bool):
        self._folder, self._store, self._pooled = folder, store, pooled

    def process(self, element: tuple[str, Iterable[LabelRecord]], *waits) -> Iterator[int]:
        index = Index(self._store)
        # An image lost while embedding has its reject; its label must not point into nothing.
        records = [r for r in element[1] if r.key in index]
        records.sort(key=lambda r: (r.name, r.copy))
        target = storage.place(self._folder, f"{LABELS}-00000-of-00001.tfrecord")
        with (
            storage.replacing(target) as temporary,
            temporary.open("wb") as stream,
        ):
            for record in records:
                embedding = index.read(record.key) if self._pooled else None
                stream.write(tfrecords.framed(schema.label_example(record, embedding)))
        yield len(records)


class WriteRejects(beam.PTransform):
    """Writes all rejects as JSON lines, sorted, into one file; an empty file if there are none."""

    def __init__(self, folder: str):
        super().__init__()
        self._folder = folder

    def expand(self, input_or_inputs):
        return (
            input_or_inputs
            | "Gather" >> beam.CombineGlobally(_sorted_rejects)
            | "Write" >> beam.Map(_write_rejects, self._folder)
        )


def _sorted_rejects(groups: Iterable) -> list[dict]:
    found: list[dict] = []
    for group in groups:
        found += group if isinstance(group, list) else [group]
    return sorted(found, key=lambda r: (r["file"], r["row"], r["image"], r["what"]))


def _write_rejects(rejects: list[dict], folder: str) -> int:
    lines = "".join(json.dumps(r) + "\n" for r in rejects)
    storage.write_text(storage.place(folder, REJECTS), lines)
    return len(rejects)


def _source(config: Config) -> dict[str, JsonValue]:
    second = config.split.test_from
    source = {"format": config.source.format, "path": config.source.path}
    return {**source, "test_from": second} if second else {**source}


def written(folder: str, labels: Labels) -> list[LabelRecord]:
    """The records of a job: every label has one or a reason, whatever runner did the work.

    Raises:
      RuntimeError: some are lost.
    """
    file = storage.place(folder, REJECTS)
    reasons = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    records = list(read_labels(folder))
    originals = sum(r.copy == 0 for r in records)
    lost = len(labels.items) - originals - len(reasons)
    if lost > 0:
        raise RuntimeError(
            f"The runner lost {lost} of {len(labels.items)} labels: it ended well, with neither "
            "features nor a reason for them. Nothing is marked as complete. Run it again with "
            "another --runner, or without one."
        )
    return records


def finish(
    config: Config,
    labels: Labels,
    records: Sequence[LabelRecord],
    recipe_id: str,
    seconds: float,
    chosen: dict[str, Chosen],
) -> Counts:
    """Adds what the reader could not use to the rejects, writes the info, marks the dataset whole.

    Args:
      records: see `written`.
      chosen: what the labels chose of the settings.

    Raises:
      ValueError: more than `source.max_rejects` of the labels cannot be used, or all of them.
    """
    folder = storage.place(config.dataset)
    lines = (folder / REJECTS).read_text(encoding="utf-8")
    rejects = [{"stage": "read", **p._asdict()} for p in labels.problems]
    rejects += json_files.lines(lines, folder / REJECTS)
    _write_rejects(_sorted_rejects(rejects), config.dataset)
    originals = [r for r in records if r.copy == 0]
    lost = len(labels.items) - len(originals)
    if not originals or lost > config.source.max_rejects * len(labels.items):
        raise ValueError(
            f"{lost} of {len(labels.items)} labeled images cannot be used, which is above "
            f"source.max_rejects ({config.source.max_rejects:g}). {folder / REJECTS} gives "
            "the reasons."
        )
    kept_frames.keep_probe(config.dataset, records)
    counts = Counts(
        images=len(originals),
        copies=len(records) - len(originals),
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
        split=dict(sorted(Counter(r.split for r in originals).items())),
        frames=kept_frames.describe(config.dataset, records) if config.features.frames else None,
        labels_digest=storage.digest(
            [[r.key, r.split, r.label, str(r.keypoints.tolist())] for r in records]
        ),
        chosen=chosen,
        seconds=round(seconds, 2),
    )
    storage.complete(folder, info)
    return counts
