"""Runs verbs in children that kill themselves before a change of the disk, and cuts their power.

A process with all libraries imported reads one request a line and forks for each, so that a run
takes seconds. `Killer` starts it; tests ask it. Every renaming, removal, new folder and opening for
writing below a folder is a change. With a power cut, files that were not synced since they were
written are lost before the kill: half of them, by chance, as a disk does, emptied or gone.
"""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
PATHS = {"open": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1}


class Ended(NamedTuple):
    """How a run ended: its exit code, or -9 of a kill; its changes in order; what it printed."""

    code: int
    changes: list[str]
    said: str


class Killer:
    """The process that forks.

    Args:
      scratch: a folder of its own.
    """

    def __init__(self, scratch: Path):
        self._scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "BEAMPOSE_HOME": str(scratch / "home")}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def run(self, words: list[str], root: Path, *, at: int = 0, cut: bool = False) -> Ended:
        """Runs `beampose` with some words in a folder.

        Args:
          at: number of the change, from 1, before which it is killed; 0 never.
          cut: whether the power fails then.
        """
        asked = {"words": words, "root": str(root), "at": at, "cut": cut}
        asked["scratch"] = str(self._scratch)
        assert self._process.stdin and self._process.stdout
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the process that forks has ended"
        changes = self._scratch / "changes.json"
        said = (self._scratch / "said.txt").read_text(errors="replace")
        listed = json.loads(changes.read_text()) if changes.is_file() else []
        return Ended(json.loads(answer)["code"], listed, said)

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()


class _Watch:
    """Counts the changes below a folder in this process, and ends it before one of them."""

    def __init__(self, root: str, at: int, cut: bool):
        self.changes: list[str] = []
        self._root, self._at, self._cut = root, at, cut
        self._lock = threading.RLock()
        self._ends = False
        self._began = time.time_ns()
        self._synced: dict[int, tuple[int, int]] = {}
        self._fsync = os.fsync
        os.fsync = self._sync
        sys.addaudithook(self._hear)

    def _sync(self, handle: Any) -> None:
        self._fsync(handle)
        found = os.fstat(handle if isinstance(handle, int) else handle.fileno())
        self._synced[found.st_ino] = (found.st_mtime_ns, found.st_size)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event not in PATHS or self._ends:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES):
            return
        named = [_path(arguments, i) for i in range(PATHS[event])]
        inside = [path for path in named if path.startswith(self._root + os.sep)]
        if not inside:
            return
        with self._lock:
            self.changes.append(f"{event} {inside[-1].removeprefix(self._root)}")
            if len(self.changes) == self._at:
                self._ends = True
                if self._cut:
                    self._lose()
                os.kill(os.getpid(), signal.SIGKILL)

    def _lose(self) -> None:
        rng = random.Random(self._at)
        for folder, _, names in os.walk(self._root):
            for name in sorted(names):
                file = Path(folder, name)
                found = file.lstat()
                fresh = stat.S_ISREG(found.st_mode) and found.st_mtime_ns >= self._began
                kept = self._synced.get(found.st_ino) == (found.st_mtime_ns, found.st_size)
                if fresh and not kept and rng.random() < 0.5:
                    if rng.random() < 0.5:
                        file.unlink()
                    else:
                        os.truncate(file, 0)


def _path(arguments: tuple, number: int) -> str:
    path = arguments[number]
    if not isinstance(path, (str, bytes, os.PathLike)):
        return ""
    # A path may be relative to an open folder.
    folder = arguments[-1] if isinstance(arguments[-1], int) and arguments[-1] >= 0 else None
    base = os.readlink(f"/proc/self/fd/{folder}") if _is_open(folder) else os.getcwd()
    return os.path.join(base, os.fsdecode(path))


def _is_open(folder: int | None) -> bool:
    return folder is not None and os.path.isdir(f"/proc/self/fd/{folder}")


def _child(asked: dict[str, Any]) -> None:
    from beampose.pipelines import cli

    scratch = Path(asked["scratch"])
    out = os.open(scratch / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(asked["root"])
    watch = _Watch(asked["root"], asked["at"], asked["cut"])
    code = cli.main(asked["words"])
    sys.stdout.flush()
    (scratch / "changes.json").write_text(json.dumps(watch.changes))
    os._exit(code)


def _warm() -> None:
    import importlib
    import pkgutil

    # Threads do not come along with a fork: nothing may be computed before it.
    import tensorflow  # noqa: F401

    import beampose.formats
    import beampose.pipelines
    import beampose.trainer

    for package in (beampose.formats, beampose.pipelines, beampose.trainer):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".cloud" not in found.name and not found.name.endswith("slp_writer"):
                importlib.import_module(found.name)


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _warm()
    for line in sys.stdin:
        asked = json.loads(line)
        Path(asked["scratch"], "changes.json").unlink(missing_ok=True)
        child = os.fork()
        if not child:
            try:
                _child(asked)
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(99)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"code": code}), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
