"""Zips from strangers, unpacked within limits and inside their folder.

Nothing a zip says is believed: not its paths, not its sizes, not that its members are files.
Nothing in it is run or unpickled.
"""

import io
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from beampose.core import files

# What Apple's archiver adds: a shadow file for every file.
SHADOWS = "__MACOSX"
# Names of files that hold whole folders, which nobody unpacks here.
PACKED = (".zip", ".tar", ".tgz", ".gz", ".rar", ".7z")
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
      ratio: unpacked bytes to those of the zip, of a member above 10 MB and of all together.
        Deflate reaches 1032, images and tables of labels stay below 100.
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
    size = os.path.getsize(zip_path)
    left = limits.bytes
    try:
        # The end record says how long the list of members is, and zipfile would read it whole.
        with (
            _Reader(io.FileIO(zip_path), 400 * limits.files + (1 << 16)) as stream,
            zipfile.ZipFile(stream) as archive,
        ):
            for member, parts in _checked(archive.infolist(), size, limits):
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
    members: list[zipfile.ZipInfo], size: int, limits: Limits
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
    if declared > max(_RATIO_MATTERS_FROM, limits.ratio * size):
        raise ValueError(
            f"is {declared:,} bytes unpacked, more than {limits.ratio:g} times its own {size:,}"
        )
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
