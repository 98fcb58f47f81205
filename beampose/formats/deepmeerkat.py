"""DeepMeerkat 3's review folders: annotations.csv and parameters.csv for each video.

Its Review window compares frames as text and counts them from 1, so they are plain integers. It
finds the video by the row source_video of parameters.csv, which must be a local path.
"""

import csv
import functools
import math
from collections.abc import Hashable
from typing import Any

from beampose.core import csv_cells, files, storage, texts
from beampose.formats import spreadsheets
from beampose.formats.detection_table import BoxRow, Detections

ANNOTATIONS, PARAMETERS = "annotations.csv", "parameters.csv"
HEADER = ("frame", "clock", "x", "y", "h", "w", "label", "score")
_NEEDED = ("frame", "x", "y", "h", "w")


def write(folder: storage.Address, found: Detections, fps: float) -> None:
    """Writes annotations.csv: one row per detection, height before width as DeepMeerkat has it."""
    tops = found.scores.max(axis=1, initial=0)
    with _table(folder, ANNOTATIONS) as rows:
        rows.writerow(HEADER)
        for i, (x, y, width, height) in enumerate(found.places.tolist()):
            frame = int(found.frames[i])
            label = found.classes[found.labels[i]]
            place = (x, y, height, width)
            rows.writerow(
                (frame + 1, clock(frame, fps), *place, csv_cells.inert(label), f"{tops[i]:.4f}")
            )


def write_parameters(folder: storage.Address, video: str, values: dict[str, Any]) -> None:
    """Writes parameters.csv: rows `name,value`, sorted, among them the address of the video."""
    with _table(folder, PARAMETERS) as rows:
        rows.writerows(sorted({**values, "source_video": video}.items()))


def clock(frame: int, fps: float) -> str:
    """h:mm:ss of a frame that counts from 0."""
    seconds = int(frame / fps) if fps else 0
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


class _table:
    """A csv file, whole or not at all."""

    def __init__(self, folder: storage.Address, name: str):
        self._replacing = storage.replacing(storage.place(folder, name))

    def __enter__(self):
        temporary = self._replacing.__enter__()
        self._stream = temporary.open("w", encoding="utf-8", newline="")
        return csv.writer(self._stream, lineterminator="\n")

    def __exit__(self, *error):
        self._stream.close()
        return self._replacing.__exit__(*error)


@functools.lru_cache(maxsize=4)
def read(path: str, stamp: Hashable) -> list[BoxRow]:
    """The boxes of an annotations.csv of version 2 (`Frame,Clock,…`) or 3 (`frame,clock,…`).

    Its frames count from 1, those of the boxes from 0.

    Args:
      stamp: see `files.stamp`.

    Raises:
      ValueError: it is no such file, or a row cannot be read.
    """
    try:
        text = texts.decode(files.read_bytes(path), texts.WINDOWS)
        rows, separator = spreadsheets.named(text, _NEEDED)
    except ValueError as error:
        raise ValueError(f"{path} is not an annotations.csv of DeepMeerkat: it {error}.") from None
    found = []
    for line, row in rows:
        try:
            frame = spreadsheets.whole(row["frame"], separator) - 1
            numbers = (spreadsheets.number(row[name], separator) for name in ("x", "y", "w", "h"))
            x, y, width, height = numbers
            score = spreadsheets.number(row.get("score", ""), separator)
            if frame < 0:
                raise ValueError("frames count from 1")
            if not all(map(math.isfinite, (x, y, width, height))):
                raise ValueError("a number is missing")
        except (KeyError, ValueError) as error:
            why = f"{error} is missing" if isinstance(error, KeyError) else error
            what = f"must be frame, x, y, h, w as numbers ({why})"
            received = separator.join(row.values())
            raise ValueError(f"{path}:{line} {what}. Received: {received}.") from None
        label = csv_cells.plain(row.get("label", "").strip())
        found.append((frame, x, y, width, height, score, label))
    return found
