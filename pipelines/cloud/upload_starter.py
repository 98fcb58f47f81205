"""Starts the job of an upload, once, however often its event is sent.

Whoever can create `starts/0001.json` beside the upload's status starts it, and writes into
`starts/0001.told` what Cloud Run answered. Only where that was a refusal, or no answer came, or
the job has been silent for too long, is there a next number.
"""

import json
import re
from typing import Any
from uuid import uuid4

from upath import UPath

from beampose.core import storage
from beampose.pipelines.cloud import cloud_settings, credentials, upload_job, upload_status
from beampose.pipelines.cloud.upload_run import Upload
from beampose.pipelines.cloud.upload_status import QUEUED, Status

STARTS = "starts"
TOLD = ".told"
API = "https://run.googleapis.com"
JOB = re.compile(r"projects/[a-z0-9:.-]+/locations/[a-z0-9-]+/jobs/[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
# A handler that asked Cloud Run has its answer, or died, after that many seconds.
ANSWER_SECONDS = 120.0
# A job may wait for a machine; and between two tries of one.
QUEUE_SECONDS = 3600.0


class Busy(Exception):
    """Another handler is starting the job right now."""


class Jobs:
    """The job of Cloud Run that works on uploads; each of its executions works on one.

    Args:
      name: projects/PROJECT/locations/REGION/jobs/NAME.
      endpoint: of a stand-in on this machine.

    Raises:
      ValueError: the name is none.
    """

    def __init__(self, name: str, endpoint: str | None = None):
        if not JOB.fullmatch(name):
            raise ValueError(
                "BEAMPOSE_JOB must look like projects/PROJECT/locations/REGION/jobs/NAME. "
                f"Received: {name!r}."
            )
        self.name, self._endpoint = name, endpoint

    def run(self, upload: Upload, models: str) -> str:
        """Starts an execution for an upload. Returns its name.

        Raises:
          OSError: Cloud Run refused, or could not be reached.
        """
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import AuthorizedSession
        from requests import RequestException, Session

        words = ["-m", upload_job.__name__, upload.address, upload.generation, models]
        stand_in = cloud_settings.is_stand_in(self._endpoint)
        session = Session() if stand_in else AuthorizedSession(credentials.find())
        body = {"overrides": {"containerOverrides": [{"args": words}]}}
        try:
            with session:
                address = f"{self._endpoint or API}/v2/{self.name}:run"
                answer = session.post(address, json=body, timeout=60)
            said = answer.json()
        except (GoogleAuthError, RequestException, ValueError) as error:
            raise OSError(f"Cloud Run could not be reached: {error}") from None
        if not answer.ok:
            raise OSError(f"Cloud Run refused to start {self.name}: {_reason(said)}")
        return str(said.get("metadata", {}).get("name") or said.get("name", ""))


def start(jobs: Jobs, upload: Upload, models: str, silent_seconds: float) -> Status:
    """Starts the job of an upload, unless it has a verdict or is being worked on.

    Args:
      silent_seconds: work that has given no sign of life for so long is started again.

    Returns:
      Its status now.

    Raises:
      Busy: another handler is starting it.
      OSError: storage or Cloud Run failed; a later call starts it.
    """
    folder = storage.place(models, upload.name, upload.generation)
    # In this order: what is read last was written first.
    last = _last(folder)
    told = _told(folder, last)
    known = upload_status.read(folder)
    if known and (known.final or ("execution" in told and _goes_on(known, silent_seconds))):
        return known
    if last and not told and _age_of(folder, last) < ANSWER_SECONDS:
        raise Busy
    mine = _file(folder, last + 1)
    if not storage.create_text(mine, json.dumps({"asked": upload_status.now(), "by": uuid4().hex})):
        raise Busy
    status = _waiting(known, upload)
    # Before the job can write its own.
    upload_status.write(folder, status)
    try:
        execution = jobs.run(upload, models)
    except OSError as error:
        storage.write_json(mine.with_suffix(TOLD), {"refused": str(error)})
        raise
    storage.write_json(mine.with_suffix(TOLD), {"execution": execution})
    return status


def _waiting(known: Status | None, upload: Upload) -> Status:
    """The status of an upload whose job is about to be started, for the first time or again."""
    now = upload_status.now()
    if known is None or known.state == QUEUED:
        return Status(QUEUED, upload.name, upload.generation, 0, now, now)
    why = "It gave no sign of life and is started again."
    return Status(
        upload_status.INTERRUPTED,
        upload.name,
        upload.generation,
        known.attempt,
        known.started,
        now,
        why,
    )


def _goes_on(known: Status, silent_seconds: float) -> bool:
    """Whether a job that was started still works, or will."""
    waits = known.state in (QUEUED, upload_status.INTERRUPTED)
    return upload_status.age(known.updated) <= (QUEUE_SECONDS if waits else silent_seconds)


def _last(folder: UPath) -> int:
    found = storage.whole(folder / STARTS, "*.json")
    return max((int(path.stem) for path in found), default=0)


def _file(folder: UPath, number: int) -> UPath:
    return folder / STARTS / f"{number:04d}.json"


def _told(folder: UPath, number: int) -> dict[str, Any]:
    """The answer of Cloud Run to a start; empty as long as there is none.

    Raises:
      OSError: it cannot be read.
    """
    file = _file(folder, number).with_suffix(TOLD)
    try:
        found = storage.read_json(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise upload_status.unclear(error) from error
    return found if isinstance(found, dict) else {}


def _age_of(folder: UPath, number: int) -> float:
    try:
        return upload_status.age(storage.read_json(_file(folder, number), "asked")["asked"])
    except ValueError:
        return 0.0


def _reason(said: Any) -> str:
    found = said.get("error", {}) if isinstance(said, dict) else {}
    text = str(found.get("message") or said)[:300]
    hint = " It needs roles/run.jobsExecutorWithOverrides on the job."
    return text + (hint if found.get("code") == 403 else "")
