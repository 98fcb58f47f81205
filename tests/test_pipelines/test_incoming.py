"""Uploads on a disk and in a bucket become models, once and whole, or say why not."""

import dataclasses
import errno
import json
import os
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import fakes
import pytest
from cloud.server import Answer
from uploads import BROKEN, QUICK, broken, drop, never, quick, result_of, zipped

from beampose.core import artefacts, storage, zips
from beampose.pipelines.cloud import publish, upload_bytes, upload_run, upload_status


@pytest.fixture
def project(tmp_path):
    return fakes.project(tmp_path / "project")


@pytest.fixture(params=["disk", "bucket"])
def place(request, tmp_path, buckets):
    """Folder in which uploads land, on a disk and in a bucket."""
    return str(tmp_path / "lab") if request.param == "disk" else "gs://lab/team"


def held(folder):
    """Names at the top of a run's folder, without the claims."""
    return {path.name for path in folder.iterdir()} - {upload_status.CLAIMS}


def test_an_upload_becomes_a_whole_model_with_a_status(place, buckets, project, tmp_path):
    upload = drop(place, buckets, zipped(project, tmp_path / "a.zip", "home/ann/reach/"))
    lines = []
    found, worked = upload_run.process(upload, f"{place}/models", QUICK, lines.append)
    assert worked
    assert (found.state, found.error, found.metrics) == ("done", None, {"labels": 3})
    folder = result_of(upload, place)
    assert held(folder) == {
        "COMPLETED",
        "info.json",
        "status.json",
        "model",
        "dataset",
        "evaluation",
        "report.html",
    }
    assert (folder / "model/weights.bin").read_bytes() == b"\xff" * 1000
    assert (folder / "report.html").read_text() == "<p>home/ann/reach</p>"
    assert storage.read_json(folder / "status.json") == dataclasses.asdict(found)
    stages = ["unpacking", "features", "training", "report"]
    assert lines == [f"reach {upload.generation}: {stage}" for stage in stages]


def test_the_same_upload_twice_is_worked_on_once(place, buckets, project, tmp_path):
    upload = drop(place, buckets, zipped(project, tmp_path / "a.zip"))
    first = upload_run.process(upload, f"{place}/models", QUICK)
    again = upload_run.process(upload, f"{place}/models", upload_run.Settings(run=never))
    assert again == upload_run.Outcome(first.status, worked=False)


