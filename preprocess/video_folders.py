"""Videos of a folder, and words for what looks like one in it and is not taken."""

from typing import NamedTuple

from beampose.core import files
from beampose.preprocess import videos

# Files of cameras and editors that hold films and cannot be read.
_OTHERS = (
    *(".amv", ".arf", ".avs", ".bik", ".braw", ".cine", ".dav", ".dvr-ms", ".m3u", ".m3u8"),
    *(".mpd", ".mp4v", ".mve", ".nsv", ".r3d", ".raw", ".roq", ".seq", ".smk", ".swf", ".vpj"),
    *(".webp", ".wtv", ".xesc", ".yuv"),
)
# Depth of folders and number of files that are looked through for videos that are not taken.
_DEPTH = 4
_MOST = 10_000
_SHOWN = 3


class Inside(NamedTuple):
    """Content of a folder.

    Attributes:
      taken: videos that lie in it, sorted by name.
      left: human-readable, on what is not taken; empty if that is nothing.
    """

    taken: list[str]
    left: str


def read(folder: str) -> Inside:
    """Videos of a folder; those of the folders in it are counted and not taken."""
    taken, shadows, others = [], [], []
    for child in files.children(folder):
        suffix = files.suffix(child)
        if suffix in videos.SUFFIXES and files.name(child).startswith("._"):
            # What a Mac leaves beside a file on other disks; it has the file's suffix.
            shadows.append(child)
        elif suffix in videos.SUFFIXES and not files.is_folder(child):
            taken.append(child)
        elif suffix in _OTHERS:
            others.append(child)
    said = []
    if others:
        said.append(f"{_some(others)} of formats that cannot be read: convert them to mp4")
    if shadows:
        said.append(f"{_some(shadows)} that macOS wrote beside others")
    below = [path for path in files.below(folder, _DEPTH, _MOST) if _is_below(path, folder)]
    if below:
        count = len(below)
        places = sorted({files.parent(path)[len(folder.rstrip("/")) + 1 :] for path in below})
        shown = ", ".join(places[:_SHOWN]) + (", …" if len(places) > _SHOWN else "")
        what = f"{count} video{'s' if count > 1 else ''} in folders of it ({shown})"
        said.append(f"{what}: name those folders, or a glob such as {folder.rstrip('/')}/*/*.mp4")
    return Inside(taken, "; ".join(said))


def _is_below(path: str, folder: str) -> bool:
    """Returns True for a video in a folder of the folder, none of them hidden."""
    inner = path[len(folder.rstrip("/")) + 1 :].split("/")
    hidden = any(part.startswith(".") for part in inner)
    return len(inner) > 1 and not hidden and files.suffix(path) in videos.SUFFIXES


def _some(paths: list[str]) -> str:
    shown = ", ".join(files.name(path) for path in paths[:_SHOWN])
    return f"{len(paths)} file{'s' if len(paths) > 1 else ''} ({shown}" + (
        ", …)" if len(paths) > _SHOWN else ")"
    )
