"""Pictures for the page: frames of the project and of its films, no larger than the screen."""

import io
import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from beampose.core import files
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
    """

    video: Video | None
    crop: Crop = (0, 0, 0, 0)
    why: str = ""


class ShownFrames:
    """Decodes pictures on demand and keeps those that were used last. Safe in threads."""

    def __init__(self, session: LabelSession, memory: int = MEMORY):
        self._session = session
        self._kept: Recent[np.ndarray] = Recent(memory, lambda pixels: pixels.nbytes)
        self._films: dict[str, FolderFilm] = {}
        self._guard = threading.Lock()
        # One decoder at a time for a film: two would read the same frames.
        self._decoding = threading.Lock()

    def pixels(self, frame: ShownFrame) -> np.ndarray:
        """Of a frame of the list, uint8 (height, width, 3).

        Raises:
          OSError, ValueError: the image cannot be read.
        """
        path = self._session.path(frame)
        kept = self._kept.get(path)
        if kept is None:
            kept = images.decode(files.read_bytes(path))
            self._kept.put(path, kept)
        return kept

    def film(self, folder: str) -> FolderFilm:
        """The film of a folder; one that was not found is looked for again."""
        with self._guard:
            known = self._films.get(folder) or self._find(folder)
            if known.video is not None:
                self._films[folder] = known
            return known

    def of_film(self, folder: str, number: int) -> np.ndarray:
        """A frame of the film of a folder, cut as the frames of the folder are.

        Raises:
          ValueError: there is no film, or no such frame in it.
        """
        film = self.film(folder)
        if film.video is None:
            raise ValueError(film.why)
        return self._shown(film.video, film.crop, number)

    def of_video(self, video: Video | None, number: int) -> np.ndarray:
        """A whole frame of a film. Raises ValueError: there is none."""
        if video is None:
            raise ValueError("The film of these predictions was not found.")
        return self._shown(video, (0, video.width, 0, video.height), number)

    def _shown(self, video: Video, crop: Crop, number: int) -> np.ndarray:
        if not 0 <= number < video.count:
            raise ValueError(f"{video.path} has {counted(video.count, 'frame')}, none of {number}")
        name = f"{video.path}\n{crop}\n{number}"
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        with self._decoding:
            kept = self._kept.get(name)
            return self._decode(video, crop, number) if kept is None else kept

    def _decode(self, video: Video, crop: Crop, number: int) -> np.ndarray:
        first, last = max(number - _AROUND, 0), min(number + _AROUND + 1, video.count)
        found, why = None, "the frame cannot be decoded"
        x1, x2, y1, y2 = crop
        for frame in videos.read_some(video, range(first, last)):
            if frame.pixels is not None:
                cut = np.ascontiguousarray(frame.pixels[y1:y2, x1:x2])
                self._kept.put(f"{video.path}\n{crop}\n{frame.index}", cut)
            if frame.index == number:
                found, why = (None, frame.failure) if frame.pixels is None else (cut, "")
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
            video = videos.index(there[0])
            return self._checked(folder, video)
        except (OSError, ValueError) as error:
            return FolderFilm(None, why=files.why(error))

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

    def _checked(self, folder: str, video: Video) -> FolderFilm:
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
        found = FolderFilm(video, crop)
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
            decoded = self._decode(film.video, film.crop, number).astype(np.int16)
            if np.abs(decoded - self.pixels(one)).mean() > _OTHER:
                return False
        return True


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
