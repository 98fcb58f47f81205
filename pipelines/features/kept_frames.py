"""Keeps the encoded image of every label beside the labels: what finetuning learns from."""

import hashlib
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.utils import shared

from beampose.core import storage
from beampose.core.answering import Unanswered
from beampose.pipelines.features import embedding_worker, feature_steps, shard_repair, store_writer
from beampose.preprocess import ahead, images, inside
from beampose.preprocess.labels import Problem
from beampose.trainer import embed, schema
from beampose.trainer.encoded_frames import FRAMES, Frames, probes
from beampose.trainer.feature_store import SUFFIX, Part
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
            | "FramesByShard" >> beam.FlatMap(_by_shard, self._shards)
            | "GroupFrames" >> beam.GroupByKey()
            | "WriteFrames"
            >> beam.ParDo(Write(self._folder, self._shards)).with_outputs(
                feature_steps.REJECTS, main="written"
            )
        )


def _by_shard(
    element: tuple[LabelRecord, str], shards: int
) -> Iterator[tuple[int, embedding_worker.Pending]]:
    """References to images, by the shard they stand in."""
    record, digest = element
    if record.copy == 0:
        yield store_writer.shard_of(record.key, shards), feature_steps.pending(record, digest)


class Write(beam.DoFn):
    """Reads the images of a shard that are not kept yet and writes them; gives rejects."""

    def __init__(self, folder: str, shards: int):
        self._folder, self._shards = folder, shards
        self._shared = shared.Shared()

    def process(self, element: tuple[int, Iterable[embedding_worker.Pending]]) -> Iterator:
        names = feature_steps.listing(self._shared, self._folder)
        kept = Frames(self._folder, Part(element[0], self._shards), names)
        wanted = sorted((one for one in element[1] if one.key not in kept), key=lambda one: one.key)
        if not wanted:
            return
        keys = "\n".join(one.key for one in wanted)
        digest = hashlib.sha256(keys.encode()).hexdigest()
        name = f"{FRAMES}-{store_writer.shard_name(element[0], self._shards, digest)}{SUFFIX}"
        lost: list[tuple[embedding_worker.Pending, str]] = []
        target = storage.place(self._folder, name)
        written = store_writer.write_records(target, _examples(wanted, lost)).records
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
        except Unanswered:
            raise
        except (OSError, ValueError):
            continue
        frame = schema.EncodedFrame(record.key, data, record.height, record.width)
        target = storage.place(folder, f"{FRAMES}-{PROBE}{SUFFIX}")
        store_writer.write_records(target, [(record.key, schema.frame_example(frame))])
        return


def describe(folder: str, wanted: Iterable[str]) -> dict[str, int]:
    """Takes away files of which no label needs a frame any more; says what is there.

    Args:
      folder: the dataset.
      wanted: keys of its images.
    """
    keys = set(wanted)
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
    except Unanswered:
        raise
    except (OSError, ValueError) as error:
        return str(error)
