"""Finds the frames of a SLEAP file: in its own images, in videos or image files near it."""

import contextlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any

from beampose.core import files, h5, json_files
from beampose.core.wording import agreed, counted
from beampose.formats import named_files
from beampose.formats.named_files import Found
from beampose.preprocess import images, inside, videos
from beampose.preprocess.film_paths import FilmPath
from beampose.preprocess.labels import ERROR, WARNING, Problem

VIDEOS = "videos"
_H5 = (".h5", ".hdf5", ".slp")
_NUMBERED = re.compile(r"/*video(\d{1,9})/video")
_SHOWN = 5
# Pixels that a corner may lie away.
_FARTHEST = 1 << 20


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
        self._corners = _corners(file)
        self._rows: dict[int, dict[int, int]] = {}
        self._packages: dict[int, str] = {}
        self._found: dict[str, Found] = {}
        self._missing: dict[int, list[str]] = {}
        self._compared: set[int] = set()
        self._sources: dict[str, Found] = {}
        self._films: dict[int, FilmPath | None] = {}

    def numbered(self, frames: Sequence[tuple[int, int]]) -> dict[int, int]:
        """Places in the list of videos, by the numbers that frames, (video, index), name them by.

        Those are the places themselves, or the numbers in the names of the datasets that hold the
        images, as in a package of some of a project's videos. Where both may be meant, the one
        counts under which all the frames are there. A number that is none in either way has no
        place.

        Raises:
          ValueError: which is meant is not known.
        """
        told = sorted({video for video, _ in frames})
        by_place = {i: i for i in range(len(self._told))}
        names = [self._number(i) for i in by_place]
        by_name = {number: i for i, number in enumerate(names) if names.count(number) == 1}
        if by_place == by_name:
            return {one: one for one in told if one in by_place}
        ways = [way for way in (by_place, by_name) if all(one in way for one in told)]
        if len(ways) == 2 and any(by_place[one] != by_name[one] for one in told):
            ways = [way for way in ways if all(self._has(way[v], i) for v, i in frames)]
            ways = ways if len(ways) == 1 else []
        if not ways:
            shown = ", ".join(map(str, told[:_SHOWN])) + (", …" if len(told) > _SHOWN else "")
            raise ValueError(
                f"its frames belong to videos {shown}, and it lists {len(by_place)}, counted from "
                "0: which is which is not known. Save it again from the file that it was made of"
            )
        return {one: ways[0][one] for one in told}

    def _number(self, video: int) -> int:
        """The number in the name of the dataset of a video's images, else its place."""
        found = _NUMBERED.fullmatch(str(self._told[video].get("dataset") or ""))
        embedded = self._is_embedded(video) or files.suffix(self._film(video)) in _H5
        return int(found[1]) if found and embedded else video

    def _has(self, video: int, index: int) -> bool:
        place = self._package(video)
        if not self._is_embedded(video) and not place:
            names = self._listed_names(video)
            return not names or index < len(names)
        rows = self._embedded_rows(video, place)
        return not rows or index in rows

    def _package(self, video: int) -> str:
        """The other file that holds a video's images; "" if there is none."""
        if video not in self._packages:
            name, place = self._film(video), None
            if self._told[video].get("dataset") and files.suffix(name) in _H5:
                there = named_files.locate([name], _folders(self._path), _H5, anywhere=True)
                place = there[name].path
            self._packages[video] = place or ""
        return self._packages[video]

    def lost(self, frames: Mapping[int, int]) -> None:
        """Adds a problem for each video that is none of the file's.

        Args:
          frames: how many of each, by its number.
        """
        for video, count in frames.items():
            what = f"{counted(count, 'frame')} {agreed(count, 'belong')} to video {video}, of "
            self._problem(f"{what}{len(self._told)} that it lists, counted from 0; not used")

    def corner(self, video: int) -> tuple[int, int]:
        """The x and y in its frames from where coordinates count: of the part that was labeled."""
        return self._corners.get(video, (0, 0))

    def size(self, video: int) -> tuple[int, int] | None:
        """Height and width of the frames of a video; None if the file does not say."""
        shape = self._told[video].get("shape")
        if self._listed_names(video) or not isinstance(shape, list) or len(shape) != 4:
            return None
        sized = all(type(side) is int and side > 0 for side in shape[1:3])
        return (shape[1], shape[2]) if sized else None

    def wanted(self, frames: Sequence[tuple[int, int]]) -> None:
        """Looks for the files that (video, frame) lie in, together: no file may be two of them."""
        told = [name for i in range(len(self._told)) if (name := self._film(i))]
        told += [name for video, index in frames if (name := self._listed(video, index))]
        suffixes = (*videos.SUFFIXES, *images.SUFFIXES, *_H5)
        folders = _folders(self._path)
        self._found = named_files.locate(
            told, folders, suffixes, anywhere=True, own=self._path, holders=_H5
        )
        # Apart: no image is read from them, so that they take no file of another path.
        sources = [path for i in range(len(self._told)) if (path := self._source(i)[0])]
        self._sources = named_files.locate(sources, folders, videos.SUFFIXES, anywhere=True)

    def film(self, video: int) -> FilmPath | None:
        """The film that the images of a video were taken from; None if the file does not say.

        That of embedded images need not be there. One that is found by its name alone may be
        another: folders of packages have them of several films of one name.
        """
        if video not in self._films:
            path, frames = self._source(video)
            found = (self._sources[path].path if path else "") or ""
            alike = files.name(files.parent(found)) == files.name(files.parent(path))
            whole = FilmPath(self._whole(path), found if alike else "", frames)
            if whole.found and not whole.is_as_long(_declared(found)):
                whole = whole._replace(found="")
            own = self._film(video)
            if not path and own and files.suffix(own) in videos.SUFFIXES:
                frames = _frames(self._told[video])
                whole = FilmPath(self._whole(own), self._found[own].path or "", frames)
            self._films[video] = whole if whole.told else None
        return self._films[video]

    def _whole(self, path: str) -> str:
        """A path that counts from the folder of the labels as a whole one; others as they are."""
        whole = not path or files.is_absolute(path) or PureWindowsPath(path).drive
        return path if whole else files.join(files.parent(self._path), path)

    def report(self) -> None:
        """Adds a problem for each video whose file, or some of whose images, were not found."""
        for video, names in self._missing.items():
            first, *others = dict.fromkeys(names)
            lost = f"{counted(len(names), 'label')} {agreed(len(names), 'are')} not used"
            if first == "." or files.name(first) == files.name(self._path):
                self._problem(
                    "should hold its own images "
                    f"({self._told[video].get('dataset') or 'of no dataset'}), and they are not in "
                    f"it: save it in SLEAP with them (a package, .pkg.slp). {lost}"
                )
                continue
            what = "image" if self._listed_names(video) else "video"
            what = "package" if files.suffix(first) == ".slp" else what
            more = f", nor {len(others)} others of its list" if others else ""
            why = self._found[first].why if first else "the file names none"
            called = f"{what} {first or repr(first)}"
            self._problem(f"{called} not found{more}: {why}. {lost}")

    def name(self, video: int) -> str:
        """The name of a video's folder of labeled frames."""
        return self._names[video]

    def image(self, video: int, index: int) -> str | None:
        """The address of a frame; None, and a problem, if there is none."""
        names = self._listed_names(video)
        if names and not 0 <= index < len(names):
            self._problem(f"frame {index} of a list of {len(names)} images")
            return None
        dataset = str(self._told[video].get("dataset") or "")
        if not names and self._is_embedded(video):
            return self._embedded(video, index, dataset)
        name = self._listed(video, index) if names else self._film(video)
        place = self._found[name].path if name else None
        if place is None:
            self._missing.setdefault(video, []).append(name)
            return None
        if names:
            return place
        if dataset and files.suffix(place) in _H5:
            return self._embedded(video, index, dataset, place)
        self._compare(video, place)
        return inside.frame_of(place, index)

    def _compare(self, video: int, place: str) -> None:
        """Warns, once, of a film that has not as many frames as the one that was labeled."""
        told = _frames(self._told[video])
        if video in self._compared or not told:
            return
        self._compared.add(video)
        there = _declared(place)
        if not FilmPath(place, frames=told).is_as_long(there):
            what = f"{place} has {counted(there, 'frame')} where the labels say {told}: if it is "
            self._problem(f"{what}another film, points lie in frames that are not theirs", WARNING)

    def _film(self, video: int) -> str:
        """The path of a video that is one file; empty of others."""
        if self._listed_names(video) or self._is_embedded(video):
            return ""
        return str(self._told[video].get("filename") or "")

    def _is_embedded(self, video: int) -> bool:
        dataset = str(self._told[video].get("dataset") or "")
        return bool(dataset) and self._file.dataset(dataset) is not None

    def _listed_names(self, video: int) -> list[Any]:
        names = self._told[video].get("filenames") if 0 <= video < len(self._told) else None
        return names if isinstance(names, list) else []

    def _listed(self, video: int, index: int) -> str:
        """The path of an image of a list; empty where there is none."""
        names = self._listed_names(video)
        return str(names[index]) if 0 <= index < len(names) else ""

    def _embedded(self, video: int, index: int, dataset: str, place: str = "") -> str | None:
        rows = self._embedded_rows(video, place)
        row = rows.get(index) if rows else index
        if row is None:
            where = f"{place}, " if place else ""
            what = f"frame {index} of {where}{dataset} is labeled, but its image is not embedded"
            self._problem(what)
            return None
        return inside.image_of(place or self._path, dataset.strip("/"), row)

    def _embedded_rows(self, video: int, place: str = "") -> Mapping[int, int]:
        """Rows of a video's images by the numbers of frames; empty where none are said.

        Args:
          place: the file that holds them, as labels or predictions of a package name that package;
            the labels' own if empty.
        """
        if video not in self._rows:
            try:
                with h5.opened(place) if place else contextlib.nullcontext(self._file) as file:
                    self._rows[video] = self._rows_in(file, video)
            except (OSError, ValueError):
                if not place:
                    raise
                # Said of each of its images when they are read.
                self._rows[video] = {}
        return self._rows[video]

    def _rows_in(self, file: h5.Group, video: int) -> dict[int, int]:
        dataset = str(self._told[video].get("dataset") or "")
        numbers = f"{dataset.rpartition('/')[0]}/frame_numbers"
        known = file.dataset(numbers) is not None
        found = file.values(numbers).ravel().tolist() if known else []
        images = file.dataset(dataset)
        if not known and images and inside.is_of_files(images):
            what = f"does not say which frames the images of {dataset} are: taken as the first"
            self._problem(f"{what} frames of the video, in order", WARNING)
        return {int(number): row for row, number in enumerate(found)}

    def _problem(self, what: str, level: str = ERROR) -> None:
        self._problems.append(Problem(level, self._path, 0, "", what))

    def _stem(self, video: int) -> str:
        """Name of a video: that of its file, or of the video its images come from."""
        told = self._told[video]
        names = told.get("filenames")
        if isinstance(names, list) and names:
            return files.name(files.parent(str(names[0]))) or f"video{video}"
        filename = str(told.get("filename") or "")
        if filename in ("", ".") or filename.endswith(".slp"):
            source = self._source_video(video)
            filename = filename if source is None else str(source.get("filename") or "")
        stem = files.stem(filename)
        return stem if stem not in ("", ".", "..") else f"video{video}"

    def _source_video(self, video: int) -> dict[str, Any] | None:
        """What the file tells of the video that embedded images were taken from."""
        told = self._told[video]
        group = str(told.get("dataset") or "").rpartition("/")[0]
        source = self._file.group(f"{group}/source_video") if group else None
        said = source and source.attribute("json")
        listed = told.get("source_video")
        if said is not None:
            return _backend(said)
        return _merged(listed) if isinstance(listed, dict) and listed.get("filename") else None

    def _source(self, video: int) -> tuple[str, int]:
        """Path and frames of the film that embedded images were taken from; "" if it is none."""
        filename = str(self._told[video].get("filename") or "")
        embedded = filename in ("", ".") or filename.endswith(".slp") or self._is_embedded(video)
        source = self._source_video(video) if embedded else None
        path = source.get("filename") if source else None
        is_film = isinstance(path, str) and files.suffix(path) in videos.SUFFIXES
        return (str(path), _frames(source or {})) if is_film else ("", 0)


