"""Takes Eventarc's events about uploads: `python -m beampose.pipelines.cloud.event_service`.

Answers, and what Pub/Sub, which carries the events, makes of them:
  200  the upload has its verdict, now or from before, or a job that works on it was started:
       never sent again.
  204  not an upload, such as what this service itself writes, or a zip that cannot name a model,
       which its status says: never sent again.
  400  not an event as Eventarc sends it. 411, 413: a body without a length, or too long for one.
  429  this or another handler is working on it: sent again later. Not 200, because an acknowledged
       event is gone: if that handler dies, the event sent again is what finds and replaces it.
  503  it could not be finished, through no fault of the upload: sent again later.
"""

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Mapping
from typing import NamedTuple

from cloudevents.http import from_http
from flask import Flask, Response, request
from waitress.server import create_server

from beampose.core import files, name_parts, storage
from beampose.pipelines.cloud import (
    upload_environment,
    upload_run,
    upload_starter,
    upload_status,
)

LOG = logging.getLogger(__name__)
FINALIZED = "google.cloud.storage.object.v1.finalized"
# Eventarc's events are at most 512 kB.
_LONGEST_BODY = 1_000_000
# One works on an upload, the others say that it is busy.
_THREADS = 4
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_RETRY_AFTER = 60


class Event(NamedTuple):
    """The part of a CloudEvent about an object that is used here."""

    type: str
    bucket: str
    name: str
    generation: str


class Answer(NamedTuple):
    """A status of HTTP and a line that says why."""

    status: int
    text: str


def parse(headers: Mapping[str, str], body: bytes) -> Event:
    """Reads a CloudEvent in binary mode (`ce-` headers) or structured mode.

    Raises:
      ValueError: it is none, or not about an object.
    """
    try:
        read = from_http(headers, body)
    except Exception as error:  # The library lets through what JSON and Python raise, too.
        raise ValueError(f"not a CloudEvent: {type(error).__name__}") from error
    kind, values = read["type"], read.get_data()
    if kind != FINALIZED:
        return Event(str(kind), "", "", "")
    if not isinstance(values, dict):
        raise ValueError("the event holds no object")
    found = [values.get(key) for key in ("bucket", "name", "generation")]
    # A generation has 64 bits, which JSON carries as text; some write it as a number.
    bucket, name, generation = (str(v) if isinstance(v, (str, int)) else "" for v in found)
    if not _BUCKET.fullmatch(bucket) or not name or not re.fullmatch(r"[0-9]{1,20}", generation):
        raise ValueError("the event must hold bucket, name and generation")
    return Event(FINALIZED, bucket, name, generation)


