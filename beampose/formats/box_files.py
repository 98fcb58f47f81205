"""Candidate boxes from files: MegaDetector's JSON, DeepMeerkat's annotations.csv."""

from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.formats import deepmeerkat, megadetector

# The part of a pattern that stands for the name of a video without its extension.
VIDEO = "{video}"
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
            rows = megadetector.read(path, video)
        elif kind == DEEPMEERKAT:
            rows = deepmeerkat.read(path, files.size(path))
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
