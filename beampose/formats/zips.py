"""Zips from strangers: unpacked within limits and inside their folder; then the project is found.

Nothing a zip says is believed: not its paths, not its sizes, not that its members are files.
Nothing in it is run or unpickled.
"""

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from beampose.core import files
from beampose.formats import crop_folders
from beampose.formats.deeplabcut import project_labels
from beampose.preprocess import images

# What Apple's archiver adds: a shadow file for every file.
SHADOWS = "__MACOSX"
_BLOCK = 1 << 20
# A short file of zeros is no bomb, however well it was packed.
_RATIO_MATTERS_FROM = 10_000_000
# What zipfile raises where the bytes make no sense.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    UnicodeDecodeError,
)
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LONGEST_PATH = 1000
_DEEPEST_PATH = 40


class Limits(NamedTuple):
    """Limits on what a zip may contain.

    Attributes:
      bytes: of all members, unpacked.
      files: members, folders too.
      ratio: unpacked to packed bytes of a member above 10 MB. Deflate reaches 1032, images and
        tables of labels stay below 100.
    """

    bytes: int = 8_000_000_000
    files: int = 100_000
    ratio: float = 200.0


def unpack(zip_path: str | os.PathLike, target: str | os.PathLike, limits: Limits) -> None:
    """Unpacks a local zip into a folder, which is made. On an error the folder may hold a part.

    Members are written as new files and never as links; backslashes separate folders, as in the
    zips of old Windows programs.

    Raises:
      ValueError: not a whole zip, a member that would leave the folder, a link or special file, an
        encrypted, repeated or damaged member, or more than the limits; the text names the member.
    """
    root = Path(target)
    root.mkdir(parents=True, exist_ok=True)
    left = limits.bytes
    try:
        # The end record says how long the list of members is, and zipfile would read it whole.
        with (
            _Reader(io.FileIO(zip_path), 400 * limits.files + (1 << 16)) as stream,
            zipfile.ZipFile(stream) as archive,
        ):
            for member, parts in _checked(archive.infolist(), limits):
                if SHADOWS not in parts:
                    left -= _write(archive, member, root.joinpath(*parts), left)
    except _BROKEN as error:
        raise ValueError(f"is not a complete zip: {error}. Make it and upload it again") from None


class _Reader(io.BufferedReader):
    """Refuses to read more at once than a list of members can be long."""

    def __init__(self, raw: io.RawIOBase, most: int):
        super().__init__(raw)
        self.most = most

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.most:
            raise ValueError(f"the zip's list of members is {size:,} bytes long: too many files")
        return super().read(size)


def _checked(
    members: list[zipfile.ZipInfo], limits: Limits
) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """The members and the parts of their paths, after all that can be known before reading."""
    if len(members) > limits.files:
        raise ValueError(f"holds {len(members):,} files, above {limits.files:,}")
    declared = sum(member.file_size for member in members)
    if declared > limits.bytes:
        raise ValueError(
            f"is {declared:,} bytes unpacked, above {limits.bytes:,}. Leave videos out of the zip"
        )
    checked, seen = [], set()
    for member in members:
        parts = _parts(member)
        if not parts:
            continue
        _check(member, limits)
        # A folder may be listed any number of times.
        if parts in seen and not _is_folder(member):
            raise ValueError(f"member {_shown(member)} is there twice")
        seen.add(parts)
        checked.append((member, parts))
    return checked


def _parts(member: zipfile.ZipInfo) -> tuple[str, ...]:
    # `filename` ends at a zero byte; what follows it would go unseen.
    name = member.orig_filename
    if any(ord(letter) < 32 for letter in name):
        raise ValueError(f"member {_shown(member)} has control characters in its name")
    try:
        parts = files.parts(name)
    except ValueError:
        raise ValueError(f"member {_shown(member)} would leave its folder") from None
    if len(name) > _LONGEST_PATH or len(parts) > _DEEPEST_PATH:
        raise ValueError(f"member {_shown(member)} has too long a path")
    return parts


