"""Temporary files go with their process; what a kill leaves goes with the next one.

Beside what it replaces, a temporary is `.<name>-<machine>-<process>-<letters>`. Whoever writes into
that folder next takes away those of processes of this machine that have ended.
"""

import atexit
import contextlib
import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"\..+-([0-9a-f]{8})-(\d+)-[a-z0-9_]{8}(\.[^.]*)?")
_looked_at: set[str] = set()


def _machine() -> str:
    """This machine and its list of processes: containers have lists of their own."""
    try:
        processes = os.readlink("/proc/self/ns/pid")
    except OSError:
        processes = ""
    return hashlib.sha256(f"{platform.node()} {processes}".encode()).hexdigest()[:8]


_MACHINE = _machine()


def prefix(name: str) -> str:
    """How the name of a temporary begins that shall become `name`."""
    return f".{name}-{_MACHINE}-{os.getpid()}-"


def own_mark() -> str:
    """This process, for `of_ended`."""
    return f"{_MACHINE} {os.getpid()}"


def of_ended(mark: str) -> bool:
    """Returns True if a mark is that of a process of this machine that has ended."""
    machine, _, process = mark.partition(" ")
    return machine == _MACHINE and process.isdecimal() and _has_ended(int(process))


def clear(folder: Path) -> None:
    """Takes away what ended processes left in a folder; once in a process, as folders are long."""
    if str(folder) in _looked_at:
        return
    _looked_at.add(str(folder))
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            found = _NAME.fullmatch(entry.name)
            if found and found[1] == _MACHINE and _has_ended(int(found[2])):
                _remove(Path(entry.path))


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for all temporary files of this process and its children, removed at its end.

    Libraries leave behind what they put into the machine's folder (Beam one a pipeline, TensorFlow
    one a function). Of commands that were killed the folders are removed at the next one.
    """
    common = Path(tempfile.gettempdir())
    clear(common)
    folder = Path(tempfile.mkdtemp(prefix=prefix("beampose"), dir=common))
    before = tempfile.tempdir, {name: os.environ.get(name) for name in ("TMPDIR", "MPLCONFIGDIR")}
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    if not _home_can_be_written():
        # matplotlib would make a folder in this one, and at its end miss it in a traceback.
        os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))
    # Libraries write at their own end, too.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            for one in folder.iterdir():
                # What it made where a home is full, or only seems writable, it removes itself.
                if not one.name.startswith("matplotlib-"):
                    _remove(one)
            folder.rmdir()
        tempfile.tempdir = before[0]
        for name, value in before[1].items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _home_can_be_written() -> bool:
    """Whether there are folders for settings and caches of libraries, or can be."""
    try:
        home = Path.home()
    except RuntimeError:
        return False
    places = [
        Path(os.environ.get(name) or home / usual)
        for name, usual in (("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache"))
    ]
    there = (next(one for one in (place, *place.parents) if one.exists()) for place in places)
    return all(one.is_dir() and os.access(one, os.W_OK) for one in there)


def _has_ended(process: int) -> bool:
    if os.name == "nt":  # Asking Windows this way would end it.
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
