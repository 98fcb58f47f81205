"""Labeled frames as image files of their own: where each goes, its bytes, its size."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from beampose.core import files, name_parts, storage
from beampose.core.answering import Unanswered
from beampose.core.wording import counted
from beampose.formats import kept_files
from beampose.preprocess import ahead, images, inside, missing_images, turned_labels, validate
from beampose.preprocess.labels import ERROR, LabeledFrame, Problem

_THREADS = 4
# What DeepLabCut and our own reader take for drawings of labels.
_DRAWINGS = "_labeled"
_TOGETHER = 64


class Picture(NamedTuple):
    """A frame that could be read: its folder and name in a project, and its size."""

    frame: LabeledFrame
    video: str
    name: str
    height: int
    width: int


class Copied(NamedTuple):
    """Pictures, what could not be read, and how many files had to be written."""

    pictures: list[Picture]
    problems: list[Problem]
    written: int


def copy(
    frames: Sequence[LabeledFrame],
    folder: storage.Address,
    *,
    overwrite: bool,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Copied:
    """Writes `<folder>/<video>/<image>` of every frame.

    Raises:
      ValueError: another image is there already, and `overwrite` is not set.
    """
    named, problems = _named(frames)
    found: list[Picture] = []
    written = 0
    read = _read(named)
    for (frame, video, name), told in progress(read):
        if isinstance(told, str):
            problems.append(Problem(ERROR, frame.file, frame.row, frame.name, told))
            continue
        data, frame, height, width = told
        file = kept_files.File(storage.place(folder, video, name), data)
        if not overwrite:
            kept_files.refuse(kept_files.conflicts([file]))
        written += kept_files.write(file)
        found.append(Picture(frame, video, name, height, width))
    return Copied(found, problems, written)


def refuse_none(copied: Copied, labeled: int) -> None:
    """Raises ValueError if no labeled image could be read; the text says why."""
    if not copied.pictures:
        why = f": {copied.problems[0].what}" if copied.problems else "."
        raise ValueError(f"None of {counted(labeled, 'labeled image')} can be read{why}")


def planned(frames: Sequence[LabeledFrame]) -> list[Picture]:
    """Plans the files of frames before any is read; their sizes are not known."""
    return [Picture(frame, video, name, 0, 0) for frame, video, name in _named(frames)[0]]


def by_video(pictures: Sequence[Picture]) -> dict[str, list[Picture]]:
    found: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        found[picture.video].append(picture)
    return dict(found)


def folder(video: str) -> str:
    """The folder of a video's frames, whose name any system takes and readers take for frames."""
    name = name_parts.safe(video)
    return f"{name}_frames" if name.endswith(_DRAWINGS) else name


def _named(
    frames: Sequence[LabeledFrame],
) -> tuple[list[tuple[LabeledFrame, str, str]], list[Problem]]:
    """Each frame with the folder and the file it goes to; two must not share one."""
    found, problems, taken = [], [], {}
    for frame in frames:
        try:
            (name,) = files.parts(files.name(frame.name))
            (video,) = files.parts(frame.video)
        except ValueError:
            what = f"cannot be a file of the folder {frame.video!r}; not written"
            problems.append(Problem(ERROR, frame.file, frame.row, frame.name, what))
            continue
        video, name = folder(video), name_parts.safe_file(name)
        other = taken.setdefault((video, name), frame)
        if other is not frame:
            problems.append(_twice(frame, other))
            continue
        found.append((frame, video, name))
    return found, problems


def _twice(frame: LabeledFrame, other: LabeledFrame) -> Problem:
    """Says that a frame has the file of another one: it is the same, or has its name alone."""
    if frame.image == other.image:
        return validate.duplicate(frame, other)
    what = (
        f"has the name of row {other.row} of {files.name(other.file)}, which is another image; "
        "not written. Rename one of the two files, and its row"
    )
    return Problem(ERROR, frame.file, frame.row, frame.name, what)


def _read(named: Sequence[tuple[LabeledFrame, str, str]]) -> Iterator:
    """Each with what `_bytes` gives; a few are read ahead."""
    readers = images.readers((frame.image for frame, *_ in named), _THREADS)
    return ahead.mapped(_bytes, named, _TOGETHER, readers)


def _bytes(
    one: tuple[LabeledFrame, str, str],
) -> tuple[bytes, LabeledFrame, int, int] | str:
    """Bytes, the frame with its points on these pixels, height and width; or what is wrong."""
    frame, _, name = one
    try:
        pixels, orientation = images.load(frame.image, once=True)
        own = inside.parse(frame.image) is None
        as_it_is = own and files.suffix(frame.image) == files.suffix(name)
        data = files.read_bytes(frame.image) if as_it_is else images.encode_png(pixels)
    except FileNotFoundError:
        return missing_images.what(frame.image)
    except Unanswered:
        raise
    except (OSError, ValueError) as error:
        return f"image {files.why(error)}"
    height, width = pixels.shape[:2]
    return data, turned_labels.as_stored(frame, orientation, height, width), height, width
