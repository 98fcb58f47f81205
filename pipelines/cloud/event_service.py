"""Takes Eventarc's events about uploads: `python -m beampose.pipelines.cloud.event_service`.

Answers, and what Pub/Sub, which carries the events, makes of them:
  200  the upload has its verdict, now or from before: never sent again.
  204  not an upload, such as what this service itself writes: never sent again.
  400  not an event as Eventarc sends it. 413, 411: a body that no event has.
  429  this or another handler is working on it: sent again later. Not 200, because an acknowledged
       event is gone: if that handler dies, the event sent again is what finds and replaces it.
  503  it could not be finished, through no fault of the upload: sent again later.
"""

import json
import logging
import os
import re
import signal
import sys
import threading
import types
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from beampose.pipelines.cloud import upload_recipe, upload_run, upload_status

LOG = logging.getLogger(__name__)
FINALIZED = "google.cloud.storage.object.v1.finalized"
STRUCTURED = "application/cloudevents+json"
# Eventarc's events are at most 512 kB.
_LONGEST_BODY = 1_000_000
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
        values = json.loads(body)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError("the body is not JSON") from None
    kind = headers.get("ce-type")
    if (headers.get("content-type") or "").partition(";")[0].strip().lower() == STRUCTURED:
        if not isinstance(values, dict):
            raise ValueError("the body is not a CloudEvent")
        kind, values = values.get("type"), values.get("data")
    if not isinstance(kind, str) or not kind:
        raise ValueError(f"not a CloudEvent: neither a ce-type header nor {STRUCTURED}")
    if kind != FINALIZED:
        return Event(kind, "", "", "")
    if not isinstance(values, dict):
        raise ValueError("the event holds no object")
    found = [values.get(key) for key in ("bucket", "name", "generation")]
    # A generation has 64 bits, which JSON carries as text; some write it as a number.
    bucket, name, generation = (str(v) if isinstance(v, (str, int)) else "" for v in found)
    if not _BUCKET.fullmatch(bucket) or not name or not re.fullmatch(r"[0-9]{1,20}", generation):
        raise ValueError("the event must hold bucket, name and generation")
    return Event(kind, bucket, name, generation)


class Service:
    """Answers events, one upload at a time: a training takes the memory of a machine.

    Args:
      settings: how uploads are worked on.
      bucket: whose events are taken; None takes any the service account can read.
      prefix: of all names, such as `lab/`; zips land in `<prefix>incoming/`.
      models: address of the results; None means `<prefix>models` in the event's bucket.
    """

    def __init__(
        self,
        settings: upload_run.Settings,
        *,
        bucket: str | None = None,
        prefix: str = "",
        models: str | None = None,
    ):
        self.settings, self.bucket, self.models = settings, bucket, models
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._busy = threading.Lock()

    def answer(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Works on the upload that an event is about, if it is one."""
        try:
            event = parse(headers, body)
        except ValueError as error:
            return Answer(400, str(error))
        upload = self._upload(event)
        if upload is None:
            return Answer(204, "")
        if not self._busy.acquire(blocking=False):
            return Answer(429, "busy with another upload")
        try:
            models = self.models or f"gs://{event.bucket}/{self.prefix}{upload_run.MODELS}"
            outcome = upload_run.process(upload, models, self.settings)
        except Exception as error:
            LOG.exception("%s %s could not be finished", upload.name, upload.generation)
            return Answer(503, f"could not be finished: {type(error).__name__}")
        finally:
            self._busy.release()
        return self._verdict(outcome.status)

    def _upload(self, event: Event) -> upload_run.Upload | None:
        folder = f"{self.prefix}{upload_run.INCOMING}/"
        if event.type != FINALIZED or self.bucket not in (None, event.bucket):
            return None
        if not event.name.startswith(folder):
            return None
        name = upload_run.name_of(event.name.removeprefix(folder))
        if name is None:
            LOG.warning("Left alone, for its name: gs://%s/%r", event.bucket, event.name)
            return None
        return upload_run.Upload(name, f"gs://{event.bucket}/{event.name}", event.generation)

    def _verdict(self, found: upload_status.Status) -> Answer:
        place = f"{found.upload} {found.generation}"
        if not found.final:
            return Answer(429, f"{place}: another handler works on it ({found.state})")
        if found.state == upload_status.FAILED:
            LOG.error("%s: %s", place, found.error)
        return Answer(200, f"{place}: {found.state}")


def serve(service: Service, port: int, host: str = "") -> ThreadingHTTPServer:
    """A server bound to a port (0: a free one), to be run by `serve_forever`."""

    class Bound(BaseHTTPRequestHandler):
        # A client that sends half a body must not hold a thread for ever.
        timeout = 60

        def log_message(self, format: str, *args: Any) -> None:
            LOG.debug(format, *args)

        def do_GET(self) -> None:
            self._send(Answer(200, "beampose takes storage events by POST"))

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal():
                self._send(Answer(411, "the length of the body must be given"))
            elif int(length) > _LONGEST_BODY:
                self._send(Answer(413, "the body is too long for an event"))
            else:
                body = self.rfile.read(int(length))
                # http.server's headers are found in any case.
                self._send(service.answer(self.headers, body))  # pyright: ignore[reportArgumentType]

        def _send(self, answer: Answer) -> None:
            body = f"{answer.text}\n".encode() if answer.text else b""
            try:
                self.send_response(answer.status)
                if answer.status in (429, 503):
                    self.send_header("Retry-After", str(_RETRY_AFTER))
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                # Pub/Sub waits ten minutes at most; the event sent again will be answered.
                LOG.info("The sender did not wait for the answer: %s", answer.text)

    server = ThreadingHTTPServer((host, port), Bound)
    server.daemon_threads = True
    return server


def from_environment(environment: Mapping[str, str]) -> Service:
    """The service as its environment says.

    `BEAMPOSE_BUCKET`, `BEAMPOSE_PREFIX` and `BEAMPOSE_MODELS` are the arguments of `Service`,
    `BEAMPOSE_CONFIG` is a template and `BEAMPOSE_SET` settings with spaces between.

    Raises:
      OSError, ValueError: the template or a setting is wrong.
    """
    template = environment.get("BEAMPOSE_CONFIG") or None
    sets = tuple(environment.get("BEAMPOSE_SET", "").split())
    upload_recipe.check(template, sets)
    return Service(
        upload_run.Settings(template=template, sets=sets),
        bucket=environment.get("BEAMPOSE_BUCKET") or None,
        prefix=environment.get("BEAMPOSE_PREFIX", ""),
        models=environment.get("BEAMPOSE_MODELS") or None,
    )


def main() -> int:
    """Serves on $PORT until it is told to stop. Returns 0, or 2 after a message for people."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    port = os.environ.get("PORT", "8080")
    if not port.isdecimal():
        print(f"error: PORT must be a number. Received: {port!r}.", file=sys.stderr)
        return 2
    try:
        service = from_environment(os.environ)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    server = serve(service, int(port))

    def stop(signum: int, frame: types.FrameType | None) -> None:
        # An upload in work stays silent from now on, and the event sent again takes it over.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    LOG.info("Listening on port %s.", port)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        LOG.info("Stopped.")
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