def test_of_two_handlers_of_one_event_one_works(place, buckets, project, tmp_path):
    upload = drop(place, buckets, zipped(project, tmp_path / "a.zip"))
    begun, free, runs = threading.Event(), threading.Event(), []

    def slow(config, stage):
        runs.append(config.output)
        begun.set()
        assert free.wait(30)
        return quick(config, stage)

    settings = upload_run.Settings(run=slow)
    outcomes = []
    threads = [
        threading.Thread(
            target=lambda: outcomes.append(upload_run.process(upload, f"{place}/models", settings))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(30)
    while len(outcomes) < 3:
        time.sleep(0.01)
    assert not any(outcome.worked or outcome.status.final for outcome in outcomes)
    free.set()
    for thread in threads:
        thread.join()
    assert len(runs) == 1
    assert [outcome.worked for outcome in outcomes] == [False, False, False, True]
    assert outcomes[-1].status.state == "done"


def test_two_uploads_at_once_run_each_on_its_own(place, buckets, tmp_path):
    one = zipped(fakes.project(tmp_path / "p1", rows=2), tmp_path / "1.zip")
    two = zipped(fakes.project(tmp_path / "p2", rows=4), tmp_path / "2.zip")
    uploads = [drop(place, buckets, one, "a.zip"), drop(place, buckets, two, "b.zip")]
    both = threading.Barrier(2, timeout=30)

    def together(config, stage):
        both.wait()
        result = quick(config, stage)
        both.wait()
        return result

    settings, found = upload_run.Settings(run=together), {}

    def handle(upload):
        found[upload.name] = upload_run.process(upload, f"{place}/models", settings).status

    threads = [threading.Thread(target=handle, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: one.metrics for name, one in found.items()} == {
        "a": {"labels": 2},
        "b": {"labels": 4},
    }


def test_two_uploads_of_one_name_are_two_models_side_by_side(place, buckets, tmp_path):
    old = drop(place, buckets, zipped(fakes.project(tmp_path / "p1"), tmp_path / "1.zip"))
    upload_run.process(old, f"{place}/models", QUICK)
    rows = fakes.project(tmp_path / "p2", rows=4)
    new = drop(place, buckets, zipped(rows, tmp_path / "2.zip"))
    found = upload_run.process(new, f"{place}/models", QUICK).status
    assert old.generation != new.generation
    assert found.metrics == {"labels": 4}
    assert upload_status.read(result_of(old, place)).metrics == {"labels": 3}


def test_an_upload_replaced_before_it_was_read_says_so(buckets, project, tmp_path):
    old = drop("gs://lab", buckets, zipped(project, tmp_path / "1.zip"))
    new = drop("gs://lab", buckets, zipped(project, tmp_path / "2.zip"))
    found = upload_run.process(old, "gs://lab/models", QUICK).status
    assert (found.state, found.error) == (
        "failed",
        "reach.zip was deleted or replaced before it was read.",
    )
    assert upload_run.process(new, "gs://lab/models", QUICK).status.state == "done"


def test_a_file_that_changes_while_it_is_read_is_tried_again(project, tmp_path, buckets):
    lab = str(tmp_path / "lab")
    upload = drop(lab, buckets, zipped(project, tmp_path / "1.zip"))
    other = upload._replace(generation="0" * 16)
    with pytest.raises(publish.Again, match="replaced before it was read"):
        upload_run.process(other, f"{lab}/models", QUICK)
    assert upload_status.read(result_of(other, lab)).state == "interrupted"


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_upload_says_why_and_publishes_nothing(place, buckets, tmp_path, what):
    upload = drop(place, buckets, broken(tmp_path, what))
    outside = {p for p in tmp_path.rglob("*") if "lab" not in p.parts}
    found, worked = upload_run.process(upload, f"{place}/models", QUICK)
    assert worked
    assert found.state == "failed"
    assert BROKEN[what] in found.error
    assert "beampose-" not in found.error
    assert "Traceback" not in found.error
    assert held(result_of(upload, place)) == {"status.json"}
    assert {p for p in tmp_path.rglob("*") if "lab" not in p.parts} == outside
    assert not upload_run.process(upload, f"{place}/models", QUICK).worked


def test_a_run_that_fails_leaves_its_rejects_and_no_half_of_a_model(place, buckets, tmp_path):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))

    def fails(config, stage):
        quick(config, stage)
        rejects = Path(config.dataset, "rejects.jsonl")
        rejects.write_text(json.dumps({"file": config.source.path + "/x.csv"}) + "\n")
        raise ValueError(f"3 of 3 labeled images cannot be used. {rejects} gives the reasons")

    found = upload_run.process(upload, f"{place}/models", upload_run.Settings(run=fails)).status
    assert (found.state, found.problems) == ("failed", 1)
    assert found.error.endswith("cannot be used. rejects.jsonl gives the reasons")
    folder = result_of(upload, place)
    assert held(folder) == {"status.json", "rejects.jsonl"}
    assert json.loads((folder / "rejects.jsonl").read_text())["file"] == "x.csv"


def test_errors_are_for_people():
    work = Path("/scratch/beampose-x1")
    long = publish.for_people(KeyError("a\nb" * 9000), work)
    assert len(long) <= 1000
    assert publish.for_people(MemoryError(), work).startswith("There was not enough memory")
    text = "bad [while running 'Embed/Do']"
    assert publish.for_people(ValueError(text), work) == "bad"
    assert (
        publish.for_people(OSError(f"{work}/unpacked/p/a.png is gone"), work) == "p/a.png is gone"
    )


def test_a_handler_that_died_is_replaced_and_one_that_is_alive_is_not(place, buckets, tmp_path):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    folder = result_of(upload, place)
    assert upload_status.claim(folder, 600) == 1
    assert not upload_run.process(upload, f"{place}/models", QUICK).worked
    time.sleep(1.1)
    impatient = dataclasses.replace(QUICK, silent_seconds=0.1)
    found, worked = upload_run.process(upload, f"{place}/models", impatient)
    assert worked
    assert (found.state, found.attempt) == ("done", 2)


def test_signs_of_life_keep_a_slow_run_from_being_replaced(place, buckets, tmp_path):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    other = []

    def slow(config, stage):
        result = quick(config, stage)
        for _ in range(3):
            time.sleep(1.5)
            other.append(upload_run.process(upload, f"{place}/models", settings))
        return result

    settings = upload_run.Settings(run=slow, silent_seconds=2.5)
    assert upload_run.process(upload, f"{place}/models", settings).status.state == "done"
    assert [(one.worked, one.status.state) for one in other] == [(False, "report")] * 3


def replace_handler(folder):
    storage.create_text(folder / "claims/0002.json", json.dumps({"claimed": upload_status.now()}))


def test_a_handler_that_was_replaced_publishes_nothing(place, buckets, tmp_path):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    folder = result_of(upload, place)

    def frozen(config, stage):
        result = quick(config, stage)
        replace_handler(folder)
        with pytest.raises(upload_status.TakenOver):
            stage(upload_status.REPORT)
        return result

    found, worked = upload_run.process(upload, f"{place}/models", upload_run.Settings(run=frozen))
    assert not worked
    assert not found.final
    assert held(folder) == {"status.json"}


def test_a_handler_replaced_while_it_publishes_does_not_say_it_is_whole(
    place, buckets, tmp_path, monkeypatch
):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    folder = result_of(upload, place)
    monkeypatch.setattr(publish, "_copy", lambda *_: replace_handler(folder))
    assert not upload_run.process(upload, f"{place}/models", QUICK).worked
    assert held(folder) == {"status.json"}


def test_a_replaced_handler_that_fails_leaves_the_result_of_the_other(place, buckets, tmp_path):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    folder = result_of(upload, place)

    def overtaken(config, stage):
        replace_handler(folder)
        storage.write_text(folder / "model/weights.bin", "of the other")
        raise ValueError("too late")

    settings = upload_run.Settings(run=overtaken)
    assert not upload_run.process(upload, f"{place}/models", settings).worked
    assert held(folder) == {"status.json", "model"}


def test_storage_that_fails_between_stages_is_not_the_uploads_fault(
    place, buckets, tmp_path, monkeypatch
):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))

    def away(config, stage):
        with monkeypatch.context() as patch:
            patch.setattr(storage, "write_json", down)
            stage(upload_status.FEATURES)

    def down(*_):
        raise OSError("storage is away")

    with pytest.raises(publish.Again, match="storage is away"):
        upload_run.process(upload, f"{place}/models", upload_run.Settings(run=away))
    assert upload_status.read(result_of(upload, place)).state == "interrupted"


