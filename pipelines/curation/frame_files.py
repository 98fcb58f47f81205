"""Frames of a video as a DeepLabCut project keeps them: img<number>.png, whole or cut."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from beampose.core import files, storage
from beampose.formats.deeplabcut import project_config, video_links
from beampose.formats.deeplabcut.project_labels import LABELED_DATA
from beampose.pipelines import film_names
from beampose.pipelines.film_names import Film
from beampose.preprocess import ahead, images, select, videos
from beampose.preprocess.videos import Video

_AHEAD = 16

Progress = Callable[[Iterable, int, str], Iterable]
# Frames to vectors (n, dims), in order.
Embed = Callable[[Iterable[np.ndarray]], np.ndarray]


class Source:
    """Frames of a video as they would be written, and how many were considered or lost."""

    def __init__(self, video: Video, crop: tuple[int, int, int, int], progress: Progress):
        self.video, self._crop, self._progress = video, crop, progress
        self.looked_at = self.lost = 0

    def frame(self, number: int) -> np.ndarray | None:
        found = next(videos.read_some(self.video, [number]))
        return None if found.pixels is None else self._cropped(found.pixels)

    def vectors(self, numbers: list[int], embed: Embed | None) -> tuple[list[int], np.ndarray]:
        """Vectors of frames, and the numbers of those that could be decoded.

        Args:
          numbers: in order.
          embed: None makes vectors of gray thumbnails.
        """
        good: list[int] = []

        def frames() -> Iterator[np.ndarray]:
            reading = ahead.ahead(videos.read_some(self.video, numbers), _AHEAD)
            for frame in self._progress(reading, len(numbers), files.name(self.video.path)):
                self.looked_at += 1
                if frame.pixels is None:
                    self.lost += 1
                    continue
                good.append(frame.index)
                yield self._cropped(frame.pixels)

        if not numbers:
            return [], np.empty((0, 0), np.float32)
        if embed is None:
            # One block of bytes: a long video has many thousand of them.
            small = bytearray()
            for frame in frames():
                small += select.thumbnail(frame).tobytes()
            return good, np.frombuffer(small, np.uint8).reshape(len(good), -1 if good else 0)
        vectors = embed(frames())
        return good, vectors

    def _cropped(self, pixels: np.ndarray) -> np.ndarray:
        x1, x2, y1, y2 = self._crop
        return np.ascontiguousarray(pixels[y1:y2, x1:x2])

    @property
    def count(self) -> int:
        return self.video.count


def checked_crop(
    crop: tuple[int, int, int, int] | None, video: Video, *, named: str = "--crop"
) -> tuple[int, int, int, int]:
    """x1, x2, y1, y2 of what is kept of a frame; raises ValueError if it is not inside.

    Args:
      named: what the crop is called where it was given.
    """
    whole = (0, video.width, 0, video.height)
    if crop is None:
        return whole
    x1, x2, y1, y2 = crop
    if not (0 <= x1 < x2 <= video.width and 0 <= y1 < y2 <= video.height):
        raise ValueError(
            f"{named} {','.join(map(str, crop))} does not fit frames of {video.width}x"
            f"{video.height} (x1,x2,y1,y2)"
        )
    return crop


def numbers(folder: str) -> dict[int, str]:
    """Frames that a video's folder holds, by their file names, and the files.

    Not those of no bytes, which a power cut leaves.
    """
    if not files.is_folder(folder):
        return {}
    found = {number(child): child for child in files.children(folder)}
    return {n: child for n, child in found.items() if n is not None and files.size(child)}


def number(image: str) -> int | None:
    """Frame number in an image's file name; None for other names."""
    stem = files.stem(image)
    return int(stem[3:]) if stem.startswith("img") and stem[3:].isdecimal() else None


def check_size(
    had: dict[int, str],
    crop: tuple[int, int, int, int],
    *,
    remedy: str = "give the same --crop",
) -> None:
    """Frames of one folder have one size: labels are pixels of the crop."""
    if not had:
        return
    first = next(iter(had.values()))
    height, width = images.decode(files.read_bytes(first)).shape[:2]
    x1, x2, y1, y2 = crop
    if (width, height) != (x2 - x1, y2 - y1):
        raise ValueError(
            f"has frames of {width}x{height} in the project ({first}), these would be "
            f"{x2 - x1}x{y2 - y1}: {remedy}"
        )


def write(source: Source, number: int, folder: str) -> bool:
    """Writes a frame whole or not at all. False if it cannot be decoded."""
    pixels = source.frame(number)
    if pixels is None:
        source.lost += 1
        return False
    target = storage.place(folder, select.frame_name(number, source.count))
    # In order: which come next depends on those that are there.
    storage.write_bytes(target, images.encode_png(pixels), durable=True)
    return True


def enter(root: str, film: Film, crop: tuple[int, int, int, int], *, chosen: bool) -> None:
    """Names the film in the project's config.yaml, where it is not, and beside its frames."""
    file = files.join(root, project_config.CONFIG)
    text, encoding = project_config.read(file)
    entry = video_links.entry(root, files.absolute(film.path), film.name)
    known = project_config.crop_of(text, entry)
    if chosen and known not in (None, crop):
        raise ValueError(
            f"has another crop in {file}: {', '.join(map(str, known or ()))}. Give that one with "
            "--crop, or change it there"
        )
    try:
        changed = project_config.add_video(text, entry, crop)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    if changed != text:
        storage.write_bytes(file, project_config.encoded(changed, encoding), durable=True)
    video_links.make(root, files.absolute(film.path), film.name)
    film_names.record(storage.place(root, LABELED_DATA, film.name), film)
