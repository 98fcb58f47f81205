"""An event starts a job of Cloud Run and is answered at once; the job survives its own death."""

import json
import threading
import time

import pytest
from cloud.run import CloudRun
from cloud.server import Answer
from conftest import write_crops
from test_service import event
from uploads import QUICK, TINY, drop, quick, zipped

from beampose.core import storage
from beampose.pipelines.cloud import (
    event_service,
    upload_environment,
    upload_job,
    upload_run,
    upload_starter,
    upload_status,
)

JOB = "projects/my-project/locations/europe-west1/jobs/beampose-work"
MODELS = "gs://lab/models"
ZIP = "gs://lab/incoming/reach.zip"


@pytest.fixture
def started(buckets):
    """Gives a stand-in of Cloud Run that starts nothing, and a service that asks it."""
    buckets.put(ZIP, b"a zip")
    run = CloudRun(JOB, execute=False)
    service = event_service.Service(QUICK, jobs=upload_starter.Jobs(JOB, run.url))
    yield run, lambda: _post(service, buckets)
    run.close()


def _post(service, buckets):
    about = event(buckets, ZIP)
    return service.answer(about["headers"], about["body"].encode())


def _status(buckets):
    return json.loads(buckets.get(f"{MODELS}/reach/1/status.json"))


def test_an_event_starts_one_job_however_often_it_is_sent(started, buckets):
    run, send = started
    assert send() == (200, "reach 1: queued")
    (words,) = run.executions.values()
    assert words == ["-m", "beampose.pipelines.cloud.upload_job", ZIP, "1", MODELS]
    assert _status(buckets)["state"] == "queued"
    for _ in range(3):
        assert send() == (200, "reach 1: queued")
    assert len(run.executions) == 1


def test_of_events_at_the_same_time_one_starts_a_job(started):
    run, send = started
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(send().status)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 429}
    assert len(run.executions) == 1


def test_a_new_generation_of_the_object_is_another_upload(started, buckets):
    run, send = started
    send()
    buckets.put(ZIP, b"another zip")
    assert buckets.generations["lab", "incoming/reach.zip"] == 5
    assert send() == (200, "reach 5: queued")
    assert len(run.executions) == 2


def test_a_job_that_cloud_run_refuses_is_started_by_a_later_event(started, buckets, caplog):
    run, send = started
    run.allowed = False
    assert send() == (503, "its job could not be started: OSError")
    assert "It needs roles/run.jobsExecutorWithOverrides on the job." in caplog.text
    run.allowed = True
    assert send() == (200, "reach 1: queued")
    assert len(run.executions) == 1


