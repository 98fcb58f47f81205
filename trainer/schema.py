"""The records: features and frames by key, and labels. The one place that knows their fields."""

from typing import NamedTuple

import ml_dtypes
import numpy as np

from beampose.core import tfrecords

DTYPE = "bfloat16"


class LabelRecord(NamedTuple):
    """A labeled image of a dataset and where its features are.

    Attributes:
      key: of its features in the store.
      name, image_uri, video, file, row: where it comes from.
      split: train or test.
      height, width: pixels of the source image, or of the window that a copy shows.
      copy: 0 for the image itself, 1.. for its augmented copies.
      keypoints: float64 (individuals, bodyparts, 2), x then y, source pixels, NaN = not labeled;
        of a copy, pixels of the copy. Empty for crops.
      label: class index of a crop, -1 for frames.
      window: left, top, width and height of the part of the source image that a copy shows; empty:
        all of it.
    """

    key: str
    name: str
    image_uri: str
    video: str
    file: str
    row: int
    split: str
    height: int
    width: int
    copy: int
    keypoints: np.ndarray
    label: int
    window: tuple[int, ...] = ()


class EncodedFrame(NamedTuple):
    """A labeled image as a file holds it.

    Attributes:
      key: of its features in the store, as in its `LabelRecord`.
      image: JPEG, PNG or BMP, which `embed.decode` turns into the labeled pixels.
      height, width: pixels.
    """

    key: str
    image: bytes
    height: int
    width: int


def feature_example(key: str, features: np.ndarray) -> bytes:
    """Serializes features (any shape) as bfloat16 bytes with shape and dtype beside them."""
    raw = np.ascontiguousarray(features, dtype=ml_dtypes.bfloat16)
    return tfrecords.example(
        {
            "key": key,
            "features/raw": raw.tobytes(),
            "features/shape": list(raw.shape),
            "features/dtype": DTYPE,
        }
    )


def parse_features(serialized: bytes) -> tuple[str, np.ndarray]:
    """The key and the bfloat16 array of what `feature_example` wrote.

    Raises:
      ValueError: not such a record, or its bytes do not fit its shape.
    """
    fields = tfrecords.fields(serialized)
    try:
        shape = tuple(fields["features/shape"].int64_list.value)
        raw = fields["features/raw"].bytes_list.value[0]
        dtype = fields["features/dtype"].bytes_list.value[0].decode()
        key = fields["key"].bytes_list.value[0].decode()
    except (KeyError, IndexError) as error:
        raise ValueError(f"not a feature record: {error} is missing") from None
    if dtype != DTYPE or len(raw) != 2 * int(np.prod(shape)):
        raise ValueError(f"{len(raw)} bytes of {dtype} do not fit shape {shape}")
    return key, np.frombuffer(raw, ml_dtypes.bfloat16).reshape(shape)


def label_example(record: LabelRecord, embedding: np.ndarray | None = None) -> bytes:
    """Serializes a label. Crop records carry DeepMeerkat's `image_uri`, `label` and `embedding`."""
    values = record._asdict()
    keypoints = values.pop("keypoints")
    values["keypoints"] = [float(v) for v in keypoints.ravel()]
    values["keypoints/shape"] = list(keypoints.shape)
    values["window"] = list(record.window)
    for name, lacks in (("label", record.label < 0), ("window", not record.window)):
        if lacks:
            del values[name]
    if embedding is not None:
        values["embedding"] = [float(v) for v in embedding.ravel()]
    return tfrecords.example(values)


def parse_label(serialized: bytes) -> LabelRecord:
    """Reads what `label_example` wrote, without the embedding."""
    fields = tfrecords.fields(serialized)

    def text(name: str) -> str:
        return fields[name].bytes_list.value[0].decode()

    def number(name: str) -> int:
        return int(fields[name].int64_list.value[0])

    shape = tuple(fields["keypoints/shape"].int64_list.value)
    return LabelRecord(
        key=text("key"),
        name=text("name"),
        image_uri=text("image_uri"),
        video=text("video"),
        file=text("file"),
        split=text("split"),
        row=number("row"),
        height=number("height"),
        width=number("width"),
        copy=number("copy"),
        keypoints=np.array(fields["keypoints"].float_list.value, np.float64).reshape(shape),
        label=number("label") if "label" in fields else -1,
        window=tuple(fields["window"].int64_list.value) if "window" in fields else (),
    )


def frame_example(frame: EncodedFrame) -> bytes:
    """Serializes an encoded image."""
    return tfrecords.example(frame._asdict())


def parse_frame(serialized: bytes) -> EncodedFrame:
    """Reads what `frame_example` wrote.

    Raises:
      ValueError: not such a record.
    """
    fields = tfrecords.fields(serialized)
    try:
        return EncodedFrame(
            key=fields["key"].bytes_list.value[0].decode(),
            image=fields["image"].bytes_list.value[0],
            height=int(fields["height"].int64_list.value[0]),
            width=int(fields["width"].int64_list.value[0]),
        )
    except (KeyError, IndexError):
        raise ValueError("not a frame record: a field is missing") from None