class Service:
    """Answers events: starts a job for each upload, or works on it, one at a time.

    A training takes the memory of a machine, and longer than a request may.

    Args:
      settings: how uploads are worked on.
      bucket: whose events are taken; None takes any the service account can read.
      prefix: of all names, such as `lab/`; zips land in `<prefix>incoming/`.
      models: address of the results; None means `<prefix>models` in the event's bucket.
      jobs: what is started for an upload; None: it is worked on while the event waits.
    """

    def __init__(
        self,
        settings: upload_run.Settings,
        *,
        bucket: str | None = None,
        prefix: str = "",
        models: str | None = None,
        jobs: upload_starter.Jobs | None = None,
    ):
        self.settings, self.bucket, self.models = settings, bucket, models
        self.jobs = jobs
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._incoming = f"{self.prefix}{upload_run.INCOMING}/"
        self._busy = threading.Lock()

    def answer(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Works on the upload that an event is about, if it is one."""
        try:
            event = parse(headers, body)
        except ValueError as error:
            return Answer(400, str(error))
        models = self.models or f"gs://{event.bucket}/{self.prefix}{upload_run.MODELS}"
        upload = self._upload(event)
        if upload is None:
            return self._ignored(event, models)
        if self.jobs is not None:
            return self._started(self.jobs, upload, models)
        if not self._busy.acquire(blocking=False):
            return Answer(429, "busy with another upload")
        try:
            outcome = upload_run.process(upload, models, self.settings)
        except Exception as error:
            LOG.exception("%s %s could not be finished", upload.name, upload.generation)
            return Answer(503, f"could not be finished: {type(error).__name__}")
        finally:
            self._busy.release()
        return self._verdict(outcome.status)

    def _started(self, jobs: upload_starter.Jobs, upload: upload_run.Upload, models: str) -> Answer:
        place = f"{upload.name} {upload.generation}"
        try:
            found = upload_starter.start(jobs, upload, models, self.settings.silent_seconds)
        except upload_starter.Busy:
            return Answer(429, f"{place}: another handler starts its job")
        except Exception as error:
            LOG.exception("%s: its job could not be started", place)
            return Answer(503, f"its job could not be started: {type(error).__name__}")
        return Answer(200, f"{place}: {found.state}")

    def _upload(self, event: Event) -> upload_run.Upload | None:
        if not self._lands(event):
            return None
        name = upload_run.name_of(event.name.removeprefix(self._incoming))
        if name is None:
            return None
        return upload_run.Upload(name, f"gs://{event.bucket}/{event.name}", event.generation)

    def _lands(self, event: Event) -> bool:
        """Whether an event is about an object below `incoming/`."""
        if event.type != FINALIZED or self.bucket not in (None, event.bucket):
            return False
        return event.name.startswith(self._incoming)

    def _ignored(self, event: Event, models: str) -> Answer:
        """Leaves a status of a zip that lies in its place and cannot name a model.

        Nobody reads the log of a service. Of what is no zip, or in a folder, there is no telling
        that it was meant for an upload.
        """
        if not self._lands(event):
            return Answer(204, "")
        LOG.warning("Ignored because of its name: gs://%s/%r", event.bucket, event.name)
        name = event.name.removeprefix(self._incoming)
        stem, _, kind = name.rpartition(".")
        if "/" in name or name.startswith(".") or not stem or kind.lower() != "zip":
            return Answer(204, "")
        now = upload_status.now()
        why = f"{name} cannot name a model. {upload_run.NAMING}, and upload it again."
        found = upload_status.Status(
            upload_status.FAILED, stem, event.generation, 0, now, now, error=why
        )
        try:
            folder = storage.place(models, name_parts.safe(stem), event.generation)
            if upload_status.read(folder) is None:
                upload_status.write(folder, found)
        except Exception as error:
            LOG.exception("%s could not be refused", name)
            return Answer(503, f"its status could not be written: {type(error).__name__}")
        return Answer(204, "")

    def _verdict(self, found: upload_status.Status) -> Answer:
        place = f"{found.upload} {found.generation}"
        if not found.final:
            return Answer(429, f"{place}: another handler works on it ({found.state})")
        if found.state == upload_status.FAILED:
            LOG.error("%s: %s", place, found.error)
        return Answer(200, f"{place}: {found.state}")


def application(service: Service) -> Flask:
    """The service as WSGI; every path is the same."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _LONGEST_BODY

    @app.get("/", defaults={"path": ""})
    @app.get("/<path:path>")
    def about(path: str) -> Response:
        return _response(Answer(200, "beampose takes storage events by POST"))

    @app.post("/", defaults={"path": ""})
    @app.post("/<path:path>")
    def take(path: str) -> Response:
        if request.content_length is None:
            return _response(Answer(411, "the length of the body must be given"))
        return _response(service.answer(dict(request.headers), request.get_data()))

    return app


def _response(answer: Answer) -> Response:
    made = Response(f"{answer.text}\n" if answer.text else "", answer.status, mimetype="text/plain")
    if answer.status in (429, 503):
        made.headers["Retry-After"] = str(_RETRY_AFTER)
    return made


def serve(service: Service, port: int, host: str = "0.0.0.0"):  # noqa: S104
    """A server bound to a port (0: a free one), to be run by its `run`."""
    return create_server(
        application(service),
        host=host,
        port=port,
        threads=_THREADS,
        max_request_body_size=_LONGEST_BODY,
        # A client that sends half a body must not hold a connection for long, nor many of them all.
        channel_timeout=20,
        cleanup_interval=5,
        connection_limit=1000,
        ident=None,
    )


def from_environment(environment: Mapping[str, str]) -> Service:
    """The service as its environment says.

    `BEAMPOSE_BUCKET`, `BEAMPOSE_PREFIX` and `BEAMPOSE_MODELS` are the arguments of `Service`,
    `BEAMPOSE_JOB` names the job of Cloud Run that works on uploads; without it the service does.
    The others see `upload_environment`.

    Raises:
      OSError, ValueError: the template or a setting is wrong.
    """
    job = environment.get("BEAMPOSE_JOB")
    endpoint = environment.get("BEAMPOSE_JOB_ENDPOINT") or None
    return Service(
        upload_environment.settings(environment),
        bucket=environment.get("BEAMPOSE_BUCKET") or None,
        prefix=environment.get("BEAMPOSE_PREFIX", ""),
        models=environment.get("BEAMPOSE_MODELS") or None,
        jobs=upload_starter.Jobs(job, endpoint) if job else None,
    )


def main() -> int:
    """Serves on $PORT until it is told to stop. Returns 0, or 2 after a human-readable message."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    port = os.environ.get("PORT", "8080")
    if not port.isdecimal():
        print(f"error: PORT must be a number. Received: {port!r}.", file=sys.stderr)
        return 2
    try:
        service = from_environment(os.environ)
    except (OSError, ValueError) as error:
        print(f"error: {files.why(error)}", file=sys.stderr)
        return 2
    server = serve(service, int(port))
    # An upload in work stays silent from then on, and the event sent again takes it over.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    LOG.info("Listening on port %s.", port)
    server.run()  # Until SIGTERM or Ctrl-C, which it takes as its end.
    return 0


if __name__ == "__main__":
    sys.exit(main())
