"""Detections of a video as a table: what a crop model said about every box."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beampose.core import storage

NEGATIVE = "negative"
# A box of a file: frame, x, y, width, height, score, category.
BoxRow = tuple[int, float, float, float, float, float, str]


class Detections(NamedTuple):
    """Boxes of a video with what was found in them, in order of frames.

    Attributes:
      classes: names, in the order of the model.
      frames: int64 (n,), from 0.
      boxes: int32 (n,), number of the box in its frame.
      places: int32 (n, 4) x, y, width, height in pixels.
      detector: float32 (n,), what the detector of boxes said; NaN of motion.
      scores: float32 (n, classes), probabilities.
      spread: float32 (n, classes) of several heads, else (n, 0).
      embedding: float32 (n, dims), what crops are compared by.
      dismissed: bool (n,), by a person.
    """

    classes: tuple[str, ...]
    frames: np.ndarray
    boxes: np.ndarray
    places: np.ndarray
    detector: np.ndarray
    scores: np.ndarray
    spread: np.ndarray
    embedding: np.ndarray
    dismissed: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """Index of the class with the highest score, (n,)."""
        return self.scores.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """Confidence (n,): 1 - the score of class `negative`, or without one the highest score."""
        if NEGATIVE in self.classes:
            return 1 - self.scores[:, self.classes.index(NEGATIVE)]
        return self.scores.max(axis=1, initial=0)

    def hits(self, threshold: float) -> np.ndarray:
        """Detections that count, bool (n,): confident enough and not dismissed."""
        return (self.confidence >= threshold) & ~self.dismissed

    def only(self, chosen: np.ndarray) -> "Detections":
        """Some of them, by mask or by number."""
        return Detections(self.classes, *(column[chosen] for column in self[1:]))


def of_arrays(arrays: dict[str, np.ndarray], classes: Sequence[str]) -> Detections:
    """From the arrays of `beampose.pipelines.predict.crops_predictor`."""
    count = len(arrays["frames"])
    return Detections(
        tuple(classes),
        arrays["frames"],
        arrays["boxes"],
        arrays["places"],
        arrays["detector"],
        arrays["scores"],
        arrays["spread"],
        arrays["embedding"].astype(np.float32),
        np.zeros(count, bool),
    )


def write(
    file: storage.Address,
    found: Detections,
    about: dict[str, Any],
    images: Sequence[tuple[str, str]] = (),
) -> None:
    """Writes a Parquet file with a row for each box, completely or not at all.

    Args:
      about: text by name, kept beside the columns.
      images: of a set of photographs, whose numbers stand for frames: name and time of each.
    """
    columns: dict[str, Any] = {}
    if images:
        columns["image"] = [images[number][0] for number in found.frames.tolist()]
        columns["taken"] = [images[number][1] for number in found.frames.tolist()]
    columns |= {
        "frame": found.frames,
        "box": found.boxes,
        **{name: found.places[:, i] for i, name in enumerate(("x", "y", "width", "height"))},
        "detector": found.detector,
        "label": np.array(found.classes, object)[found.labels] if len(found.frames) else [],
        "score": found.scores.max(axis=1, initial=0),
        "confidence": found.confidence.astype(np.float32),
        **{f"score_{name}": found.scores[:, i] for i, name in enumerate(found.classes)},
    }
    if found.spread.shape[1]:
        spread = {f"spread_{name}": found.spread[:, i] for i, name in enumerate(found.classes)}
        columns.update(spread)
    columns["dismissed"] = found.dismissed
    texts = {name: pa.string() for name in ("label", "image", "taken")}
    table = pa.table({name: pa.array(v, texts.get(name)) for name, v in columns.items()})
    dims = found.embedding.shape[1]
    if dims:
        flat = pa.array(np.ascontiguousarray(found.embedding, np.float32).ravel())
        table = table.append_column("embedding", pa.FixedSizeListArray.from_arrays(flat, dims))
    metadata = {k.encode(): str(v).encode() for k, v in about.items()}
    with storage.replacing(file) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), str(temporary), compression="zstd")


def read(file: storage.Address) -> Detections:
    """Reads the file that `write` wrote.

    Raises:
      ValueError: it is no such file.
    """
    try:
        with storage.local(file) as copy:
            table = pq.read_table(str(copy))
        names = table.column_names
        classes = tuple(n.removeprefix("score_") for n in names if n.startswith("score_"))

        def columns(*wanted: str) -> np.ndarray:
            stacked = [table[name].to_numpy() for name in wanted]
            return np.stack(stacked, axis=1) if stacked else np.empty((len(table), 0), np.float32)

        spread = [f"spread_{name}" for name in classes if f"spread_{name}" in names]
        embedding = np.empty((len(table), 0), np.float32)
        if "embedding" in names:
            column = table["embedding"].combine_chunks()
            flat = column.flatten().to_numpy(zero_copy_only=False)
            embedding = flat.reshape(len(table), column.type.list_size)
        return Detections(
            classes,
            table["frame"].to_numpy(),
            table["box"].to_numpy(),
            columns("x", "y", "width", "height"),
            table["detector"].to_numpy(),
            columns(*(f"score_{name}" for name in classes)),
            columns(*spread),
            embedding,
            table["dismissed"].to_numpy(zero_copy_only=False),
        )
    except (pa.ArrowException, KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{file} is not a table of detections: {error}.") from error
