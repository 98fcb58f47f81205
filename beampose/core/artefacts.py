"""Folders that describe themselves (`info.json`) and say when they are whole (`COMPLETED`)."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from upath import UPath

from beampose.core import disk, storage
from beampose.core.infos.record import Info, Kind, parse
from beampose.core.names import COMPLETED, INFO


def begin(folder: storage.Address) -> UPath:
    """Makes the folder and takes its COMPLETED away: it is being written."""
    folder = storage.place(folder)
    if storage.is_local(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        (folder / COMPLETED).unlink()
        if storage.is_local(folder):
            # Before anything else changes, lest a power cut brings it back.
            disk.sync(Path(str(folder)))
    return folder


def complete(folder: storage.Address, info: Info) -> None:
    """Writes what the folder holds, then says that it is whole: after a power cut too."""
    settle(folder)
    write_info(storage.place(folder, INFO), info)
    storage.write_text(storage.place(folder, COMPLETED), "", durable=True)


def require(folder: storage.Address, kind: type[Kind], run: str = "") -> Kind:
    """The info of a whole folder.

    Args:
      run: the command that makes it, where it is not the usual one.

    Raises:
      FileNotFoundError: the folder is missing or was not finished; the text names the command.
      ValueError: another step made it, or a newer version; the text says what to do.
    """
    folder = storage.place(folder)
    if not (folder / COMPLETED).is_file():
        if folder.is_file():
            raise FileNotFoundError(f"{folder} is a file: the folder that it belongs to is meant.")
        state = "was not finished" if folder.is_dir() else "does not exist"
        raise FileNotFoundError(f"{folder} {state}. Run `beampose {run or kind.VERB}` first.")
    return read_info(folder / INFO, kind)


def read_info(path: storage.Address, *kinds: type[Kind]) -> Kind:
    """An info of one of some kinds by its file, such as metrics.json.

    Raises:
      FileNotFoundError: there is no file.
      ValueError: as of `require`.
    """
    return parse(storage.read_json(path), str(path), *kinds)


def find_info(path: storage.Address, *kinds: type[Kind]) -> Kind | None:
    """As `read_info`; None if there is no file."""
    try:
        return read_info(path, *kinds)
    except FileNotFoundError:
        return None


def write_info(path: storage.Address, info: Info) -> None:
    """Writes an info whole or not at all; once it is there, it stays through a power cut."""
    storage.write_json(path, info.plain(), durable=True)


def settle(path: storage.Address) -> None:
    """Waits until the disk has a local file, or all below a folder; buckets need no such wait."""
    if storage.is_local(path):
        root = Path(str(storage.place(path)))
        for one in [root, *root.rglob("*")]:
            # Temporary files of other writers may be gone by now.
            with contextlib.suppress(FileNotFoundError):
                disk.sync(one)


def settle_files(paths: Iterable[storage.Address]) -> None:
    """Waits until the disk has some local files, and their names."""
    found = [Path(str(storage.place(path))) for path in paths if storage.is_local(path)]
    for one in [*found, *{path.parent for path in found}]:
        with contextlib.suppress(FileNotFoundError):
            disk.sync(one)
