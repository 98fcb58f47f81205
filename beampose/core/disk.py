"""The local disk: until it has what was written, and what it says where it cannot."""

import contextlib
import errno
import functools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS)


@contextlib.contextmanager
def naming(target: object, temporary: object) -> Iterator[None]:
    """Says which file could not be written, where the system does not: a full disk names none.

    Libraries have errors of their own for it (HDF5, FFmpeg, TensorFlow), whose words hold the
    system's.

    Args:
      target: what is written, in the end.
      temporary: where it is written first, or how its path begins; no name to be told.
    """
    try:
        yield
    except Exception as error:
        code = of_disk(error, str(temporary))
        if code is None:
            raise
        raise OSError(code, os.strerror(code), str(target)) from error


def temporary_folder() -> str:
    """The folder of temporary files and how to name another, human-readable."""
    temporary = Path(tempfile.gettempdir())
    # A command has a folder of its own there, which is gone by then.
    common = temporary.parent if temporary.name.startswith(".") else temporary
    return f"{common}, for temporary files (TMPDIR names another folder)"


def of_disk(error: BaseException, temporary: str = "") -> int | None:
    """The system's number of a full disk or the like, if that is why; None where a file is named.

    A temporary file is none that anybody knows: one whose path begins so.
    """
    if isinstance(error, OSError) and error.errno is not None:
        if (file := refused_file(error)) is not None:
            named = os.path.abspath(file) if temporary else file
            begins = os.path.abspath(temporary) if temporary else ""
            return error.errno if named.startswith(begins) else None
        return error.errno if error.errno in _OF_DISKS else None
    told = (*_OF_DISKS, errno.EACCES)
    return next((code for code in told if os.strerror(code) in str(error)), None)


def refused_file(error: OSError) -> str | None:
    """The file that the system refused: of a copy onto a full disk the copy, not what it is of."""
    second = error.filename2 if error.errno in _OF_DISKS else None
    found = error.filename if second is None else second
    return None if found is None else str(found)


@functools.cache
def _umask() -> int:
    """Rights that this process gives nobody, as its user chose; Python tells only by setting it."""
    with contextlib.suppress(OSError):
        found = re.search(r"^Umask:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
        if found:
            return int(found[1], 8)
    os.umask(mask := os.umask(0o077))
    return mask


def allowed(mode: int) -> int:
    """Rights that a new file or folder has: temporary ones are made for their owner alone."""
    return mode & ~_umask()


def is_adrift() -> bool:
    """Whether the folder that this process runs in was removed, as scratch folders are."""
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def nearest(path: Path) -> Path:
    """The path, or of the folders above it the first that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def check_writable(folder: Path) -> None:
    """Raises OSError, which names the folder, if nothing can be written there.

    For what would otherwise be noticed only after the work. The folder need not be there yet.
    """
    check_folder(folder)
    there = nearest(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        code = errno.EROFS if _is_read_only(there) else errno.EACCES
        raise OSError(code, os.strerror(code), str(folder))


def check_folder(folder: Path) -> None:
    """Raises OSError, which names it, if a file stands where a folder is or will be."""
    there = nearest(folder)
    if not there.is_dir():
        raise OSError(f"{there} is a file, where a folder is to be made: name another")


def check_room(folder: Path, needed: int, name: str) -> None:
    """Raises OSError, which says both figures, if a disk has less than so many bytes left.

    Args:
      folder: need not be there yet.
      name: of the disk, as a sentence begins.
    """
    there = nearest(folder)
    free = shutil.disk_usage(there).free
    if free < needed:
        raise OSError(
            f"{name} is too full: it has room for {free / 1e6:.1f} MB, and at least "
            f"{needed / 1e6:.1f} MB are needed. Make room there"
        )


def _is_read_only(folder: Path) -> bool:
    # Windows has none.
    return hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def sync(path: Path) -> None:
    """Waits until the disk has a file, or the names in a folder."""
    if path.is_dir():
        # Windows opens no folders, and some network disks do not sync them.
        with contextlib.suppress(OSError):
            _fsync(path, os.O_RDONLY)
    else:
        _fsync(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)


def _fsync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
