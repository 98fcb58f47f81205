"""Files and folders, read and written, whole or not at all.

Paths and bucket addresses (gs://bucket/folder) alike; the trainer reaches storage only by this.
"""

import contextlib
import fnmatch
import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from upath import UPath

from beampose.core import buckets, disk, files, json_files, leftovers
from beampose.core.answering import Unanswered
from beampose.core.names import COMPLETED

_WILDCARDS = frozenset("*?[]\\") if os.name != "nt" else frozenset("*?[]")
# Files of a bucket that are read together.
_AT_ONCE = 256
# Files that say that those beside them are there.
_LAST = ("saved_model.pb", COMPLETED)

Address = str | os.PathLike | UPath


def place(address: Address, *parts: str) -> UPath:
    """A path with pathlib's methods, local or in a bucket."""
    if isinstance(address, str):
        buckets.check(address)
    found = address if isinstance(address, UPath) else UPath(os.fspath(address))
    return found.joinpath(*parts) if parts else found


def is_local(path: Address) -> bool:
    return isinstance(place(path), Path)


@contextlib.contextmanager
def replacing(path: Address, *, durable: bool = False) -> Iterator[Path]:
    """A temporary local file that takes the place of `path` when the block ends without an error.

    In its place it is whole or not there at all, on a disk and in a bucket.

    Args:
      durable: waits until the disk has it, for what says that something else is whole.
    """
    target = place(path)
    if not is_local(target):
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder, target.name)
            yield temporary
            target.fs.put_file(str(temporary), target.path)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    leftovers.clear(Path(str(target.parent)))
    begins = leftovers.prefix(target.stem)
    with disk.naming(target, target.parent / begins):
        handle, name = tempfile.mkstemp(dir=str(target.parent), prefix=begins, suffix=target.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(disk.allowed(0o666))
            if durable:
                disk.sync(temporary)
            os.replace(temporary, str(target))
            if durable:
                disk.sync(Path(str(target.parent)))
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def check_writable(*folders: Address) -> None:
    """Raises OSError for the first folder of this machine in which nothing can be written."""
    for folder in folders:
        target = place(folder)
        if is_local(target):
            disk.check_writable(Path(str(target)))


def check_folder(folder: Address) -> None:
    """Raises OSError if a file of this machine stands where a folder is or will be."""
    target = place(folder)
    if is_local(target):
        disk.check_folder(Path(str(target)))


@contextlib.contextmanager
def replacing_folder(path: Address) -> Iterator[Path]:
    """A temporary local folder that takes the place of `path` when the block ends without an error.

    Whoever must know that it is whole looks for `COMPLETED` in the artefact it belongs to.
    """
    target = place(path)
    if not is_local(target):
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder, target.name)
            temporary.mkdir()
            yield temporary
            remove(target)
            upload(temporary, target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    leftovers.clear(Path(str(target.parent)))
    begins = leftovers.prefix(target.name)
    with disk.naming(target, target.parent / begins):
        temporary = Path(tempfile.mkdtemp(dir=str(target.parent), prefix=begins))
        try:
            yield temporary
            temporary.chmod(disk.allowed(0o777))
            remove(target)
            temporary.rename(str(target))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def local(path: Address) -> Iterator[Path]:
    """A local path with the content of a file or folder; a copy that is removed after the block."""
    source = place(path)
    if is_local(source):
        yield Path(str(source))
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, source.name)
        download(source, copy)
        yield copy


@contextlib.contextmanager
def without_wildcards(path: Address) -> Iterator[Path]:
    """As `local`, by a path without wildcards: TensorFlow takes names of its files for patterns."""
    with local(path) as found:
        if not _WILDCARDS & set(str(found.absolute())):
            yield found
            return
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder, "model")
            linked = _linked(plain, found.absolute())
            yield plain
            if not linked:
                shutil.copytree(plain, found, dirs_exist_ok=True)


def _linked(link: Path, folder: Path) -> bool:
    """Makes a link to a folder; a copy, and False, where Windows forbids links."""
    try:
        link.symlink_to(folder, target_is_directory=True)
    except OSError:
        shutil.copytree(folder, link)
        return False
    return True


def scratch(owner: object) -> Path:
    """A temporary local folder that is removed with its owner."""
    folder = Path(tempfile.mkdtemp(prefix="beampose-"))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def download(source: Address, target: Path) -> None:
    """Copies a file or a folder, with all below it, from a bucket.

    Raises:
      FileNotFoundError: nothing is there.
    """
    source = place(source)
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.fs.get_file(source.path, str(target))
        return
    below = source.fs.find(source.path)
    if not below:
        raise FileNotFoundError(f"{source} does not exist.")
    for one in below:
        copy = target / one[len(source.path.rstrip("/")) + 1 :]
        copy.parent.mkdir(parents=True, exist_ok=True)
        source.fs.get_file(one, str(copy))


def upload(source: Path, target: Address) -> None:
    """Copies a local folder, with all below it, into a bucket; what says it is whole comes last."""
    target = place(target)
    found = [path for path in source.rglob("*") if path.is_file()]
    for file in sorted(found, key=lambda path: (path.name in _LAST, path.name == COMPLETED, path)):
        to = target.joinpath(*file.relative_to(source).parts)
        to.fs.put_file(str(file), to.path)


