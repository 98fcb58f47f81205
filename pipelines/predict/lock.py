"""One run at a time writes to a folder of predictions."""

import contextlib
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from typing import Any

from upath import UPath

from beampose.core import storage

FILE = ".running"
# In a bucket nothing frees the claim of a killed run: one not renewed for so long is void.
VOID_AFTER = 300.0
_RENEW = 60.0

LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def held(folder: str) -> Iterator[None]:
    """Keeps other runs out of a folder.

    On a disk the system frees it when the process ends, however it ends. In a bucket it is a claim
    that is renewed every minute; that of a killed run is void after five.

    Raises:
      OSError: another run is at work there, or the folder cannot be written to.
    """
    file = storage.place(folder, FILE)
    with _on_disk(file) if storage.is_local(file) else _in_bucket(file):
        yield


@contextlib.contextmanager
def _on_disk(file: UPath) -> Iterator[None]:
    import filelock

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        guard = filelock.FileLock(str(file))
        guard.acquire(timeout=0)
    except filelock.Timeout:
        raise _busy(file) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file.parent)) from error
    try:
        yield
    finally:
        guard.release()


@contextlib.contextmanager
def _in_bucket(file: UPath) -> Iterator[None]:
    me = f"{platform.node()} {os.getpid()} {time.time_ns()}"
    if not storage.create_text(file, _claim(me)):
        seen = storage.generation(file)
        if time.time() - _renewed(file) < VOID_AFTER:
            raise _busy(file)
        # Of several runs that find it void, one creates the next.
        storage.remove_unchanged(file, seen)
        if not storage.create_text(file, _claim(me)):
            raise _busy(file)
        LOG.info("The run that wrote to %s ended without releasing it; this one continues.", file)
    ended = threading.Event()

    def renew():
        while not ended.wait(_RENEW):
            try:
                if not _renew(file, me):
                    LOG.warning("NOTE another run took %s for left and writes there, too.", file)
                    return
            except Exception as error:
                # The next may succeed: without it others would take the folder after `VOID_AFTER`.
                LOG.info("%s could not be renewed and will be again: %s", file, error)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        # A run that took this one for dead has a claim of its own.
        if _said(file, "by") == me:
            file.unlink(missing_ok=True)


def _renew(file: UPath, me: str) -> bool:
    """Says that a run is at work; False if another one took it for dead, as after a long sleep."""
    if _said(file, "by") not in (me, None):
        return False
    storage.write_text(file, _claim(me))
    return True


def _renewed(file: UPath) -> float:
    """When a run said last that it is at work; never, if that cannot be read."""
    try:
        return float(_said(file, "renewed"))
    except (TypeError, ValueError):
        return 0.0


def _said(file: UPath, name: str) -> Any:
    """What a claim says; None if it cannot be read."""
    try:
        return storage.read_json(file, name)[name]
    except (OSError, ValueError):
        return None


def _claim(me: str) -> str:
    return json.dumps({"by": me, "renewed": time.time()})


def _busy(file: UPath) -> OSError:
    return OSError(
        f"Another run is writing to {file.parent}. Wait until it has ended, or give this one "
        "another `output`."
    )