def _folders(path: str) -> list[str]:
    """Folders searched for videos: beside the labels, in `videos/`, and the same one level up."""
    own = files.parent(path)
    above = files.parent(own)
    return [own, files.join(own, VIDEOS), files.join(above, VIDEOS), above]


def _frames(told: Mapping[str, Any]) -> int:
    """How many frames the file says that a video has; 0 if it does not."""
    shape = told.get("shape")
    frames = shape[0] if isinstance(shape, list) and shape else 0
    return frames if type(frames) is int and frames > 0 else 0


def _declared(place: str) -> int:
    """Frames of a film by its header; 0 if it cannot be read, which is said where it is."""
    try:
        return videos.declared(place)
    except (OSError, ValueError):
        return 0


def _backend(value: Any) -> dict[str, Any]:
    return _merged(json_files.record(inside.text(value), "its list of videos"))


def _merged(told: dict[str, Any]) -> dict[str, Any]:
    backend = told.get("backend")
    return {**told, **backend} if isinstance(backend, dict) else told


def _corners(file: h5.Group) -> dict[int, tuple[int, int]]:
    """Upper left corners (x, y) of videos of which a part was labeled, by their places.

    Coordinates are those of the part, images those of the whole frame.
    """
    if file.dataset("video_crops") is None:
        return {}
    said = [inside.text(one) for one in file.values("video_crops").ravel()]
    told = json_files.parse("".join(said), "its video_crops")
    try:
        found = {one["video"]: tuple(one["crop"][:2]) for one in told if len(one["crop"]) == 4}
    except (TypeError, KeyError):
        found = {}
    whole = [
        type(one) is int and abs(one) < _FARTHEST
        for video, corner in found.items()
        for one in (video, *corner)
    ]
    if not found or not all(whole):
        raise ValueError("its video_crops, the parts of videos that were labeled, cannot be read")
    return found


def distinct(names: list[str]) -> list[str]:
    """Things are told apart by their place; of those with one name the later ones get a number."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found
