"""Paths and bucket addresses alike, as strings: what they are called and what lies there."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from beampose.core import buckets, disk, placeholders
from beampose.core.answering import Unanswered

_BUCKETS = ("gs", "gcs", "s3", "s3a", "az", "abfs", "abfss", "adl", "file", "memory")
# Windows' numbers for files that a cloud drive keeps and cannot give.
_CLOUD = range(358, 405)
# Files of one folder of which a listing is cheaper than questions after each.
_MANY = 8
# What storages call the time at which a file was written.
_WRITTEN = ("mtime", "updated", "LastModified", "last_modified", "etag", "created")
# What `beampose.preprocess.inside` takes for an image inside another file.
INSIDE = re.compile(r"#(frame|image)=")


class NotAFile(OSError, ValueError):
    """A pipe, a socket or a device: opened, a pipe waits for ever for somebody to write into it."""


def special(path: str) -> str:
    """As `placeholders.special`; "" of an address, where there are neither pipes nor devices."""
    return "" if is_address(path) else placeholders.special(path)


def check_file(path: str) -> None:
    """Raises NotAFile, whose text names it, for what is there and neither a file nor a folder."""
    if what := special(path):
        raise NotAFile(f"{path} {what}: name a file in its place")


def open_file(path: str, mode: str = "rb", **options):
    """Opens a local path or an address such as gs://bucket/name.

    Raises:
      NotAFile: what is to be read is none.
    """
    if not is_address(path):
        if mode.startswith("r"):
            check_file(path)
        return open(path, mode, **options)
    buckets.check(path)
    return cast(fsspec.core.OpenFile, fsspec.open(path, mode, **options)).open()


def system(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a path, and the path there."""
    if is_address(path):
        buckets.check(path)
        return fsspec.core.url_to_fs(path)
    # fsspec takes `a::b`, `data:x` and `~x` for more than names.
    return LocalFileSystem(), Path(os.path.abspath(path)).as_posix()


def read_bytes(path: str) -> bytes:
    if is_address(path):
        # Opened, an object is looked up and its "folder" listed before: three requests for one.
        remote, inner = system(path)
        return cast(bytes, remote.cat_file(inner))
    with open_file(path) as file:
        return file.read()


