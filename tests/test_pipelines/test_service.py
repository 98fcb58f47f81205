"""The Cloud Run service, by HTTP."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import unicodedata

import fakes
import pytest
from conftest import write_crops
from uploads import BROKEN, QUICK, TINY, broken, never, quick, zipped

from beampose.pipelines.cloud import event_service, publish, upload_run, upload_status

STRUCTURED = "application/cloudevents+json"


@pytest.fixture
def project(tmp_path):
    return fakes.project(tmp_path / "project")


@pytest.fixture
def serving():
    """Starts services on free ports; gives a function that posts to one."""
    servers = {}

    def start(settings=QUICK, **options):
        server = event_service.serve(event_service.Service(settings, **options), 0, "127.0.0.1")
        servers[server] = threading.Thread(target=server.run, daemon=True)
        servers[server].start()

        def send(**how):
            return post(server.effective_port, **how)

        send.port = server.effective_port
        return send

    yield start
    for server, thread in servers.items():
        # In the thread of the server; where it awoke meanwhile, it has closed already.
        with contextlib.suppress(OSError):
            server.trigger.pull_trigger(server.close)
        thread.join(10)
        assert not thread.is_alive()
        server.task_dispatcher.shutdown()


def post(port, *, body, headers=None):
    connection = http.client.HTTPConnection("localhost", port, timeout=300)
    try:
        connection.putrequest("POST", "/")
        headers = {"Content-Length": str(len(body)), **(headers or {})}
        for name, value in headers.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body.encode())
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def binary(kind=event_service.FINALIZED):
    """Headers of a CloudEvent in binary mode."""
    headers = {"ce-type": kind, "ce-id": "1", "ce-specversion": "1.0", "ce-source": "//storage"}
    return {**headers, "Content-Type": "application/json"}


def event(buckets, address, *, structured=False, kind=event_service.FINALIZED):
    """Event that Eventarc sends when an object is written."""
    bucket, _, name = address.removeprefix("gs://").partition("/")
    generation = str(buckets.generations.get((bucket, name), 1))
    data = {"kind": "storage#object", "bucket": bucket, "name": name, "generation": generation}
    if structured:
        body = {"specversion": "1.0", "type": kind, "source": "//storage", "id": "1", "data": data}
        headers = {"Content-Type": f"{STRUCTURED}; charset=utf-8"}
        return {"body": json.dumps(body), "headers": headers}
    return {"body": json.dumps(data), "headers": binary(kind)}


@pytest.mark.parametrize("structured", [False, True])
def test_an_event_in_either_mode_makes_a_model(serving, buckets, project, tmp_path, structured):
    buckets.put("gs://lab/incoming/my reach.zip", zipped(project, tmp_path / "a.zip").read_bytes())
    send = serving()
    about = event(buckets, "gs://lab/incoming/my reach.zip", structured=structured)
    assert send(**about) == (200, "my reach 1: done\n")
    found = json.loads(buckets.get("gs://lab/models/my reach/1/status.json"))
    assert found["state"] == "done"
    before = dict(buckets.generations)
    assert send(**about) == (200, "my reach 1: done\n")
    assert buckets.generations == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("models/reach/1/status.json", event_service.FINALIZED),
        ("models/incoming/reach.zip", event_service.FINALIZED),
        ("incoming/reach.txt", event_service.FINALIZED),
        ("incoming/a/b.zip", event_service.FINALIZED),
        ("incoming/../b.zip", event_service.FINALIZED),
        ("incoming/.zip", event_service.FINALIZED),
        ("incoming/", event_service.FINALIZED),
        ("incoming/reach.zip", "google.cloud.storage.object.v1.deleted"),
    ],
)
def test_what_is_no_upload_is_acknowledged_and_left_alone(serving, buckets, name, kind):
    buckets.put(f"gs://lab/{name}", b"1")
    about = event(buckets, f"gs://lab/{name}", kind=kind)
    assert serving(upload_run.Settings(run=never))(**about) == (204, "")
    assert buckets.names() == [f"gs://lab/{name}"]


def test_a_zip_that_cannot_name_a_model_gets_a_status_that_says_so(serving, buckets, monkeypatch):
    buckets.put("gs://lab/incoming/a#b.zip", b"1")
    about, send = event(buckets, "gs://lab/incoming/a#b.zip"), serving()
    with monkeypatch.context() as patch:
        patch.setattr(upload_status, "write", lambda *_: json.loads("<html>"))
        assert send(**about)[0] == 503
    for _ in range(2):
        assert send(**about) == (204, "")
    found = json.loads(buckets.get("gs://lab/models/a#b/1/status.json"))
    assert found["state"] == "failed" and found["upload"] == "a#b"
    assert found["error"].startswith("a#b.zip cannot name a model. Use letters, ")
    assert buckets.generations["lab", "models/a#b/1/status.json"] == 2
    decomposed = unicodedata.normalize("NFD", "gs://lab/incoming/é.zip")
    buckets.put(decomposed, b"no zip")
    assert send(**event(buckets, decomposed)) == (200, "é 3: failed\n")


def test_a_service_takes_events_of_its_bucket_and_prefix_alone(serving, buckets, project, tmp_path):
    data = zipped(project, tmp_path / "a.zip").read_bytes()
    send = serving(bucket="lab", prefix="team", models="gs://other/results")
    for address in ("gs://other/team/incoming/a.zip", "gs://lab/incoming/a.zip"):
        buckets.put(address, data)
        assert send(**event(buckets, address))[0] == 204
    buckets.put("gs://lab/team/incoming/a.zip", data)
    assert send(**event(buckets, "gs://lab/team/incoming/a.zip"))[0] == 200
    assert "gs://other/results/a/3/COMPLETED" in buckets.names()


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        ("{", binary(), 400),
        ("[]", binary(), 400),
        ("{}", binary(), 400),
        ('{"bucket": "lab", "name": "incoming/a.zip"}', binary(), 400),
        (
            '{"bucket": "lab", "name": "incoming/a.zip", "generation": "../1"}',
            binary(),
            400,
        ),
        ('{"bucket": "lab"}', {}, 400),
        ("[]", {"Content-Type": STRUCTURED}, 400),
        ("[" * 100_000, binary(), 400),
        ("{}", {**binary(), "ce-specversion": "7"}, 400),
        ("{}", {"ce-type": event_service.FINALIZED}, 400),
        ('{"specversion": {}}', {"Content-Type": STRUCTURED}, 400),
        (" ", {"Content-Length": "1000001"}, 413),
        (" ", {"Content-Length": "many"}, 400),
        ("", {"Content-Length": None}, 411),
    ],
)
def test_what_is_no_event_is_refused(serving, buckets, body, headers, code):
    assert serving()(body=body, headers=headers)[0] == code
    assert buckets.names() == []


def raw(port, data):
    """The first line of the answer to some bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        return connection.recv(4096).split(b"\r\n")[0].decode()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x00\xff\x01garbage\r\n\r\n", 400),
        (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 300_000 + b"\r\n\r\n", 431),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
