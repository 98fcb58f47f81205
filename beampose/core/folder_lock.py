"""One run at a time writes to a folder: to an experiment's, and to one of predictions."""

import contextlib
import errno
import json
import logging
import os
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from typing import Any

from upath import UPath

from beampose.core import leftovers, storage

FILE = ".running"
# In a bucket nothing frees the claim of a killed run: one not renewed for so long is void.
VOID_AFTER = 300.0
_RENEW = 60.0
# Between two looks at the claim of a run that may have been killed.
_LOOK = 5.0
# A certificate is valid for at most 398 days: a clock that is further behind reaches no bucket.
_NO_CLOCK = 400 * 24 * 3600.0
# What a disk answers that knows no locks, as those of clusters that are mounted without them.
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
# Experiments that this process works on, and the thread that does.
_WORKED_ON: dict[str, int] = {}

LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def held(folder: str, *, patient: bool = False) -> Iterator[None]:
    """Keeps other runs out of a folder.

    On a disk the system frees it when the process ends, however it ends. In a bucket it is a claim
    that is renewed every minute; that of a killed run is void after five, by the bucket's clock, or
    at once on the machine that it ran on.

    Args:
      patient: waits until a claim is void, if it is not renewed meanwhile: for a job that a service
        starts again, on whichever machine.

    Raises:
      OSError: another run is at work there, or may be, or the folder cannot be written to.
    """
    file = storage.place(folder, FILE)
    with _on_disk(file) if storage.is_local(file) else _in_bucket(file, patient):
        yield


@contextlib.contextmanager
def experiment(output: str, *, patient: bool = False) -> Iterator[None]:
    """As `held`, of what makes an experiment's dataset and model; a step of a run may ask again."""
    name = os.path.realpath(output) if storage.is_local(output) else output
    if _WORKED_ON.get(name) == threading.get_ident():
        yield
        return
    with held(output, patient=patient):
        _WORKED_ON[name] = threading.get_ident()
        try:
            yield
        finally:
            _WORKED_ON.pop(name, None)


@contextlib.contextmanager
def _on_disk(file: UPath) -> Iterator[None]:
    guard = guard_of(str(file))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not take(guard):
            LOG.warning("NOTE %s has no locks: start no second run there.", file.parent)
    except TimeoutError:
        raise _busy(file) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file.parent)) from error
    try:
        yield
    finally:
        guard.release()


def guard_of(file: str) -> Any:
    """The lock of a file, for `take`."""
    import filelock

    # The file stays, and the next run may be that of a colleague.
    return filelock.FileLock(file, mode=0o666, thread_local=False)


def take(guard: Any) -> bool:
    """Takes a lock. False if the disk has none.

    Raises:
      TimeoutError: another program has it.
      OSError: its file cannot be written.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            guard.acquire(timeout=0)
    except NotImplementedError:
        return False
    except OSError as error:
        if isinstance(error, TimeoutError) or error.errno not in _WITHOUT_LOCKS:
            raise
        return False
    return True


@contextlib.contextmanager
def _in_bucket(file: UPath, patient: bool) -> Iterator[None]:
    me = f"{leftovers.own_mark()} {time.time_ns()}"
    if not storage.create_text(file, _claim(me)):
        seen = storage.generation(file)
        if not _is_void(file, patient):
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
        _release(file, me)


def _release(file: UPath, me: str) -> None:
    """Takes a claim away, unless it is that of a run which took this one for dead."""
    try:
        if _said(file, "by") == me:
            file.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        # The work itself is done, and a claim that nobody renews will be void.
        LOG.info("%s could not be released: %s", file, error)


def _renew(file: UPath, me: str) -> bool:
    """Says that a run is at work; False if another one took it for dead, as after a long sleep.

    Raises:
      OSError, ValueError: the claim cannot be read now, or not written.
    """
    try:
        if _said(file, "by") != me:
            return False
    except FileNotFoundError:
        pass
    storage.write_text(file, _claim(me))
    return True


def _is_void(file: UPath, patient: bool) -> bool:
    """Whether the run that a claim is of has ended.

    Raises:
      OSError: that cannot be told.
    """
    try:
        by, renewed, written = _said(file, "by"), _renewed(file), _written(file)
        if leftovers.of_ended(str(by).rpartition(" ")[0]) or renewed < written - _NO_CLOCK:
            return True
        until = time.monotonic() + VOID_AFTER - _age(file)
        # Where the storage tells no times, only a claim that does not change is void.
        patient = patient or not written
        if patient and time.monotonic() < until:
            LOG.info("%s is claimed by another run: waiting for a sign of it.", file.parent)
        while time.monotonic() < until:
            if not patient:
                return False
            time.sleep(_LOOK)
            if (_renewed(file), _written(file)) != (renewed, written):
                return False
        return True
    except FileNotFoundError:
        return True  # It was released meanwhile.
    except ValueError as error:
        raise _unclear(file, error) from error


def _age(file: UPath) -> float:
    """Seconds since a claim was written by the storage's clock: those of two computers differ."""
    if not (written := _written(file)):
        return 0.0
    now = file.with_name(f"{FILE}-{uuid.uuid4().hex[:8]}")
    storage.write_text(now, "tells the time\n")
    try:
        return _written(now) - written
    finally:
        with contextlib.suppress(OSError):
            now.unlink(missing_ok=True)


def _written(file: UPath) -> float:
    """When a file of a bucket was written, by the bucket's clock; 0 if it tells no times."""
    system: Any = file.fs
    try:
        return system.modified(file.path).timestamp()
    except NotImplementedError:
        return 0.0


def _renewed(file: UPath) -> float:
    """When a run said last that it is at work, by the clock of its computer."""
    try:
        return float(_said(file, "renewed"))
    except TypeError:
        raise ValueError(f"{file}: 'renewed' must be a number") from None


def _said(file: UPath, name: str) -> Any:
    """What a claim says. Raises ValueError if it is none."""
    return storage.read_json(file, name)[name]


def _claim(me: str) -> str:
    return json.dumps({"by": me, "renewed": time.time()})


def _busy(file: UPath) -> OSError:
    return OSError(
        f"Another run is writing to {file.parent}. Wait until it has ended, or give this one "
        "another `output`."
    )


def _unclear(file: UPath, error: ValueError) -> OSError:
    tool = {"gs": "gcloud storage rm", "gcs": "gcloud storage rm", "s3": "aws s3 rm"}
    remove = f"`{tool[file.protocol]} {file}`" if file.protocol in tool else f"removing {file}"
    return OSError(
        f"Another run may be writing to {file.parent}: its claim cannot be read ({error}). Try it "
        f"again; if no run is at work there, free the folder with {remove}."
    )
