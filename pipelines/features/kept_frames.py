"""Keeps the encoded image of every label beside the labels: what finetuning learns from."""

import hashlib
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics

from beampose.core import storage
from beampose.pipelines.features import embedding_worker, feature_steps, shard_repair, store_writer
from beampose.preprocess import ahead, images, inside
from beampose.preprocess.labels import Problem
from beampose.trainer import embed, schema
from beampose.trainer.encoded_frames import FRAMES, Frames, probes
from beampose.trainer.feature_store import SUFFIX
from beampose.trainer.schema import LabelRecord

PROBE = "probe"


class KeepFrames(beam.PTransform):
    """Writes the frames of label records that the dataset does not hold yet.

    Copies have none: finetuning makes its own. Gives the rejects.
    """

    def __init__(self, folder: str, shards: int):
        super().__init__()
        self._folder, self._shards = folder, shards

    def expand(self, input_or_inputs):
        return (
            input_or_inputs
            | "MissingFrames" >> beam.ParDo(Missing(self._folder, self._shards))
            | "GroupFrames" >> beam.GroupByKey()
            | "WriteFrames"
            >> beam.ParDo(Write(self._folder, self._shards)).with_outputs(
                feature_steps.REJECTS, main="written"
            )
        )


class Missing(beam.DoFn):
    """References to the images that are not kept yet, by the shard they will stand in."""

    def __init__(self, folder: str, shards: int):
        self._folder, self._shards = folder, shards

    def setup(self):
        self._frames = Frames(self._folder)

    def process(
        self, element: tuple[LabelRecord, str]
    ) -> Iterator[tuple[str, embedding_worker.Pending]]:
        record, digest = element
        if record.copy == 0 and record.key not in self._frames:
            shard = store_writer.shard_of(record.key, self._shards)
            yield f"{shard:05d}", feature_steps.pending(record, digest)


class Write(beam.DoFn):
    """Reads the images of a shard again and writes them; gives rejects."""

    def __init__(self, folder: str, shards: int):
        self._folder, self._shards = folder, shards

    def process(self, element: tuple[str, Iterable[embedding_worker.Pending]]) -> Iterator:
        wanted = sorted(element[1], key=lambda one: one.key)
        keys = "\n".join(one.key for one in wanted)
        digest = hashlib.sha256(keys.encode()).hexdigest()
        name = f"{FRAMES}-{store_writer.shard_name(int(element[0]), self._shards, digest)}{SUFFIX}"
        lost: list[tuple[embedding_worker.Pending, str]] = []
        target = storage.place(self._folder, name)
        written = store_writer.write_records(target, _examples(wanted, lost))
        Metrics.counter("features", "frames").inc(written)
        for one, why in lost:
            problem = Problem("error", one.file, one.row, one.name, f"image {why}")
            yield feature_steps.reject("frames", problem)


def encoded(one: embedding_worker.Pending) -> bytes:
    """The image as a file that the models decode to the labeled pixels.

    That is its file as it is; a PNG of its pixels where TensorFlow reads it otherwise or not at all
    (TIFF, CMYK).

    Raises:
      OSError, ValueError: it cannot be read any more, or changed since it was checked.
    """
    import tensorflow as tf

    data = images.encoded(one.image)
    pixels = images.decode(data)
    if images.digest(pixels) != one.digest:
        raise ValueError("changed while the job ran")
    try:
        same = images.digest(embed.decode(tf.constant(data)).numpy()) == one.digest
    except tf.errors.OpError:
        same = False
    return data if same else images.encode_png(pixels)


def keep_probe(folder: str, records: Iterable[LabelRecord]) -> None:
    """Keeps one image if they lie inside other files, which the trainer cannot open.

    A training verifies the model it exports by an image, see `trainer.encoded_frames.probes`.
    """
    for record in probes(records):
        if inside.parse(record.image_uri) is None or record.key in Frames(folder):
            return
        try:
            data = images.encoded(record.image_uri)
        except (OSError, ValueError):
            continue
        frame = schema.EncodedFrame(record.key, data, record.height, record.width)
        target = storage.place(folder, f"{FRAMES}-{PROBE}{SUFFIX}")
        store_writer.write_records(target, [(record.key, schema.frame_example(frame))])
        return


def describe(folder: str, records: Iterable[LabelRecord]) -> dict[str, int]:
    """Takes away files of which no label needs a frame any more; says what is there.

    Args:
      folder: the dataset.
      records: its labels.
    """
    keys = {r.key for r in records if r.copy == 0}
    for file in storage.whole(folder, f"{FRAMES}-*.json"):
        if not keys & {key for key, _, _ in shard_repair.entry_of(file)["records"]}:
            file.unlink()
            file.with_suffix(SUFFIX).unlink(missing_ok=True)
    frames = Frames(folder)
    kept = [key for key in sorted(keys) if key in frames]
    return {"images": len(kept), "bytes": frames.bytes_of(kept)}


def _examples(wanted: list[embedding_worker.Pending], lost: list) -> Iterator[tuple[str, bytes]]:
    readers = embedding_worker.READERS
    for one, data in ahead.mapped(_try_encoded, wanted, readers, readers):
        if isinstance(data, str):
            lost.append((one, data))
            continue
        frame = schema.EncodedFrame(one.key, data, one.height, one.width)
        yield one.key, schema.frame_example(frame)


def _try_encoded(one: embedding_worker.Pending) -> bytes | str:
    try:
        return encoded(one)
    except (OSError, ValueError) as error:
        return str(error)