def read_pieces(path: str, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    """Bytes of a file from a first to before a last one, piece after piece."""
    if is_address(path):
        remote, inner = system(path)
        starts, ends = [list(one) for one in zip(*spans, strict=True)] if spans else ([], [])
        # All at once: one after the other each would wait for its answer.
        yield from remote.cat_ranges([inner] * len(starts), starts, ends, on_error="raise")
        return
    with open_file(path) as stream:
        for start, end in spans:
            stream.seek(start)
            yield stream.read(end - start)


def why(error: BaseException) -> str:
    """Message of an error; where the system refuses a file, also which file and what to do."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    file = disk.refused_file(error)
    if not file:
        if error.errno in (errno.ENOENT, errno.ESTALE) and disk.is_adrift():
            return "the folder that this runs in was removed: change to one that is there, with cd"
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return str(error)
        places = f"{disk.temporary_folder()}, or where results are written"
        return f"{os.strerror(error.errno)}: {places}: make room"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        what = _denied(file)
    elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        what = "a file stands where a folder should, or the other way round: choose another place"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = "make room, or choose a folder on another disk"
    elif error.errno == errno.EDEADLK or getattr(error, "winerror", 0) in _CLOUD:
        what = "a cloud drive has not downloaded it: make it available offline there"
    elif error.errno == errno.ENOENT and (there := placeholders.beside(file)):
        what = there
    else:
        return f"{file}: {error.strerror}" if error.strerror else str(error)
    return f"{file}: {error.strerror}: {what}"


def _denied(path: str) -> str:
    """What to do where the system refuses a file of this machine: it may be to read it."""
    try:
        there = disk.nearest(Path(path))
    except OSError:  # The folder that it lies in shows nothing.
        return "its folder cannot be entered: change that one's permissions"
    if there == Path(path) and not os.access(there, os.R_OK):
        return "it cannot be read: change its permissions"
    return "choose a writable folder, or change its permissions"


def exists(path: str) -> bool:
    found, inner = system(path)
    return found.exists(inner)


def require(path: str, what: str, more: str = "") -> None:
    """Raises where there is neither file nor folder.

    Args:
      what: it should be, for the error.
      more: a sentence to end with, without its full stop.

    Raises:
      FileNotFoundError: the text also says what stands in its place.
    """
    if not exists(path):
        raise missing(what, path, more)


def missing(what: str, path: object, more: str = "") -> FileNotFoundError:
    """As `placeholders.missing`, also where it is the bucket that is not there."""
    if is_address(str(path)):
        there, inner = system(str(path))
        ask, bucket = getattr(there, "require_bucket", None), inner.partition("/")[0]
        # Whether there is one may be what this account is not told.
        with contextlib.suppress(Unanswered):
            if ask is not None and bucket:
                try:
                    ask(bucket)
                except FileNotFoundError as error:
                    return FileNotFoundError(f"No {what} {path}. {error}")
    return placeholders.missing(what, path, more)


def is_folder(path: str) -> bool:
    found, inner = system(path)
    return found.isdir(inner)


def size(path: str) -> int:
    """Bytes of a file."""
    found, inner = system(path)
    return int(found.size(inner) or 0)


def stamp(path: str) -> tuple[int, str]:
    """Bytes of a file and when it was written: with another stamp it is another file."""
    found, inner = system(path)
    about = found.info(inner)
    written = next((about[key] for key in _WRITTEN if about.get(key)), "")
    return int(about.get("size") or 0), str(written)


def sizes(paths: Sequence[str]) -> dict[str, int]:
    """Bytes of files by their paths; 0 of what is no file or not there, or is in no storage.

    Folders of a bucket that many of them lie in are listed: a request for each thousand, and not
    some for each file.
    """
    found = {}
    above: dict[str, list[str]] = {}
    for path in paths:
        if path and is_address(path) and is_in_storage(path):
            above.setdefault(parent(path), []).append(path)
    for folder, inside in above.items():
        if len(inside) >= _MANY:
            where, inner = system(folder)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                there = where.ls(inner, detail=True)
                known = {listed_name(one["name"]): one for one in there if one["type"] == "file"}
                found |= {p: int(known[name(p)]["size"]) if name(p) in known else 0 for p in inside}
    return found | {path: _size(path) for path in paths if path not in found}


def _size(path: str) -> int:
    there = path and is_in_storage(path) and exists(path) and not is_folder(path)
    return size(path) if there else 0


def matching(pattern: str) -> list[str]:
    """Full addresses of files that a glob means, sorted."""
    where, inner = system(pattern)
    found = cast(list[str], where.glob(inner))
    return sorted(where.unstrip_protocol(one) if is_address(pattern) else one for one in found)


def is_address(path: str) -> bool:
    """Returns True for an address such as gs://bucket/folder, False for a local path."""
    return "://" in path


def is_in_storage(path: str) -> bool:
    """Returns True for a local path and for an address in a bucket; web addresses are neither."""
    protocol, mark, _ = path.partition("://")
    return not mark or protocol.lower() in _BUCKETS


def is_absolute(path: str) -> bool:
    return is_address(path) or Path(path).is_absolute() or PureWindowsPath(path).is_absolute()


def absolute(path: str) -> str:
    return path if is_address(path) else str(Path(path).absolute())


def children(folder: str) -> list[str]:
    """Full addresses of what a folder holds, sorted by name."""
    where, inner = system(folder)
    found = where.ls(inner, detail=False)
    inside = (entry for entry in found if not is_same(entry, inner))
    return sorted(join(folder, listed_name(entry)) for entry in inside if listed_name(entry))


def listed_name(entry: str) -> str:
    """The name of what a listing of a folder or a bucket gives.

    Its parts stand between slashes; a backslash is a letter of a name there, as of what was packed
    on Windows.
    """
    return entry.rstrip("/").rpartition("/")[2]


def is_same(entry: str, folder: str) -> bool:
    """Whether what a listing of a folder names is the folder: in a bucket one that was made in
    Google's console holds itself."""
    return entry.rstrip("/") == folder.rstrip("/")


def of_suffix(folder: str, ending: str) -> list[str]:
    """Full addresses of what a folder holds of a suffix; nothing of what is no folder."""
    there = children(folder) if is_folder(folder) else []
    return [child for child in there if suffix(child) == ending]


class Child(NamedTuple):
    """What a folder holds: its full address, and whether it is a folder itself."""

    path: str
    is_folder: bool


def listed(folder: str) -> list[Child]:
    """What a folder holds, sorted by name: in a bucket a request for each thousand."""
    where, inner = system(folder)
    # Links say what they lead to; only a disk has them.
    found = [
        Child(
            join(folder, listed_name(one["name"])),
            where.isdir(one["name"]) if one.get("islink") else one["type"] == "directory",
        )
        for one in where.ls(inner, detail=True)
        if listed_name(one["name"]) and not is_same(one["name"], inner)
    ]
    return sorted(found)


def below(folder: str, depth: int, most: int) -> list[str]:
    """Full addresses of files in a folder and the folders in it, `most` of them at most.

    Args:
      depth: of folders; 1 is the folder alone.
    """
    where, inner = system(folder)
    found: list[str] = []
    start = len(inner.rstrip("/")) + 1
    for place, _, names in where.walk(inner, maxdepth=depth):
        above = [part for part in [str(place)[start:]] if part]
        found += [join(folder, *above, name) for name in names if name]
        if len(found) >= most:
            break
    return sorted(found[:most])


def join(folder: str, *parts: str) -> str:
    """Joins with forward slashes."""
    return "/".join([folder.rstrip("/\\"), *parts])


def parent(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[0] or "."


def name(path: str) -> str:
    """The last part of a path written on any system."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


def stem(path: str) -> str:
    """The name without its last extension."""
    return PurePosixPath(name(path)).stem


def suffix(path: str) -> str:
    """The last extension, lower case, with its dot."""
    return PurePosixPath(name(path)).suffix.lower()


def names_inside(path: str) -> bool:
    """Returns True for what would be taken for an image inside another file."""
    return bool(INSIDE.search(path))


def parts(path: str) -> tuple[str, ...]:
    """The parts of a relative path written on Windows or elsewhere.

    Raises:
      ValueError: the path is absolute or leaves its folder, or it is the address of an image inside
        another file; label files must not reach outside, nor open what is no image.
    """
    if names_inside(path):
        raise ValueError(f"{path!r} must name an image file, not one inside another file")
    if "\0" in path:
        raise ValueError(f"{path!r} holds a zero byte, which no name of a file may")
    found = PureWindowsPath(path.strip())
    if found.drive or found.root or ".." in found.parts:
        raise ValueError(f"{path!r} must stay inside the project folder")
    return found.parts
