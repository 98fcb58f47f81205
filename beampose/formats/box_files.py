"""Candidate boxes from files: MegaDetector's JSON, DeepMeerkat's annotations.csv."""

import csv
import functools
import io
import json
import re
from typing import Any, NamedTuple

import numpy as np

from beampose.core import files

# The part of a pattern that stands for the name of a video without its extension.
VIDEO = "{video}"
_FRAME_NAME = re.compile(r"frame_?(\d+)\.(?:jpe?g|png)$", re.IGNORECASE)
MEGADETECTOR = ".json"
DEEPMEERKAT = ".csv"


class Boxes(NamedTuple):
    """Boxes of a video, in order of frames.

    Attributes:
      frames: int64 (boxes,), from 0.
      places: float64 (boxes, 4) x, y, width, height; in pixels, or as shares of the frame.
      scores: float64 (boxes,), the detector's confidence; NaN if it does not say.
      relative: whether places are shares of the frame.
    """

    frames: np.ndarray
    places: np.ndarray
    scores: np.ndarray
    relative: bool

    def of(self, frame: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes int32 (n, 4) of a frame in pixels, inside it, and their scores (n,)."""
        first, last = np.searchsorted(self.frames, [frame, frame + 1])
        places = self.places[first:last]
        if self.relative:
            places = places * (width, height, width, height)
        low = np.clip(np.round(places[:, :2]), 0, (width, height))
        high = np.clip(np.round(places[:, :2] + places[:, 2:]), 0, (width, height))
        real = (high > low).all(axis=1)
        found = np.concatenate([low, high - low], axis=1)[real]
        return found.astype(np.int32), self.scores[first:last][real]


class FileBoxes(NamedTuple):
    """Selection of the boxes of a file.

    Attributes:
      path: a file, a folder with a file for each video, or a pattern with `{video}`.
      min_confidence: of a box.
      categories: names of those that count; none = all.
    """

    path: str
    min_confidence: float = 0.2
    categories: tuple[str, ...] = ()

    def file_of(self, video: str) -> str:
        """The file with the boxes of a video.

        Raises:
          ValueError: there is none.
        """
        stem = files.stem(video)
        if VIDEO in self.path:
            tried = [self.path.replace(VIDEO, stem)]
        elif files.is_folder(self.path):
            tried = [
                files.join(self.path, f"{stem}.json"),
                files.join(self.path, f"{stem}.csv"),
                files.join(self.path, stem, "annotations.csv"),
                files.join(self.path, stem, "megadetector_results.json"),
            ]
        else:
            tried = [self.path]
        for path in tried:
            if files.exists(path):
                return path
        raise ValueError(f"{video} has no file of boxes. Looked for: {', '.join(tried)}.")

    def read(self, video: str) -> Boxes:
        """The boxes of a video.

        Raises:
          ValueError: there is no file, it has neither format, or does not name the video.
        """
        path = self.file_of(video)
        kind = files.suffix(path)
        if kind == MEGADETECTOR:
            rows = _of_video(path, video)
        elif kind == DEEPMEERKAT:
            rows = _annotations(path, files.size(path))
        else:
            raise ValueError(
                f"{path} must be MegaDetector's .json or DeepMeerkat's annotations.csv."
            )
        kept = [
            row
            for row in rows
            if not row[5] < self.min_confidence
            and (not self.categories or row[6] in self.categories)
        ]
        values = np.array([row[:6] for row in sorted(kept)], np.float64).reshape(-1, 6)
        return Boxes(
            values[:, 0].astype(np.int64), values[:, 1:5], values[:, 5], kind == MEGADETECTOR
        )


# A box: frame, x, y, width, height, score, category.
Row = tuple[int, float, float, float, float, float, str]


def _of_video(path: str, video: str) -> list[Row]:
    """The rows of the entry of a MegaDetector file whose path agrees with a video's the longest."""
    entries = _megadetector(path, files.size(path))
    parts = video.replace("\\", "/").lower().split("/")

    def agreement(name: str) -> int:
        other = name.replace("\\", "/").lower().split("/")
        count = 0
        for one, two in zip(reversed(parts), reversed(other), strict=False):
            if one != two:
                break
            count += 1
        return count

    ranked = sorted(((agreement(name), name) for name in entries), reverse=True)
    if not ranked or not ranked[0][0]:
        raise ValueError(f"{path} holds no results of a video named {parts[-1]}.")
    if len(ranked) > 1 and ranked[1][0] == ranked[0][0]:
        raise ValueError(
            f"{path} holds several videos that may be {video}: {ranked[0][1]} and {ranked[1][1]}. "
            "Keep the folders of the videos as they were, or give a file for each."
        )
    found = entries[ranked[0][1]]
    if isinstance(found, str):
        raise ValueError(f"{path} says that {parts[-1]} failed: {found}.")
    return found


@functools.lru_cache(maxsize=4)
def _megadetector(path: str, size: int) -> dict[str, list[Row] | str]:
    """Boxes by video, or why it failed. Kept, since every range of every video asks.

    Args:
      size: bytes of the file; another size is another file.
    """
    try:
        values = json.loads(files.read_bytes(path))
        names = {str(k): str(v) for k, v in values["detection_categories"].items()}
        images = list(values["images"])
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}.") from error
    except (TypeError, KeyError, AttributeError):
        raise ValueError(
            f"{path} is not MegaDetector's JSON: it needs images and detection_categories."
        ) from None
    found: dict[str, list[Row] | str] = {}
    for number, image in enumerate(images):
        where = f"{path}: images[{number}]"
        if not isinstance(image, dict) or not isinstance(image.get("file"), str):
            raise ValueError(f"{where} must name its file.")
        name, frame = _video_and_frame(image["file"])
        if image.get("failure"):
            found.setdefault(name, str(image["failure"]))
            continue
        rows = found.get(name)
        if not isinstance(rows, list):
            rows = found[name] = []
        for detection in image.get("detections") or []:
            rows.append(_row(detection, frame, names, where))
    return found


def _video_and_frame(name: str) -> tuple[str, int | None]:
    """The video of an entry; the frame too where the entry is a frame inside a video's folder."""
    frame = _FRAME_NAME.search(name.replace("\\", "/"))
    return (files.parent(name), int(frame.group(1))) if frame else (name, None)


def _row(detection: Any, frame: int | None, names: dict[str, str], where: str) -> Row:
    try:
        x, y, width, height = (float(v) for v in detection["bbox"])
        number = detection.get("frame_number") if frame is None else frame
        if not isinstance(number, int) or number < 0:
            raise ValueError("frame_number must be a whole number from 0 on")
        if not all(-0.01 <= v <= 1.01 for v in (x, y, width, height)):
            # DeepMeerkat 3 writes pixels here, rounded from shares: nothing can be made of them.
            raise ValueError("bbox must be fractions of the frame, from 0 to 1")
        category = str(detection["category"])
        score = float(detection["conf"])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ValueError(f"{where}: a detection cannot be read, {error}: {detection!r}.") from None
    return number, x, y, width, height, score, names.get(category, category)


@functools.lru_cache(maxsize=4)
def _annotations(path: str, size: int) -> list[Row]:
    """Rows of DeepMeerkat 2 (`Frame,Clock,…`) or 3 (`frame,clock,…`); its frames count from 1."""
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
        found.append((frame, x, y, width, height, score, row.get("label", "")))
    return found