def _check(member: zipfile.ZipInfo, limits: Limits) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "a special file"
        raise ValueError(f"member {_shown(member)} is {what}. Zip the files themselves")
    if member.flag_bits & 0x1:
        raise ValueError(f"member {_shown(member)} is encrypted. Zip without a password")
    if member.compress_type not in _READABLE:
        raise ValueError(
            f"member {_shown(member)} is packed with method {member.compress_type}, which is not "
            "read. Zip with the usual method, deflate"
        )
    large = member.file_size > _RATIO_MATTERS_FROM
    if large and member.file_size > limits.ratio * max(member.compress_size, 1):
        raise ValueError(
            f"member {_shown(member)} unpacks to more than {limits.ratio:g} times its size"
        )


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, left: int) -> int:
    """Writes a member as a new file. Returns its bytes, as counted and not as the zip says."""
    try:
        if _is_folder(member):
            path.mkdir(parents=True, exist_ok=True)
            return 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, path.open("xb") as copy:
            written = 0
            while block := source.read(_BLOCK):
                written += len(block)
                if written > left:
                    raise ValueError(f"member {_shown(member)} goes beyond the limit of bytes")
                copy.write(block)
    except _BROKEN as error:
        raise ValueError(f"member {_shown(member)} is damaged: {error}") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise ValueError(f"member {_shown(member)} is there twice") from None
    except OSError as error:
        raise ValueError(f"member {_shown(member)} cannot be written: {error.strerror}") from None
    if written != member.file_size:
        raise ValueError(
            f"member {_shown(member)} is damaged: {written:,} bytes, not {member.file_size:,}"
        )
    return written


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.orig_filename.endswith(("/", "\\"))


def _shown(member: zipfile.ZipInfo) -> str:
    name = member.orig_filename
    return repr(name if len(name) <= 120 else f"{name[:100]}…")


def find_project(folder: str | os.PathLike) -> tuple[str, str]:
    """The format and the path of the one project in a local folder, at any depth.

    A DeepLabCut project is a config.yaml with labeled-data/ beside it. Crops are class folders of
    images, inside Training and Testing or not. Any two folders of images would be crops, so those
    without one of the known names count only where nothing else is found. Folders that begin with a
    dot, and Apple's shadows, are ignored.

    Raises:
      ValueError: there is no project or there are several; the text says where.
    """
    root = Path(folder)
    found = list(_projects(root, known_names=True)) or list(_projects(root, known_names=False))
    if len(found) == 1:
        return found[0][0], str(found[0][1])
    if found:
        places = ", ".join(f"{path.relative_to(root)} ({kind})" for kind, path in sorted(found))
        raise ValueError(f"holds {len(found)} projects: {places}. Upload one zip for each")
    alone = sorted(p.parent for p in root.rglob("config.yaml") if p.is_file())
    hint = f" {alone[0].relative_to(root)} has a config.yaml only." if alone else ""
    raise ValueError(
        "holds no project: neither a DeepLabCut project (config.yaml with "
        f"{project_labels.LABELED_DATA}/ beside it) nor folders of crops (such as "
        f"Training/Positive and Training/Negative).{hint}"
    )


def _projects(folder: Path, *, known_names: bool) -> Iterator[tuple[str, Path]]:
    """Projects from the top down; what lies inside one is part of it."""
    if (folder / "config.yaml").is_file() and (folder / project_labels.LABELED_DATA).is_dir():
        yield "deeplabcut", folder
        return
    below = _folders(folder)
    if _holds_crops(below, known_names):
        yield "crops", folder
        return
    for child in below:
        yield from _projects(child, known_names=known_names)


def _holds_crops(below: list[Path], known_names: bool) -> bool:
    classes = [child for child in below if _has_images(child)]
    for child in below:
        if child.name.lower() in crop_folders.SPLITS:
            classes += [inner for inner in _folders(child) if _has_images(inner)]
    names = {child.name.lower() for child in classes}
    if len({crop_folders.CLASSES.get(name, name) for name in names}) < 2:
        return False
    splits = any(child.name.lower() in crop_folders.SPLITS for child in below)
    return not known_names or splits or bool(names & crop_folders.CLASSES.keys())


def _folders(folder: Path) -> list[Path]:
    return sorted(
        child
        for child in folder.iterdir()
        if child.is_dir() and not child.name.startswith(".") and child.name != SHADOWS
    )


def _has_images(folder: Path) -> bool:
    return any(
        PurePosixPath(child.name).suffix.lower() in images.SUFFIXES
        for child in folder.iterdir()
        if not child.name.startswith(".") and child.is_file()
    )
