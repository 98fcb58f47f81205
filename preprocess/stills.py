"""Photographs by number: a set of still images is read as a video is, image after image.

Every image of a range is pixels or a reason. Pixels stand upright, as programs for people show them
and as MegaDetector sees them: the EXIF orientation is applied, unlike in `images`, whose pixels
labels are clicked on.
"""

import contextlib
import io
import json
from collections.abc import Container, Generator, Iterator, Sequence
from typing import NamedTuple

from beampose.core import files, json_files, storage
from beampose.preprocess import ahead, images
from beampose.preprocess.videos import Frame

# Threads that read and decode; Pillow decodes without Python's lock.
READERS = 4
# x, y, width, height as shares of the upright image, confidence (NaN: not said), category.
Box = tuple[float, float, float, float, float, str]


class Still(NamedTuple):
    """An image of a set.

    Attributes:
      name: below the root of the set, with slashes.
      bytes: of the file when it was listed.
      boxes: of a detector; None where none was asked.
      failure: why it cannot be used; empty if it can.
      code: of its content and its boxes; empty if nobody asked.
      before: number in the set that `Stills.earlier` has results of; -1 if it was not there.
    """

    name: str
    bytes: int
    boxes: tuple[Box, ...] | None = None
    failure: str = ""
    code: str = ""
    before: int = -1


class Stills(NamedTuple):
    """Images of a set, or those of a range of it; stands where a `videos.Video` does.

    Attributes:
      path: what was named: a folder, a list, an image.
      name: what results are called, where that name is free.
      root: the folder that names of images count from.
      count: of all images of the set.
      fingerprint: of the names and contents of all.
      listing: the file that lists all, see `write`.
      bytes: of all.
      earlier: folder with results of images of this set from an earlier run; empty if none.
      owns: name of the results of an earlier run that this set, which grew since, goes on with.
      first: number of the first of `images` in the set.
      images: those of a range; none until `window` reads them.
    """

    path: str
    name: str
    root: str
    count: int
    fingerprint: str = ""
    listing: str = ""
    bytes: int = 0
    earlier: str = ""
    owns: str = ""
    first: int = 0
    images: tuple[Still, ...] = ()

    def address(self, still: Still) -> str:
        return files.join(self.root, still.name) if self.root else still.name

    def still(self, number: int) -> Still:
        """The image of a number, which must be in the range."""
        return self.images[number - self.first]


class Facts(NamedTuple):
    """What an image says of itself.

    Attributes:
      height, width: upright; 0 where it could not be read.
      orientation: of EXIF; 1 is upright, or not said.
      taken: when, by EXIF, as 2026-05-01T06:30:00; empty if not said.
    """

    height: int = 0
    width: int = 0
    orientation: int = 1
    taken: str = ""


class Picture(NamedTuple):
    """A frame of a set, and what its image says of itself."""

    frame: Frame
    facts: Facts


def read(stills: Stills, numbers: Sequence[int], depth: int) -> Generator[Picture, None, None]:
    """Images of these numbers of a range, at most `depth` ahead of the consumer."""
    found = ahead.mapped(lambda number: _picture(stills, number), numbers, depth, READERS)
    with contextlib.closing(found):
        for _, picture in found:
            yield picture


def read_some(stills: Stills, numbers: Container[int]) -> Iterator[Frame]:
    """Frames of these numbers of a range."""
    for number in range(stills.first, stills.first + len(stills.images)):
        if number in numbers:
            yield _picture(stills, number).frame


def write(file: str, every: Sequence[Still]) -> None:
    """Writes a listing: a line an image, so that ranges are read without the others."""
    with storage.replacing(file) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(still, ensure_ascii=False) + "\n" for still in every)


def listed(file: str) -> Iterator[Still]:
    """The images of a listing, one in memory at a time.

    Raises:
      ValueError: a line of it is damaged; the text names it.
    """
    with files.open_file(file) as stream:
        for number, line in enumerate(stream, 1):
            told = json_files.parse(line, f"{file}:{number}")
            try:
                name, size, boxes, *rest = told
                kept = None if boxes is None else tuple((*box,) for box in boxes)
                still = Still(name, size, kept, *rest)
            except (TypeError, ValueError):
                what = "lists no image as it should: run the same command again"
                raise ValueError(f"{file}:{number} {what}") from None
            yield still


def windows(stills: Stills, size: int, beside: int = 0) -> Iterator[tuple[range, Stills]]:
    """Numbers of the images of the set in pieces, and the set with those of a piece.

    Args:
      size: images of a piece.
      beside: images before and after that it has as well.
    """
    held: list[Still] = []
    first = start = 0
    for still in listed(stills.listing):
        held.append(still)
        stop = start + size
        if first + len(held) == stop + beside:
            yield range(start, stop), stills._replace(first=first, images=tuple(held))
            gone = max(stop - beside - first, 0)
            held, first, start = held[gone:], first + gone, stop
    while start < first + len(held):
        stop = min(start + size, first + len(held))
        own = held[: stop + beside - first]
        yield range(start, stop), stills._replace(first=first, images=tuple(own))
        gone = max(stop - beside - first, 0)
        held, first, start = held[gone:], first + gone, stop


def _picture(stills: Stills, number: int) -> Picture:
    still = stills.still(number)
    if still.failure:
        return Picture(Frame(number, None, still.failure), Facts())
    try:
        with files.open_file(stills.address(still)) as stream:
            held = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            if held != still.bytes:
                what = f"has {held} bytes, and had {still.bytes} when the images were listed"
                return Picture(Frame(number, None, f"{what}: run the same command again"), Facts())
            photo = images.photo(stream)
    except FileNotFoundError:
        return Picture(Frame(number, None, "is not there any more"), Facts())
    except (OSError, ValueError) as error:
        return Picture(Frame(number, None, files.why(error)), Facts())
    height, width = photo.pixels.shape[:2]
    facts = Facts(height, width, photo.orientation, photo.taken)
    return Picture(Frame(number, photo.pixels), facts)