def test_an_upload_that_kills_its_handlers_fails_in_the_end(place, buckets, tmp_path):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))

    def stopped(config, stage):
        raise KeyboardInterrupt

    settings = upload_run.Settings(run=stopped)
    for attempt in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            upload_run.process(upload, f"{place}/models", settings)
        found = upload_status.read(result_of(upload, place))
        assert (found.state, found.attempt) == ("interrupted", attempt)
    found = upload_run.process(upload, f"{place}/models", QUICK).status
    assert found.state == "failed"
    assert "3 attempts died or were stopped" in found.error


def test_a_result_that_cannot_be_published_is_withdrawn_and_tried_again(
    place, buckets, tmp_path, monkeypatch
):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))

    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(artefacts, "complete", full)
        settings = dataclasses.replace(QUICK, run=without_info)
        with pytest.raises(publish.Again, match="no space left"):
            upload_run.process(upload, f"{place}/models", settings)
    assert held(result_of(upload, place)) == {"status.json"}
    assert upload_run.process(upload, f"{place}/models", QUICK).status.state == "done"


def without_info(config, stage):
    for name in ("model", "dataset", "evaluation"):
        Path(config.output, name).mkdir(parents=True)
        Path(config.output, name, "file.txt").write_text("1")
    Path(config.output, "report.html").write_text("")
    return publish.Result({}, 0)