def remove(folder: Address) -> None:
    """Takes a folder away, with all below it; nothing if it is not there."""
    folder = place(folder)
    if is_local(folder):
        shutil.rmtree(str(folder), ignore_errors=True)
    elif folder.fs.find(folder.path):
        folder.fs.rm(folder.path, recursive=True)


def write_text(path: Address, text: str, *, durable: bool = False) -> None:
    """Writes UTF-8 text whole or not at all; `durable` as of `replacing`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Address, data: bytes, *, durable: bool = False) -> None:
    """Writes bytes whole or not at all; `durable` as of `replacing`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def create_text(path: Address, text: str) -> bool:
    """Writes UTF-8 text where nothing is. False if something is there; one of many callers wins."""
    target = place(path)
    try:
        if is_local(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as stream:
                stream.write(text)
        else:
            target.fs.pipe_file(target.path, text.encode(), mode="create")
    except FileExistsError:
        # The answer to a first try may have been lost, and gcsfs tries again by itself.
        return not is_local(target) and target.read_text(encoding="utf-8") == text
    return True


def generation(path: Address) -> str | None:
    """The generation of a file of a bucket, as it is now; None if there is none to ask for."""
    target = place(path)
    try:
        return None if is_local(target) else target.fs.info(target.path).get("generation")
    except FileNotFoundError:
        return None


def remove_unchanged(path: Address, seen: str | None) -> None:
    """Takes a file of a bucket away, unless it is of another `generation` by now."""
    target = place(path)
    system: Any = target.fs
    if seen is None:
        target.unlink(missing_ok=True)
        return
    with contextlib.suppress(FileNotFoundError, FileExistsError):
        system.remove_unchanged(target.path, seen)


def write_json(path: Address, value: Any, *, durable: bool = False) -> None:
    """Writes JSON whole or not at all, `durable` as of `replacing`; NaN becomes null."""
    write_text(path, _text(value), durable=durable)


def read_bytes(path: Address) -> bytes:
    """Bytes of a file, with one request where it lies in a bucket."""
    return files.read_bytes(str(place(path)))


def read_json(path: Address, *keys: str) -> Any:
    """Reads JSON.

    Args:
      keys: which it must have; it is an object then.

    Raises:
      ValueError: it is something else; the text names the file.
    """
    data = read_bytes(path)
    return json_files.record(data, path, *keys) if keys else json_files.parse(data, path)


def whole(folder: Address, pattern: str) -> list[UPath]:
    """Files of a folder in order, without the hidden ones that a killed `replacing` leaves."""
    target = place(folder)
    if is_local(target):
        found = list(target.glob(pattern))
    else:  # Globbing would take the folder's own name for a pattern, too.
        found = [target / name for name in fnmatch.filter(names(target), pattern)]
    return [path for path in sorted(found, key=str) if not path.name.startswith(".")]


def whole_below(folder: Address, pattern: str) -> list[UPath]:
    """Files of a folder and of those in it, in order.

    Raises:
      PermissionError: the folder is there and cannot be read, which globbing passes over.
    """
    target = place(folder)
    if is_local(target):
        names(target)
        return sorted(target.rglob(pattern), key=str)
    inside = len(target.path.rstrip("/")) + 1
    found = (str(one)[inside:] for one in target.fs.find(target.path))
    parts = [one.split("/") for one in found if fnmatch.fnmatchcase(files.name(one), pattern)]
    return sorted((target.joinpath(*one) for one in parts), key=str)


def names(folder: Address) -> set[str]:
    """Names of what a folder holds, by listing it: in a bucket a request for each thousand."""
    folder = place(folder)
    try:
        if is_local(folder):
            return set(os.listdir(str(folder)))
        found = folder.fs.ls(folder.path, detail=False)
    except (FileNotFoundError, NotADirectoryError):
        return set()
    inside = (str(one).rstrip("/") for one in found if not files.is_same(str(one), folder.path))
    return {one.rpartition("/")[2] for one in inside}


def read_all(folder: Address, wanted: Sequence[str]) -> Iterator[bytes | None]:
    """Bytes of files of a folder, in order, many at a time; None of one that cannot be read.

    Raises:
      Unanswered: a bucket does not say what is in one.
    """
    folder = place(folder)
    if is_local(folder):
        for name in wanted:
            try:
                yield Path(str(folder), name).read_bytes()
            except OSError:
                yield None
        return
    for start in range(0, len(wanted), _AT_ONCE):
        paths = [f"{folder.path.rstrip('/')}/{name}" for name in wanted[start : start + _AT_ONCE]]
        found: Any = folder.fs.cat(paths, on_error="return")
        for path in paths:
            data = found.get(path.removeprefix("/"))
            if isinstance(data, Unanswered):
                raise data
            yield data if isinstance(data, bytes) else None


def digest(value: Any) -> str:
    """sha256 of a value's JSON with sorted keys, in hex."""
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(_plain(value), indent=1) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and value != value:
        return None
    return value
