"""Claims on uploads, of which one of many gets each, and `status.json`, which tells progress.

An attempt is a file `claims/0001.json` that only one handler can create, on a disk and in a bucket.
An attempt that was given up or has been silent for too long is followed by the next number, so no
claim is ever changed or deleted, and whoever sees a number above its own has been replaced.
"""

import dataclasses
import datetime
import json
import logging
import threading
import uuid
from typing import Any

from upath import UPath

from beampose.core import storage

LOG = logging.getLogger(__name__)
FILE = "status.json"
CLAIMS = "claims"
RECEIVED, UNPACKING, FEATURES, TRAINING, REPORT = (
    "received",
    "unpacking",
    "features",
    "training",
    "report",
)
DONE, FAILED = "done", "failed"
# Its job was started and has not begun.
QUEUED = "queued"
# Given up without a verdict, such as by Ctrl-C: the next handler takes it at once.
INTERRUPTED = "interrupted"


class TakenOver(Exception):
    """Another handler works on this upload now; this one must publish nothing."""


@dataclasses.dataclass(frozen=True)
class Status:
    """Content of `status.json`. Times are UTC; `error` is human-readable.

    `room` is what must be free on the disk for temporary files before it is worked on again, bytes;
    `unread` counts attempts that could not read the zip, which count for nothing.
    """

    state: str
    upload: str
    generation: str
    attempt: int
    started: str
    updated: str
    error: str | None = None
    metrics: dict[str, Any] | None = None
    problems: int | None = None
    room: int | None = None
    unread: int | None = None

    @property
    def final(self) -> bool:
        return self.state in (DONE, FAILED)


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def read(folder: UPath) -> Status | None:
    """The status of a run; None if there is none.

    Raises:
      OSError: it cannot be read, or something else stands in its file: nobody can tell whether the
        upload is being worked on.
    """
    known = {field.name: field.default for field in dataclasses.fields(Status)}
    needed = [name for name, default in known.items() if default is dataclasses.MISSING]
    try:
        values = storage.read_json(folder / FILE, *needed)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise unclear(error) from error
    return Status(**{key: value for key, value in values.items() if key in known})


def unclear(error: ValueError) -> OSError:
    """The error of a file that would tell who works on an upload, and cannot be read.

    A web page may stand for it for a while, and if it were taken for missing, a second handler
    would begin.
    """
    return OSError(
        f"{error}. Until it can be read the upload waits; if it stays so, remove that file"
    )


def write(folder: UPath, status: Status) -> None:
    """Writes the status of a run."""
    storage.write_json(folder / FILE, dataclasses.asdict(status))


def last_attempt(folder: UPath) -> int:
    """The number of the newest claim, 0 if there is none."""
    found = storage.whole(folder / CLAIMS, "*.json")
    return max((int(path.stem) for path in found), default=0)


def claim(folder: UPath, silent_seconds: float, owner: str = "") -> int | None:
    """The number of the attempt that is ours now; None if another handler has the upload.

    Args:
      silent_seconds: an attempt whose status is older is taken over.
      owner: of which only one works at a time; its own attempts from before are dead.
    """
    last = last_attempt(folder)
    if last and not (_is_of(folder, last, owner) or _given_up(folder, last, silent_seconds)):
        return None
    mine = json.dumps({"claimed": now(), "by": owner or uuid.uuid4().hex})
    return last + 1 if storage.create_text(_claim(folder, last + 1), mine) else None


def _claim(folder: UPath, attempt: int) -> UPath:
    return folder / CLAIMS / f"{attempt:04d}.json"


def _is_of(folder: UPath, attempt: int, owner: str) -> bool:
    try:
        return bool(owner) and storage.read_json(_claim(folder, attempt), "by")["by"] == owner
    except ValueError as error:
        # It may be its own: a job that left it to another would end, and nobody would go on.
        raise unclear(error) from error


def _given_up(folder: UPath, attempt: int, silent_seconds: float) -> bool:
    found, file = read(folder), _claim(folder, attempt)
    try:
        if found and found.attempt == attempt:
            return found.state == INTERRUPTED or age(found.updated) > silent_seconds
        return age(storage.read_json(file, "claimed")["claimed"]) > silent_seconds
    except ValueError:
        # On a disk, a claim is there before its text is.
        return datetime.datetime.now().timestamp() - file.stat().st_mtime > silent_seconds


def age(time: str) -> float:
    """Seconds since a time, see `now`. Raises ValueError if it is none."""
    try:
        moment = datetime.datetime.fromisoformat(time)
    except TypeError:
        raise ValueError(f"{time!r} is no time") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return (datetime.datetime.now(datetime.timezone.utc) - moment).total_seconds()


class Journal:
    """Writes the `status.json` of an attempt, and again every so often while it is open.

    Args:
      folder: of the run.
      status: the first one.
      every: seconds between two signs of life.
    """

    def __init__(self, folder: UPath, status: Status, every: float):
        self.folder, self.status = folder, status
        self._every = every
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Journal":
        self.write(self.status.state)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def check(self) -> None:
        """Raises TakenOver if another handler has the upload."""
        if last_attempt(self.folder) > self.status.attempt:
            raise TakenOver(f"{self.folder} is being processed by another handler.")

    def write(self, state: str, **known: Any) -> Status:
        """Says what is done now. Raises TakenOver if another handler has the upload."""
        with self._lock:
            self._write(state=state, **known)
            return self.status

    def _write(self, **known: Any) -> None:
        self.check()
        self.status = dataclasses.replace(self.status, updated=now(), **known)
        write(self.folder, self.status)

    def _beat(self) -> None:
        while not self._closed.wait(self._every):
            try:
                with self._lock:
                    if self.status.final:
                        return
                    self._write()
            except TakenOver:
                return
            except Exception as error:  # The next one may get through.
                LOG.warning("status.json could not be written: %s", error)