def test_a_handler_that_died_after_publishing_needs_no_second_training(place, buckets, tmp_path):
    upload = drop(place, buckets, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    first = upload_run.process(upload, f"{place}/models", QUICK).status
    folder = result_of(upload, place)
    storage.write_json(
        folder / "status.json", {**dataclasses.asdict(first), "state": "interrupted"}
    )
    settings = upload_run.Settings(run=never)
    found = upload_run.process(upload, f"{place}/models", settings).status
    assert (found.state, found.metrics, found.problems) == ("done", {"labels": 3}, 0)


@pytest.mark.parametrize("came", ["page", "half", "zeros"])
def test_a_download_that_is_not_whole_is_no_verdict_on_the_zip(
    buckets, project, tmp_path, monkeypatch, came
):
    upload = drop("gs://lab", buckets, zipped(project, tmp_path / "a.zip"))
    data = buckets.get(upload.address)
    wrong = {
        "page": b"<html>Please sign in</html>",
        "half": data[: len(data) // 2],
        "zeros": bytes(len(data)),
    }
    media = buckets._media

    def answer(request, bucket, name):
        whole = not name.endswith(".zip")
        return media(request, bucket, name) if whole else Answer(wrong[came])

    with monkeypatch.context() as patch:
        patch.setattr(buckets, "_media", answer)
        for _ in range(5):  # More often than handlers may die of it.
            with pytest.raises(publish.Again, match="reach.zip could not be read: what came is"):
                upload_run.process(upload, "gs://lab/models", QUICK)
    found = upload_status.read(result_of(upload, "gs://lab"))
    assert (found.state, found.attempt, found.unread) == ("interrupted", 5, 5)
    assert upload_run.process(upload, "gs://lab/models", QUICK).status.state == "done"


def test_a_web_page_for_what_storage_says_of_a_zip_is_no_verdict(
    buckets, project, tmp_path, monkeypatch
):
    upload = drop("gs://lab", buckets, zipped(project, tmp_path / "a.zip"))
    system = storage.place(upload.address).fs
    monkeypatch.setattr(system, "info", lambda *_: json.loads("<html>"))
    with pytest.raises(publish.Unread, match="reach.zip could not be read"):
        upload_run.fetch(upload, tmp_path / "copy.zip", 10**9)


def test_what_cloud_storage_unpacks_on_the_way_has_another_size(tmp_path):
    file = tmp_path / "a.zip"
    file.write_bytes(b"12345")
    assert upload_bytes.are_whole(file, {"size": 5})
    assert not upload_bytes.are_whole(file, {"size": 4})
    assert upload_bytes.are_whole(file, {"size": 4, "contentEncoding": "gzip"})
    assert not upload_bytes.are_whole(file, {"size": 5, "crc32c": "AAAAAA=="})


def test_a_zip_above_the_limit_is_told_so_whatever_room_there_is(
    place, buckets, project, tmp_path, monkeypatch
):
    upload = drop(place, buckets, zipped(project, tmp_path / "a.zip"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    settings = dataclasses.replace(QUICK, limits=zips.Limits(bytes=1000))
    found = upload_run.process(upload, f"{place}/models", settings).status
    assert found.state == "failed" and found.error.endswith(" bytes long, above 1,000.")


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_verdict_for_want_of_room_says_to_upload_the_zip_again(
    buckets, project, tmp_path, monkeypatch, when
):
    upload = drop("gs://lab", buckets, zipped(project, tmp_path / "a.zip"))
    free = 1 if when == "before" else 10**12
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    def full(config, stage):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    settings = upload_run.Settings(run=full)
    found = upload_run.process(upload, "gs://lab/models", settings).status
    assert found.state == "failed" and found.error.endswith(", and upload it again.")
