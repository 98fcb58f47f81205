"""Candidate boxes from files: MegaDetector's JSON, DeepMeerkat's annotations.csv."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.formats import deepmeerkat, megadetector, megadetector_photos

LOG = logging.getLogger(__name__)
# The part of a pattern that stands for the name of a video without its extension.
VIDEO = "{video}"
MEGADETECTOR = ".json"
DEEPMEERKAT = ".csv"
# Folders above a video that folders of boxes may be called like.
_ABOVE = 3


class Boxes(NamedTuple):
    """Boxes of a video, in order of frames.

    Attributes:
      frames: int64 (boxes,), from 0.
      places: float64 (boxes, 4) x, y, width, height; in pixels, or as shares of the frame.
      scores: float64 (boxes,), the detector's confidence; NaN if it does not say.
      relative: whether places are shares of the frame.
      remark: human-readable, on what was joined; empty if that is nothing.
    """

    frames: np.ndarray
    places: np.ndarray
    scores: np.ndarray
    relative: bool
    remark: str = ""

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
        tried = [path for _, path in self._tried(video)]
        for path in tried:
            if files.exists(path):
                return path
        raise ValueError(f"{video} has no file of boxes. Looked for: {', '.join(tried)}.")

    def unsure(self, videos: Sequence[str]) -> dict[str, str]:
        """Videos whose boxes are, or may as well be, those of another of them; and why.

        A file or an entry serves one video: the one whose path agrees with it in more parts.
        """
        users: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for video in videos:
            try:
                source, agreed = self._origin(video)
            except (OSError, ValueError):
                continue  # Told where its boxes are read.
            users[source].append((agreed, video))
        found = {}
        for source, own in users.items():
            most = max(agreed for agreed, _ in own)
            best = [video for agreed, video in own if agreed == most]
            for _, video in own if len(own) > 1 else ():
                other = next(one for one in [*best, *(v for _, v in own)] if one != video)
                if best != [video]:
                    found[video] = (
                        f"the boxes of {source} are, or may as well be, of {other}: put those of "
                        "each into a folder called as that of the film"
                    )
        return found

    def _origin(self, video: str) -> tuple[str, int]:
        """The file, or the entry of a file, with the boxes of a video; parts of paths that agree.

        Raises: as `file_of`.
        """
        for agreed, path in self._tried(video):
            if files.exists(path):
                if files.suffix(path) != MEGADETECTOR:
                    return path, agreed
                entry, parts = megadetector.entry_of(path, video)
                return f"{path}: {entry}", agreed + parts
        raise ValueError(f"{video} has no file of boxes.")

    def _tried(self, video: str) -> Iterator[tuple[int, str]]:
        """Files that may hold the boxes of a video, and parts of its folder that they agree in.

        In a folder that holds folders called as those of the videos, these come first.
        """
        stem, above = files.stem(video), files.parent(video).split("/")
        if VIDEO in self.path:
            yield 0, self.path.replace(VIDEO, stem)
            return
        if not files.is_folder(self.path):
            yield 0, self.path
            return
        for agreed in range(min(_ABOVE, len(above)), -1, -1):
            folder = files.join(self.path, *above[len(above) - agreed :])
            yield agreed, files.join(folder, f"{stem}.json")
            yield agreed, files.join(folder, f"{stem}.csv")
            yield agreed, files.join(folder, stem, "annotations.csv")
            yield agreed, files.join(folder, stem, "megadetector_results.json")

    def of_stills(
        self, path: str, root: str, names: Sequence[str]
    ) -> list[tuple[tuple[megadetector_photos.PhotoBox, ...] | None, str]]:
        """Boxes of photographs, or why there are none.

        Args:
          path: what was named: their folder, a list.
          root: the folder that names count from.
          names: of the images.

        Raises:
          ValueError: there is no such file, or it is another, or knows none of them.
        """
        file = self.file_of(path)
        if files.suffix(file) != MEGADETECTOR:
            raise ValueError(f"Boxes of photographs are read from MegaDetector's .json, not {file}")
        found, remark = megadetector_photos.boxes_of(file, names, root)
        if remark:
            LOG.warning("NOTE %s: %s", path, remark)
        return [
            (
                None if one.boxes is None else tuple(b for b in one.boxes if self._counts(b)),
                one.failure,
            )
            for one in found
        ]

    def _counts(self, box: Sequence) -> bool:
        """Whether a box (…, confidence, category) is used."""
        score, category = box[-2:]
        return not score < self.min_confidence and (
            not self.categories or category in self.categories
        )

    def read(self, video: str) -> Boxes:
        """The boxes of a video.

        Raises:
          ValueError: there is no file, it has neither format, or does not name the video.
        """
        path, remark = self.file_of(video), ""
        kind = files.suffix(path)
        if kind == MEGADETECTOR:
            rows, remark = megadetector.read(path, video)
        elif kind == DEEPMEERKAT:
            rows = deepmeerkat.read(path, files.stamp(path))
        else:
            raise ValueError(
                f"{path} must be MegaDetector's .json or DeepMeerkat's annotations.csv."
            )
        kept = sorted(row for row in rows if self._counts(row))
        values = np.array([row[:6] for row in kept], np.float64).reshape(-1, 6)
        frames = values[:, 0].astype(np.int64)
        return Boxes(frames, values[:, 1:5], values[:, 5], kind == MEGADETECTOR, remark)


def relative(rows: Sequence[Sequence[float]]) -> Boxes:
    """Boxes of one image, whose number is 0: x, y, width, height as shares, confidence."""
    values = np.array(rows, np.float64).reshape(-1, 5)
    return Boxes(np.zeros(len(values), np.int64), values[:, :4], values[:, 4], True)
