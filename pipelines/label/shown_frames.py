"""Pictures for the page: frames of the project and of its films, no larger than the screen.

A file may be replaced while the page is open: pictures and indexes count for the file they are of.
"""

import io
import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from beampose.core import files, fingerprints
from beampose.core.wording import counted
from beampose.formats.deeplabcut import project_config, video_links
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines import film_names
from beampose.pipelines.label.label_session import LabelSession, ShownFrame
from beampose.preprocess import images, videos
from beampose.preprocess.recent import Recent
from beampose.preprocess.videos import Video

# Bytes of decoded pictures that are kept.
MEMORY = 192 << 20
# Frames of a film that are decoded together, around the one that is asked for.
_AROUND = 6
_QUALITY = 88
THUMBNAIL = (160, 120)
# Mean difference, of 255, from which on an image is not the frame of the film that it is named as.
_OTHER = 24.0
Crop = tuple[int, int, int, int]
# See `files.stamp`.
Stamp = tuple[int, str]


class Part(NamedTuple):
    """What of a picture is shown, in its pixels, and how large at most, in pixels of the screen."""

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    columns: float = 0.0
    rows: float = 0.0


class FolderFilm(NamedTuple):
    """The film that the frames of a folder are from.

    Attributes:
      video: its index; None if there is none.
      crop: x1, x2, y1, y2 of what the frames show of it.
      why: the reason why there is none.
      stamp: of the file that was indexed; None if nobody took it.
    """

    video: Video | None
    crop: Crop = (0, 0, 0, 0)
    why: str = ""
    stamp: Stamp | None = None

    @property
    def is_as_indexed(self) -> bool:
        """Whether the file is still the one that was indexed."""
        if self.video is None:
            return False
        return self.stamp is None or self.stamp == stamp_of(self.video.path)


def stamp_of(path: str) -> Stamp | None:
    """The stamp of a file; None if it is not there."""
    try:
        return files.stamp(path)
    except OSError:
        return None