def test_a_handler_that_died_before_it_had_an_answer_is_followed_by_another(started, monkeypatch):
    run, send = started

    def dies(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(upload_starter.Jobs, "run", dies)
        with pytest.raises(SystemExit):
            send()
    assert send().status == 429
    monkeypatch.setattr(upload_starter, "ANSWER_SECONDS", 0.0)
    assert send() == (200, "reach 1: queued")
    assert len(run.executions) == 1


def test_a_job_that_has_been_silent_for_too_long_is_started_again(started, buckets):
    run, send = started
    send()
    folder = storage.place(MODELS, "reach", "1")
    known = upload_status.read(folder)
    old = {**known.__dict__, "state": "training", "attempt": 1, "updated": "2026-01-01T00:00:00"}
    storage.write_json(folder / "status.json", old)
    assert send() == (200, "reach 1: interrupted")
    assert len(run.executions) == 2
    # The new job takes the upload at once, whoever had it before.
    storage.write_json(folder / "claims/0001.json", {"claimed": upload_status.now(), "by": "old"})
    assert upload_status.claim(folder, 600.0, "work-2") == 2


@pytest.mark.parametrize("file", ["status.json", "starts/0001.told"])
def test_what_a_web_page_stands_for_starts_no_second_job(started, buckets, monkeypatch, file):
    run, send = started
    send()
    monkeypatch.setattr(upload_starter, "ANSWER_SECONDS", 0.0)
    media = buckets._media

    def answer(request, bucket, name):
        return Answer(b"<html>") if name.endswith(file) else media(request, bucket, name)

    with monkeypatch.context() as patch:
        patch.setattr(buckets, "_media", answer)
        assert send() == (503, "its job could not be started: OSError")
        folder = storage.place(MODELS, "reach", "1")
        if file == "status.json":
            storage.write_json(folder / "claims/0001.json", {"claimed": "2026-01-01", "by": "one"})
            with pytest.raises(OSError, match="if it stays so, remove that file"):
                upload_status.claim(folder, 600.0)
    assert send() == (200, "reach 1: queued")
    assert len(run.executions) == 1


def test_a_job_that_cannot_read_its_own_claim_is_started_again(buckets):
    folder = storage.place(MODELS, "reach", "1")
    upload_status.claim(folder, 600.0, "work-1")
    own = buckets.get(f"{MODELS}/reach/1/claims/0001.json")
    buckets.put(f"{MODELS}/reach/1/claims/0001.json", b"<html>")
    with pytest.raises(OSError, match="0001.json is a web page"):
        upload_status.claim(folder, 600.0, "work-1")
    buckets.put(f"{MODELS}/reach/1/claims/0001.json", own)
    assert upload_status.claim(folder, 600.0, "work-1") == 2


def test_an_upload_with_a_verdict_needs_no_job(started, buckets):
    run, send = started
    folder = storage.place(MODELS, "reach", "1")
    now = upload_status.now()
    upload_status.write(folder, upload_status.Status("failed", "reach", "1", 1, now, now, "no"))
    assert send() == (200, "reach 1: failed")
    assert not run.executions


def test_a_job_continues_at_once_what_it_died_of_and_nobody_elses(buckets, tmp_path):
    folder = storage.place(MODELS, "reach", "1")
    assert upload_status.claim(folder, 600.0, "work-1") == 1
    assert upload_status.claim(folder, 600.0, "work-2") is None
    assert upload_status.claim(folder, 600.0) is None
    assert upload_status.claim(folder, 600.0, "work-1") == 2


def test_a_job_ends_with_0_once_there_is_a_verdict(buckets, tmp_path, monkeypatch, capsys):
    birds = zipped(write_crops(tmp_path / "birds", 3), tmp_path / "birds.zip")
    upload = drop("gs://lab", buckets, birds, "birds.zip")
    monkeypatch.setenv("CLOUD_RUN_EXECUTION", "work-1")
    monkeypatch.setattr(
        upload_environment, "settings", lambda _: upload_run.Settings(run=quick, owner="work-1")
    )
    words = [upload.address, upload.generation, MODELS]
    assert upload_job.main(words) == 0
    assert "birds 1: done" in capsys.readouterr().out
    assert upload_job.main(words) == 0
    assert "skipped: its model exists" in capsys.readouterr().out

    def fails(config, stage):
        raise ValueError("there is a hole in it")

    monkeypatch.setattr(upload_environment, "settings", lambda _: upload_run.Settings(run=fails))
    upload = drop("gs://lab", buckets, birds, "holes.zip")
    assert upload_job.main([upload.address, upload.generation, MODELS]) == 0
    assert "there is a hole in it" in capsys.readouterr().out


def test_a_job_that_is_asked_wrongly_says_so(monkeypatch, capsys):
    assert upload_job.main(["gs://lab/incoming/a.txt", "1", MODELS]) == 2
    assert "its name must be that of a zip" in capsys.readouterr().err
    monkeypatch.setenv("BEAMPOSE_HOURS", "many")
    assert upload_job.main([ZIP, "1", MODELS]) == 2
    assert "BEAMPOSE_HOURS must be a number above 0" in capsys.readouterr().err
    with pytest.raises(ValueError, match="BEAMPOSE_JOB must look like"):
        event_service.from_environment({"BEAMPOSE_JOB": "beampose-work"})


@pytest.mark.slow
def test_a_job_killed_in_its_training_is_resumed_and_gives_a_model(buckets, tmp_path):
    template = tmp_path / "tiny.yaml"
    template.write_text(TINY)
    birds = zipped(write_crops(tmp_path / "birds", 4), tmp_path / "birds.zip", "data/birds/")
    buckets.put(ZIP, birds.read_bytes())
    killed = []

    def killer(process):
        for _ in range(1200):
            if process.poll() is not None:
                return
            state = _status(buckets)["state"]
            if state == ["features", "training"][min(len(killed), 1)] and len(killed) < 2:
                killed.append(state)
                process.kill()
                return
            time.sleep(0.1)

    run = CloudRun(JOB, killer=killer, environment={"BEAMPOSE_CONFIG": str(template)})
    service = event_service.Service(QUICK, jobs=upload_starter.Jobs(JOB, run.url))
    assert _post(service, buckets) == (200, "reach 1: queued")
    run.close()
    (log,) = run.logs.values()
    assert list(run.tries.values()) == [3], log
    assert killed == ["features", "training"]
    found = _status(buckets)
    assert (found["state"], found["attempt"]) == ("done", 3), log
    assert f"{MODELS}/reach/1/model/saved_model/saved_model.pb" in buckets.names()
    assert _post(service, buckets) == (200, "reach 1: done")
    assert len(run.executions) == 1
