"""Finds the frames of a SLEAP file: in its own images, in videos or image files near it."""

import json
from collections import Counter
from typing import Any

from beampose.core import files, h5
from beampose.preprocess import inside
from beampose.preprocess.labels import ERROR, Problem

VIDEOS = "videos"


class Videos:
    """The videos of a SLEAP file, found where they are now.

    Args:
      path: the SLEAP file.
      problems: takes what is missing.

    Raises:
      ValueError: the list of videos cannot be read.
    """

    def __init__(self, file: h5.Group, path: str, problems: list[Problem]):
        self._file, self._path, self._problems = file, path, problems
        self._told = [_backend(one) for one in file.values("videos_json").ravel()]
        self._names = distinct([self._stem(i) for i in range(len(self._told))])
        self._rows: dict[int, dict[int, int]] = {}
        self._places: dict[int, str | None] = {}
        self._folders: dict[int, str | None] = {}
        self._counts: Counter[int] = Counter()

    def wanted(self, counts: Counter[int]) -> None:
        """Takes the number of labeled frames of each video, which are lost if it is missing."""
        self._counts = counts

    def name(self, video: int) -> str:
        """The name of a video's folder of labeled frames."""
        return self._names[video]

    def image(self, video: int, index: int) -> str | None:
        """The address of a frame; None, and a problem, if there is none."""
        if not 0 <= video < len(self._told):
            self._problem(f"frame {index} belongs to video {video}, of {len(self._told)}")
            return None
        told = self._told[video]
        names = told.get("filenames")
        if isinstance(names, list):
            return self._listed(video, index, names)
        dataset = str(told.get("dataset") or "")
        if dataset and self._file.dataset(dataset) is not None:
            return self._embedded(video, index, dataset)
        place = self._place(video, str(told.get("filename") or ""))
        if place is None:
            return None
        if dataset and files.suffix(place) in (".h5", ".hdf5", ".slp"):
            return inside.image_of(place, dataset.strip("/"), index)
        return inside.frame_of(place, index)

    def _embedded(self, video: int, index: int, dataset: str) -> str | None:
        if video not in self._rows:
            numbers = f"{dataset.rpartition('/')[0]}/frame_numbers"
            known = self._file.dataset(numbers) is not None
            found = self._file.values(numbers).ravel().tolist() if known else []
            self._rows[video] = {int(number): row for row, number in enumerate(found)}
        rows = self._rows[video]
        row = rows.get(index) if rows else index
        if row is None:
            self._problem(f"frame {index} of {dataset} is labeled, but its image is not embedded")
            return None
        return inside.image_of(self._path, dataset.strip("/"), row)

    def _listed(self, video: int, index: int, names: list[Any]) -> str | None:
        if index >= len(names):
            self._problem(f"frame {index} of a list of {len(names)} images")
            return None
        parts = str(names[index]).replace("\\", "/").strip("/").split("/")
        if video not in self._folders:
            # Their folder, found once by the first image asked for.
            tried = [
                files.join(folder, *own)
                for folder in _folders(self._path)
                for own in (parts[-2:], parts[-1:])
            ]
            found = next((place for place in tried if _safe(parts) and files.exists(place)), None)
            self._folders[video] = found and files.parent(found)
            if found is None:
                self._missing(video, "images such as " + parts[-1], tried)
        folder = self._folders[video]
        return None if folder is None or not _safe(parts) else files.join(folder, parts[-1])

    def _place(self, video: int, filename: str) -> str | None:
        if video not in self._places:
            name = files.name(filename)
            tried = [files.join(folder, name) for folder in _folders(self._path)]
            usable = _safe([name])
            found = next((place for place in tried if usable and files.exists(place)), None)
            self._places[video] = found
            if found is None:
                self._missing(video, f"video {name or filename!r}", tried)
        return self._places[video]

    def _missing(self, video: int, what: str, tried: list[str]) -> None:
        lost = self._counts[video]
        self._problem(f"{what} not found; tried {', '.join(tried)}. {lost} labels are not used")

    def _problem(self, what: str) -> None:
        self._problems.append(Problem(ERROR, self._path, 0, "", what))

    def _stem(self, video: int) -> str:
        """Name of a video: that of its file, or of the video its images come from."""
        told = self._told[video]
        names = told.get("filenames")
        if isinstance(names, list) and names:
            return files.name(files.parent(str(names[0]))) or f"video{video}"
        filename = str(told.get("filename") or "")
        group = str(told.get("dataset") or "").rpartition("/")[0]
        if filename in ("", ".") or filename.endswith(".slp"):
            source = self._file.group(f"{group}/source_video") if group else None
            said = source and source.attribute("json")
            if said is not None:
                filename = str(_backend(said).get("filename") or "")
        stem = files.stem(filename)
        return stem if stem not in ("", ".", "..") else f"video{video}"


def _folders(path: str) -> list[str]:
    """Folders searched for videos: beside the labels, in `videos/`, and the same one level up."""
    own = files.parent(path)
    above = files.parent(own)
    return [own, files.join(own, VIDEOS), files.join(above, VIDEOS), above]


def _safe(parts: list[str]) -> bool:
    plain = not {"", ".", ".."} & set(parts[-2:])
    return plain and inside.parse(parts[-1]) is None


def _backend(value: Any) -> dict[str, Any]:
    try:
        told = json.loads(inside.text(value))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its list of videos is not JSON: {error}") from None
    if not isinstance(told, dict):
        raise ValueError("its list of videos must hold keys and values")
    backend = told.get("backend")
    return {**told, **backend} if isinstance(backend, dict) else told


def distinct(names: list[str]) -> list[str]:
    """Things are told apart by their place; of those with one name the later ones get a number."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found
