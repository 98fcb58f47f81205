"""The encoded images of a dataset's labels by key, and what a model answers to them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from trainer import artefacts, embed, schema, store
from trainer.schema import EncodedFrame, LabelRecord

# What names the files of frames beside the labels.
FRAMES = "frames"


class Frames(store.Records[EncodedFrame]):
    """The frames that the feature job kept.

    Args:
      folder: the dataset.
    """

    def __init__(self, folder: str):
        super().__init__(folder, f"{FRAMES}-*.json", _parse)

    def encoded(self, record: LabelRecord) -> bytes:
        """The image file of a record: as it was kept, or else from where it lies.

        Raises:
          OSError: it was not kept and cannot be read.
        """
        if record.key in self:
            return self.read(record.key).image
        return artefacts.place(record.image_uri).read_bytes()

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


def answers(
    model: Callable, frames: Frames, records: Sequence[LabelRecord], batch_size: int
) -> np.ndarray:
    """What a model says of whole images.

    Args:
      model: uint8 (batch, height, width, 3) to what `PoseModel.frames` or `CropModel.frames` gives.

    Returns:
      float32 (images, bodyparts, 3) x, y in source pixels, likelihood; or (images, classes) scores.
    """
    found = []
    for alike in _of_one_size(records, batch_size):
        given = model(tf.constant(np.stack([frames.pixels(r) for r in alike])))
        if "scores" in given:
            found.append(given["scores"].numpy())
            continue
        likelihood = given["likelihood"].numpy()[:, 0, :, None]
        found.append(np.concatenate([given["keypoints"].numpy()[:, 0], likelihood], axis=-1))
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