class ShownFrames:
    """Decodes pictures on demand and keeps those that were used last. Safe in threads.

    Attributes:
      changes: how often a film was replaced, went away or came back.
    """

    def __init__(self, session: LabelSession, memory: int = MEMORY):
        self._session = session
        self._kept: Recent[np.ndarray] = Recent(memory, lambda pixels: pixels.nbytes)
        self._films: dict[str, FolderFilm] = {}
        # By folder the fingerprint of its first film: frames of another one do not go with it.
        self._first: dict[str, str] = {}
        # By folder what files there were when its film was found to be gone or replaced.
        self._gone: dict[str, Sequence[tuple[str, Stamp | None]]] = {}
        self.changes = 0
        self._guard = threading.Lock()
        # One decoder at a time for a film: two would read the same frames.
        self._decoding = threading.Lock()

    def pixels(self, frame: ShownFrame) -> np.ndarray:
        """Of a frame of the list, uint8 (height, width, 3).

        Raises:
          OSError, ValueError: the image cannot be read.
        """
        path = self._session.path(frame)
        name = f"{path}\n{files.stamp(path)}"
        kept = self._kept.get(name)
        if kept is None:
            kept = images.decode(files.read_bytes(path))
            self._kept.put(name, kept)
        return kept

    def film(self, folder: str) -> FolderFilm:
        """The film of a folder; one that was not found, or was replaced, is looked for again."""
        with self._guard:
            known = self._films.get(folder)
            if known is not None and known.is_as_indexed:
                return known
            found = self._find(folder)
            if found.video is None:
                if self._films.pop(folder, None) is not None:
                    self.changes += 1
                if folder in self._first:
                    self._gone[folder] = self._seen(folder)
                return found
            self._films[folder] = found
            self._first.setdefault(folder, found.video.fingerprint)
            if self._gone.pop(folder, None) is not None:
                self.changes += 1
            return found

    def outdated(self) -> bool:
        """Whether a film that was found went away, was replaced, or may have come back."""
        known, gone = list(self._films.values()), list(self._gone.items())
        return any(not film.is_as_indexed for film in known) or any(
            self._seen(folder) != seen for folder, seen in gone
        )

    def _seen(self, folder: str) -> Sequence[tuple[str, Stamp | None]]:
        return [(path, stamp_of(path)) for path in self._paths(folder)]

    def of_film(self, folder: str, number: int) -> np.ndarray:
        """A frame of the film of a folder, cut as the frames of the folder are.

        Raises:
          ValueError: there is no film, or no such frame in it.
        """
        return self.frame_of(self.film(folder), number)

    def frame_of(self, film: FolderFilm, number: int) -> np.ndarray:
        """A frame of a film, cut. Raises ValueError: as `of_film`."""
        video = film.video
        if video is None:
            raise ValueError(film.why)
        if not 0 <= number < video.count:
            raise ValueError(f"{video.path} has {counted(video.count, 'frame')}, none of {number}")
        name = _name(film, number)
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        with self._decoding:
            kept = self._kept.get(name)
            return self._decode(film, number) if kept is None else kept

    def _decode(self, film: FolderFilm, number: int) -> np.ndarray:
        video = film.video
        assert video is not None
        first, last = max(number - _AROUND, 0), min(number + _AROUND + 1, video.count)
        why = "the frame cannot be decoded"
        x1, x2, y1, y2 = film.crop
        decoded: dict[int, np.ndarray] = {}
        for frame in videos.read_some(video, range(first, last)):
            if frame.pixels is not None:
                decoded[frame.index] = np.ascontiguousarray(frame.pixels[y1:y2, x1:x2])
            elif frame.index == number:
                why = frame.failure
        if not film.is_as_indexed:
            raise ValueError(f"{video.path} was replaced or removed while it was read")
        for index, cut in decoded.items():
            self._kept.put(_name(film, index), cut)
        found = decoded.get(number)
        if found is None:
            raise ValueError(f"{video.path} frame {number}: {why}")
        return found

    def _find(self, folder: str) -> FolderFilm:
        """The film, if a file is there whose frames are those of the folder."""
        paths = self._paths(folder)
        there = [path for path in paths if files.exists(path)]
        if not there:
            told = f": {paths[0]} is not there" if paths else ""
            return FolderFilm(None, why=f"the film of {folder} was not found{told}")
        try:
            path = self._own(folder, there)
            if not path:
                return FolderFilm(None, why=_replaced(folder, there[0]))
            stamp = files.stamp(path)
            return self._checked(folder, videos.index(path), stamp)
        except (OSError, ValueError) as error:
            return FolderFilm(None, why=files.why(error))

    def _own(self, folder: str, paths: Sequence[str]) -> str:
        """The file that the frames of a folder are from, by its content; empty if it is none.

        The first, where nobody knows the content: frames are compared with it then.
        """
        place = files.join(self._session.root, LABELED_DATA, folder)
        known = {one.fingerprint for one in film_names.recorded(place) if one.fingerprint}
        known = known or {*filter(None, [self._first.get(folder)])}
        if not known:
            return paths[0]
        return next((path for path in paths if fingerprints.of_file(path) in known), "")

    def _paths(self, folder: str) -> list[str]:
        root = self._session.root
        place = files.join(root, LABELED_DATA, folder)
        found = [owner.video for owner in film_names.recorded(place) if owner.video]
        text, _ = project_config.read(files.join(root, project_config.CONFIG))
        told = project_config.films(root, text)
        found += [path for path in told if files.stem(path) == folder]
        above = files.join(root, video_links.VIDEOS)
        if files.is_folder(above):
            found += [
                file
                for file in files.children(above)
                if files.stem(file) == folder and videos.is_video(file)
            ]
        return list(dict.fromkeys(found))

    def _checked(self, folder: str, video: Video, stamp: Stamp) -> FolderFilm:
        """The film with its crop, if the frames of the folder are numbered as its frames are."""
        root = self._session.root
        text, _ = project_config.read(files.join(root, project_config.CONFIG))
        entry = video_links.entry(root, video.path, folder)
        crop = (0, video.width, 0, video.height)
        own = [one for one in self._session.frames if one.folder == folder]
        numbered = [one for one in own if one.number is not None]
        if own and not numbered:
            why = f"the images of {folder} are not named by the numbers of frames"
            return FolderFilm(None, why=why)
        for one in numbered[:1]:
            height, width = self.pixels(one).shape[:2]
            told = project_config.crop_of(text, entry)
            if (width, height) != (video.width, video.height) and told is not None:
                crop = (told[0], told[1], told[2], told[3])
            if (width, height) != (crop[1] - crop[0], crop[3] - crop[2]):
                why = f"{video.path} has {video.width}x{video.height} pixels, {folder} has others"
                return FolderFilm(None, why=why)
        found = FolderFilm(video, crop, stamp=stamp)
        if numbered and not self._are_of(numbered, found):
            why = f"the images of {folder} are not the frames of {video.path} of these numbers"
            return FolderFilm(None, why=why)
        return found

    def _are_of(self, frames: Sequence[ShownFrame], film: FolderFilm) -> bool:
        """Compares two images with the frames they are named after."""
        assert film.video is not None
        for one in (frames[0], frames[-1]):
            number = one.number or 0
            if number >= film.video.count:
                return False
            decoded = self._decode(film, number).astype(np.int16)
            if np.abs(decoded - self.pixels(one)).mean() > _OTHER:
                return False
        return True


def _name(film: FolderFilm, number: int) -> str:
    """Of a kept picture: by the film's content, as another film may get its path."""
    assert film.video is not None
    return f"{film.video.path}\n{film.video.fingerprint}\n{film.crop}\n{number}"


def _replaced(folder: str, path: str) -> str:
    return (
        f"{path} is another film than the one that the frames of {folder} are from: put that one "
        "back; the new one gets a folder of its own with `beampose extract-frames`"
    )


def jpeg(pixels: np.ndarray, part: Part) -> bytes:
    """A picture, or a part of it, as JPEG of at most the pixels of the screen."""
    height, width = pixels.shape[:2]
    columns, rows = part.columns or width, part.rows or height
    box = (
        min(max(part.x, 0.0), width - 1.0),
        min(max(part.y, 0.0), height - 1.0),
        min(max(part.x + columns, 1.0), float(width)),
        min(max(part.y + rows, 1.0), float(height)),
    )
    shrink = min(part.width / (box[2] - box[0]), part.height / (box[3] - box[1]), 1.0)
    image = Image.fromarray(pixels)
    whole = box == (0.0, 0.0, float(width), float(height))
    if not whole or shrink < 1.0:
        size = (
            max(round((box[2] - box[0]) * shrink), 1),
            max(round((box[3] - box[1]) * shrink), 1),
        )
        image = image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0 if shrink == 1.0 else 2)
    return buffer.getvalue()
