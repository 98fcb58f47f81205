"""Videos or images of a folder, and words for what looks like one in it and is not taken."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from beampose.core import files, placeholders, system_folders
from beampose.core.wording import counted
from beampose.preprocess import images, tiff_stacks, videos


class Kind(NamedTuple):
    """Kind of files that are taken from a folder.

    Attributes:
      word: for one of them.
      suffixes: of those that can be read.
      others: suffixes of those that cannot.
      better: the suffix to convert these to.
    """

    word: str
    suffixes: tuple[str, ...]
    others: tuple[str, ...]
    better: str


VIDEOS = Kind(
    "video",
    videos.SUFFIXES,
    (
        *(".amv", ".arf", ".avs", ".bik", ".braw", ".cine", ".dav", ".dvr-ms", ".m3u", ".m3u8"),
        *(".mpd", ".mp4v", ".mve", ".nsv", ".r3d", ".raw", ".roq", ".seq", ".smk", ".swf", ".vpj"),
        *(".webp", ".wtv", ".xesc", ".yuv"),
    ),
    ".mp4",
)
IMAGES = Kind(
    "image",
    images.SUFFIXES,
    (
        *(".arw", ".avif", ".cr2", ".cr3", ".dng", ".exr", ".gif", ".heic", ".heif", ".j2k"),
        *(".jfif", ".jp2", ".jpe", ".jxl", ".nef", ".orf", ".pbm", ".pgm", ".pnm", ".ppm"),
        *(".raf", ".raw", ".rw2", ".tga", ".webp"),
    ),
    ".png",
)
# Names of films that DeepLabCut or `render` drew predictions into; DeepLabCut leaves them in
# the folder of the films.
_DRAWN = re.compile(r"(DLC_|DeepCut_|_superanimal_).*_(labeled|full)$")
# Depth of folders and number of files that are looked through for what is not taken.
_DEPTH = 4
_MOST = 10_000
_SHOWN = 3


class Inside(NamedTuple):
    """Content of a folder.

    Attributes:
      taken: files that lie in it, sorted by name.
      left: human-readable, on what is not taken; empty if that is nothing.
    """

    taken: list[str]
    left: str


def read(folder: str, kind: Kind) -> Inside:
    """Files of a kind in a folder; those of the folders in it are counted and not taken.

    What is hidden is not taken either, and counted.
    """
    taken, shadows, hidden, others, absent, drawn, pipes = [], [], [], [], [], [], []
    for child, is_folder in files.listed(folder):
        suffix = files.suffix(child)
        inner, why = placeholders.stands_for(files.name(child))
        if files.suffix(inner) in (*kind.suffixes, *kind.others):
            absent.append((child, why))
            continue
        if suffix in kind.suffixes and files.name(child).startswith("._"):
            # What a Mac leaves beside a file on other disks; it has the file's suffix.
            shadows.append(child)
        elif suffix in (*kind.suffixes, *tiff_stacks.SUFFIXES) and files.special(child):
            pipes.append(child)
        elif not is_folder and (suffix in kind.suffixes or _is_stack(child, kind)):
            is_one = kind is VIDEOS and is_drawn(child)
            place = hidden if _is_hidden(files.name(child)) else drawn if is_one else taken
            place.append(child)
        elif suffix in kind.others:
            others.append(child)
    said = [unreadable(others, kind)] if others else []
    said += _not_meant(absent, drawn, shadows, hidden)
    if pipes:
        said.append(f"{_some(pipes)} that are pipes or devices")
    if below := _below(folder, kind):
        said.append(below)
    return Inside(taken, "; ".join(said))


def _not_meant(
    absent: list[tuple[str, str]], drawn: list[str], shadows: list[str], hidden: list[str]
) -> Iterator[str]:
    """Words for files that have the suffix and are none of what is looked for."""
    if absent:
        yield f"{_some([one for one, _ in absent])} that are placeholders: {absent[0][1]}"
    if drawn:
        yield with_drawings(drawn)
    if shadows:
        yield f"{_some(shadows)} that macOS wrote beside others"
    if hidden:
        yield f"{_some(hidden)} whose names begin with a dot"


def unreadable(paths: list[str], kind: Kind) -> str:
    """Words for files of a kind that cannot be read."""
    return f"{_some(paths)} of formats that cannot be read: convert to {kind.better}"


def is_drawn(path: str) -> bool:
    """Whether a film is called as those are that predictions were drawn into."""
    return _DRAWN.search(files.stem(path)) is not None


def with_drawings(paths: list[str]) -> str:
    """Words for films that predictions were drawn into."""
    return f"{_some(paths)} with predictions drawn into them"


def _below(folder: str, kind: Kind) -> str:
    """Words for files of a kind in the folders of a folder, none of them hidden or a system's."""
    start = len(folder.rstrip("/")) + 1
    inner = [path[start:] for path in files.below(folder, _DEPTH, _MOST)]
    found = [
        path
        for path in inner
        if "/" in path
        and not _is_hidden(path)
        and not system_folders.is_inside(path)
        and not (kind is VIDEOS and is_drawn(path))
        and (files.suffix(path) in kind.suffixes or _is_stack(files.join(folder, path), kind))
    ]
    if not found:
        return ""
    places = sorted({files.parent(path) for path in found})
    shown = ", ".join(places[:_SHOWN]) + (", …" if len(places) > _SHOWN else "")
    glob = f"{folder.rstrip('/')}/*/*{kind.better}"
    what = f"{counted(len(found), kind.word)} in folders of it ({shown})"
    return f"{what}: name those folders, or a glob such as {glob}"


def _is_stack(path: str, kind: Kind) -> bool:
    """A TIFF of several pages, which is a video."""
    return kind is VIDEOS and tiff_stacks.is_stack(path)


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _some(paths: list[str]) -> str:
    shown = ", ".join(files.name(path) for path in paths[:_SHOWN])
    more = ", …" if len(paths) > _SHOWN else ""
    return f"{counted(len(paths), 'file')} ({shown}{more})"
