"""DeepMeerkat 3's review folders: annotations.csv and parameters.csv for each video.

Its Review window compares frames as text and counts them from 1, so they are plain integers. It
finds the video by the row source_video of parameters.csv, which must be a local path.
"""

import csv
import functools
import io
from typing import Any

from beampose.core import csv_cells, files, storage
from beampose.formats.detection_table import BoxRow, Detections

ANNOTATIONS, PARAMETERS = "annotations.csv", "parameters.csv"
HEADER = ("frame", "clock", "x", "y", "h", "w", "label", "score")


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
def read(path: str, size: int) -> list[BoxRow]:
    """The boxes of an annotations.csv of version 2 (`Frame,Clock,…`) or 3 (`frame,clock,…`).

    Its frames count from 1, those of the boxes from 0.

    Args:
      size: bytes of the file; another size is another file.

    Raises:
      ValueError: it is no such file, or a row cannot be read.
    """
    text = files.read_bytes(path).decode("utf-8-sig", "replace")
    reader = csv.reader(io.StringIO(text))
    header = [cell.strip().lower() for cell in next(reader, [])]
    if not {"frame", "x", "y", "h", "w"} <= set(header):
        raise ValueError(
            f"{path} is not an annotations.csv of DeepMeerkat: its first row must name frame, x, "
            f"y, h and w. Received: {','.join(header)}."
        )
    found = []
    for cells in reader:
        row = dict(zip(header, (c.strip() for c in cells), strict=False))
        if not any(row.values()):
            continue
        try:
            frame = int(row["frame"]) - 1
            x, y, height, width = (float(row[name]) for name in ("x", "y", "h", "w"))
            score = float(row.get("score") or "nan")
            if frame < 0:
                raise ValueError("frames count from 1")
        except (KeyError, ValueError) as error:
            what = f"must be frame, x, y, h, w as numbers ({error}). Received: {','.join(cells)}"
            raise ValueError(f"{path}:{reader.line_num} {what}.") from None
        label = csv_cells.plain(row.get("label", ""))
        found.append((frame, x, y, width, height, score, label))
    return found
