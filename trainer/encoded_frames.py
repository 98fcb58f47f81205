"""The encoded images of a dataset's labels by key, and what a model answers to them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from beampose.core import storage
from beampose.trainer import embed, feature_store, schema
from beampose.trainer.schema import EncodedFrame, LabelRecord

# What names the files of frames beside the labels.
FRAMES = "frames"


class Frames(feature_store.Records[EncodedFrame]):
    """The frames that the feature job kept.

    Args:
      folder: the dataset.
      part, there: see `Records`.
    """

    def __init__(
        self,
        folder: str,
        part: feature_store.Part | None = None,
        there: Collection[str] | None = None,
    ):
        super().__init__(folder, f"{FRAMES}-*.json", _parse, part, there)

    def encoded(self, record: LabelRecord) -> bytes:
        """The image file of a record: as it was kept, or else from where it lies.

        Raises:
          OSError: it was not kept and cannot be read.
        """
        if record.key in self:
            return self.read(record.key).image
        return storage.place(record.image_uri).read_bytes()

    def pixels(self, record: LabelRecord) -> np.ndarray:
        """uint8 (height, width, 3).

        Raises:
          OSError: see `encoded`.
          ValueError: TensorFlow cannot decode it, or it is not the labeled image any more.
        """
        try:
            found = embed.decode(tf.constant(self.encoded(record))).numpy()
        except tf.errors.OpError as error:
            raise ValueError(f"{record.image_uri} cannot be decoded: {error}") from error
        if found.shape[:2] != (record.height, record.width):
            raise ValueError(
                f"{record.image_uri} has {found.shape[1]}x{found.shape[0]} pixels, its labels "
                f"belong to {record.width}x{record.height}. Run `beampose features` again."
            )
        return found


def probes(records: Iterable[LabelRecord]) -> list[LabelRecord]:
    """Images by which an exported model is verified: the first held-out ones that can be read."""
    originals = sorted((r for r in records if r.copy == 0), key=lambda r: r.name)
    return ([r for r in originals if r.split == "test"] or originals)[:5]


def answers(
    model: Callable,
    frames: Frames,
    records: Sequence[LabelRecord],
    batch_size: int,
    read: Callable[[dict[str, np.ndarray]], np.ndarray],
) -> np.ndarray:
    """Runs a model on whole images.

    Args:
      model: uint8 (batch, height, width, 3) to outputs by name, as `frames` of an exported model.
      read: what is wanted of the outputs of a batch, as `judging.Judge.read`.

    Returns:
      What `read` gives, of all images.
    """
    found = []
    for alike in _of_one_size(records, batch_size):
        given = model(tf.constant(np.stack([frames.pixels(r) for r in alike])))
        found.append(read({name: value.numpy() for name, value in given.items()}))
    return np.concatenate(found)


def _of_one_size(
    records: Sequence[LabelRecord], batch_size: int
) -> Iterator[Sequence[LabelRecord]]:
    """Neighbours that have one size, in order."""
    start = 0
    for i in range(1, len(records) + 1):
        ends = i == len(records) or i - start == batch_size
        if ends or _size(records[i]) != _size(records[start]):
            yield records[start:i]
            start = i


def _parse(serialized: bytes) -> tuple[str, EncodedFrame]:
    frame = schema.parse_frame(serialized)
    return frame.key, frame


def _size(record: LabelRecord) -> tuple[int, int]:
    return record.height, record.width