def test_what_is_hardly_http_is_answered(serving, data, code):
    assert raw(serving().port, data).split()[1] == str(code)


def test_clients_that_send_half_a_body_keep_nobody_else_waiting(serving):
    send, threads = serving(), threading.active_count()
    half = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab"
    slow = [socket.create_connection(("127.0.0.1", send.port), timeout=20) for _ in range(150)]
    for connection in slow:
        connection.sendall(half)
    assert send(body="{", headers=binary())[0] == 400
    assert threading.active_count() <= threads
    for connection in slow:
        connection.close()


@pytest.mark.parametrize("what", BROKEN)
def test_an_event_of_a_broken_upload_is_acknowledged_with_a_reason(
    serving, buckets, tmp_path, what
):
    buckets.put("gs://lab/incoming/reach.zip", broken(tmp_path, what).read_bytes())
    about = event(buckets, "gs://lab/incoming/reach.zip")
    assert serving()(**about) == (200, "reach 1: failed\n")
    found = json.loads(buckets.get("gs://lab/models/reach/1/status.json"))
    assert BROKEN[what] in found["error"]
    assert [n for n in buckets.names("gs://lab/models") if "claims" not in n] == [
        "gs://lab/models/reach/1/status.json"
    ]


def test_an_event_sent_again_during_a_run_is_to_be_sent_again_later(
    serving, buckets, project, tmp_path
):
    buckets.put("gs://lab/incoming/reach.zip", zipped(project, tmp_path / "a.zip").read_bytes())
    about = event(buckets, "gs://lab/incoming/reach.zip")
    begun, free, answers = threading.Event(), threading.Event(), []

    def slow(config, stage):
        begun.set()
        assert free.wait(30)
        return quick(config, stage)

    send, elsewhere = serving(upload_run.Settings(run=slow)), serving()
    thread = threading.Thread(target=lambda: answers.append(send(**about)))
    thread.start()
    assert begun.wait(30)
    assert send(**about) == (429, "busy with another upload\n")
    assert elsewhere(**about) == (429, "reach 1: another handler works on it (unpacking)\n")
    free.set()
    thread.join()
    assert answers == [(200, "reach 1: done\n")]
    assert elsewhere(**about) == (200, "reach 1: done\n")


def test_what_is_not_the_uploads_fault_is_to_be_sent_again(
    serving, buckets, project, tmp_path, monkeypatch
):
    buckets.put("gs://lab/incoming/reach.zip", zipped(project, tmp_path / "a.zip").read_bytes())
    about = event(buckets, "gs://lab/incoming/reach.zip")

    def down(*_):
        raise OSError("storage is away")

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_copy", down)
        assert serving()(**about) == (503, "could not be finished: Again\n")
    assert json.loads(buckets.get("gs://lab/models/reach/1/status.json"))["state"] == "interrupted"
    assert serving()(**about) == (200, "reach 1: done\n")


def test_the_service_runs_by_itself_and_ends_when_told_to(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "BEAMPOSE_SET": "train.steps=3"}
    words = [sys.executable, "-m", "beampose.pipelines.cloud.event_service"]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if "Listening" in line:
                    break
            assert post(port, body="{}", headers=binary("other"))[0] == 204
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
    environment["BEAMPOSE_SET"] = "train.stepz=3"
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Did you mean" in done.stderr


@pytest.mark.slow
def test_crops_in_a_bucket_become_a_model_for_real(serving, buckets, tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    file = zipped(write_crops(tmp_path / "birds", 4), tmp_path / "birds.zip", "data/birds/")
    buckets.put("gs://lab/incoming/birds.zip", file.read_bytes())
    settings = upload_run.Settings(template=str(tmp_path / "tiny.yaml"))
    send = serving(settings, bucket="lab")
    assert send(**event(buckets, "gs://lab/incoming/birds.zip")) == (200, "birds 1: done\n")
    found = json.loads(buckets.get("gs://lab/models/birds/1/status.json"))
    assert found["metrics"]["images"] == {"train": 8, "test": 4}
    assert 0 <= found["metrics"]["test"]["accuracy"] <= 1
    names = buckets.names("gs://lab/models/birds/1/")
    assert "gs://lab/models/birds/1/model/saved_model/saved_model.pb" in names
    assert "gs://lab/models/birds/1/report.html" in names
