"""Uploads that become models: on a disk by `beampose watch`, in a bucket by events over HTTP."""

import dataclasses
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import fakes
import numpy as np
import pytest
from conftest import write_crops, write_project

from pipelines import cli
from pipelines.cloud import incoming, recipe, service, status, watch
from preprocess import archives
from trainer import artefacts

TINY = """
train: {steps: 6, batch_size: 4, hidden: 8, layers: 1, evaluate_every: 3, checkpoint_every: 6}
features: {copies: 0, batch_size: 4}
render: {images: 2}
"""


def zipped(folder, target, prefix=""):
    """Zips a folder's files below `prefix`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return target


def quick(config, stage):
    """Stands for hours of training: looks at the labels and leaves what a run leaves."""
    from pipelines.features import source

    stage(status.FEATURES)
    labels, _ = source.read(config)
    output = Path(config.output)
    for name in ("model", "dataset", "evaluation", "store"):
        (output / name).mkdir(parents=True)
        artefacts.complete(str(output / name), {"path": config.source.path})
    stage(status.TRAINING)
    (output / "model/weights.bin").write_bytes(b"\xff" * 1000)
    (output / "dataset/rejects.jsonl").write_text("")
    (output / "report.html").write_text(f"<p>{config.source.path}</p>", encoding="utf-8")
    stage(status.REPORT)
    return incoming.Result({"labels": len(labels.items)}, len(labels.problems))


QUICK = incoming.Settings(run=quick)


@pytest.fixture
def project(tmp_path):
    return fakes.project(tmp_path / "project")


def drop(place, storage, file, name="reach.zip"):
    """Puts a zip into `incoming/` of a folder or bucket; the upload it is."""
    if not place.startswith("gs://"):
        target = Path(place, "incoming", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
        address = str(target)
    else:
        address = f"{place}/incoming/{name}"
        storage.put(address, file.read_bytes())
    generation = incoming.generation_of(artefacts.place(address))
    return incoming.Upload(name.removesuffix(".zip"), address, generation)


@pytest.fixture(params=["disk", "bucket"])
def place(request, tmp_path, storage):
    """Where uploads land, on a disk and in a bucket."""
    return str(tmp_path / "lab") if request.param == "disk" else "gs://lab/team"


def result_of(upload, place):
    return artefacts.place(place, "models", upload.name, upload.generation)


def held(folder):
    """What a run's folder holds at its top, without the claims."""
    return {path.name for path in folder.iterdir()} - {status.CLAIMS}


def test_an_upload_becomes_a_whole_model_with_a_status(place, storage, project, tmp_path):
    upload = drop(place, storage, zipped(project, tmp_path / "a.zip", "home/ann/reach/"))
    lines = []
    found, worked = incoming.process(upload, f"{place}/models", QUICK, lines.append)
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
    assert artefacts.read_json(folder / "status.json") == dataclasses.asdict(found)
    stages = ["unpacking", "features", "training", "report"]
    assert lines == [f"reach {upload.generation}: {stage}" for stage in stages]


def test_the_same_upload_twice_is_worked_on_once(place, storage, project, tmp_path):
    upload = drop(place, storage, zipped(project, tmp_path / "a.zip"))
    first = incoming.process(upload, f"{place}/models", QUICK)
    again = incoming.process(upload, f"{place}/models", incoming.Settings(run=never))
    assert again == incoming.Outcome(first.status, worked=False)


def never(config, stage):
    raise AssertionError("this must not run")


def test_of_two_handlers_of_one_event_one_works(place, storage, project, tmp_path):
    upload = drop(place, storage, zipped(project, tmp_path / "a.zip"))
    begun, free, runs = threading.Event(), threading.Event(), []

    def slow(config, stage):
        runs.append(config.output)
        begun.set()
        assert free.wait(30)
        return quick(config, stage)

    settings = incoming.Settings(run=slow)
    outcomes = []
    threads = [
        threading.Thread(
            target=lambda: outcomes.append(incoming.process(upload, f"{place}/models", settings))
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


def test_two_uploads_at_once_run_each_on_its_own(place, storage, tmp_path):
    one = zipped(fakes.project(tmp_path / "p1", rows=2), tmp_path / "1.zip")
    two = zipped(fakes.project(tmp_path / "p2", rows=4), tmp_path / "2.zip")
    uploads = [drop(place, storage, one, "a.zip"), drop(place, storage, two, "b.zip")]
    both = threading.Barrier(2, timeout=30)

    def together(config, stage):
        both.wait()
        result = quick(config, stage)
        both.wait()
        return result

    settings, found = incoming.Settings(run=together), {}

    def handle(upload):
        found[upload.name] = incoming.process(upload, f"{place}/models", settings).status

    threads = [threading.Thread(target=handle, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: one.metrics for name, one in found.items()} == {
        "a": {"labels": 2},
        "b": {"labels": 4},
    }


def test_two_uploads_of_one_name_are_two_models_side_by_side(place, storage, tmp_path):
    old = drop(place, storage, zipped(fakes.project(tmp_path / "p1"), tmp_path / "1.zip"))
    incoming.process(old, f"{place}/models", QUICK)
    rows = fakes.project(tmp_path / "p2", rows=4)
    new = drop(place, storage, zipped(rows, tmp_path / "2.zip"))
    found = incoming.process(new, f"{place}/models", QUICK).status
    assert old.generation != new.generation
    assert found.metrics == {"labels": 4}
    assert status.read(result_of(old, place)).metrics == {"labels": 3}


def test_an_upload_replaced_before_it_was_read_says_so(storage, project, tmp_path):
    old = drop("gs://lab", storage, zipped(project, tmp_path / "1.zip"))
    new = drop("gs://lab", storage, zipped(project, tmp_path / "2.zip"))
    found = incoming.process(old, "gs://lab/models", QUICK).status
    assert (found.state, found.error) == (
        "failed",
        "reach.zip was deleted or replaced before it was read.",
    )
    assert incoming.process(new, "gs://lab/models", QUICK).status.state == "done"


def test_a_file_that_changes_while_it_is_read_is_tried_again(project, tmp_path, storage):
    lab = str(tmp_path / "lab")
    upload = drop(lab, storage, zipped(project, tmp_path / "1.zip"))
    other = upload._replace(generation="0" * 16)
    with pytest.raises(incoming.Again, match="replaced before it was read"):
        incoming.process(other, f"{lab}/models", QUICK)
    assert status.read(result_of(other, lab)).state == "interrupted"


def anchors():
    """A config.yaml of a kilobyte that is gigabytes once spelled out."""
    text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for i in range(1, 10):
        text += f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n"
    return text + "bodyparts: *a9\nscorer: Ann\n"


def link():
    made = zipfile.ZipInfo("link")
    made.create_system, made.external_attr = 3, 0o120777 << 16
    return made


# What is in the zip beside a good project.
ADDED = {
    "several": [("second/config.yaml", b""), ("second/labeled-data/a.txt", b"")],
    "escape": [("../../evil.txt", b"evil")],
    "bomb": [("zeros.png", bytes(30_000_000))],
    "link": [(link(), b"/etc/passwd")],
}


def broken(tmp_path, what):
    """A zip that must fail."""
    project = fakes.project(tmp_path / "broken")
    if what == "no labels":
        (project / "labeled-data/cam1/CollectedData_Ann.csv").unlink()
    elif what == "no yaml":
        (project / "config.yaml").write_text("a: [")
    elif what == "anchors":
        (project / "config.yaml").write_text(anchors())
    elif what == "empty":
        (project / "config.yaml").unlink()
    target = zipped(project, tmp_path / "broken.zip", "reach/")
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in ADDED.get(what, []):
            archive.writestr(name, data)
    if what == "text":
        target.write_text("no zip at all")
    return target


BROKEN = {
    "no labels": "holds no labels",
    "no yaml": "config.yaml is not a YAML file",
    "anchors": "once its anchors are spelled out",
    "several": "holds 2 projects: reach (deeplabcut), second (deeplabcut)",
    "empty": "holds no project",
    "escape": "would leave its folder",
    "bomb": "unpacks to more than",
    "link": "is a link",
    "text": "is not a whole zip",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_upload_says_why_and_publishes_nothing(place, storage, tmp_path, what):
    upload = drop(place, storage, broken(tmp_path, what))
    outside = {p for p in tmp_path.rglob("*") if "lab" not in p.parts}
    found, worked = incoming.process(upload, f"{place}/models", QUICK)
    assert worked
    assert found.state == "failed"
    assert BROKEN[what] in found.error
    assert "beampose-" not in found.error
    assert "Traceback" not in found.error
    assert held(result_of(upload, place)) == {"status.json"}
    assert {p for p in tmp_path.rglob("*") if "lab" not in p.parts} == outside
    assert not incoming.process(upload, f"{place}/models", QUICK).worked


def test_a_run_that_fails_leaves_its_rejects_and_no_half_of_a_model(place, storage, tmp_path):
    upload = drop(place, storage, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))

    def fails(config, stage):
        quick(config, stage)
        rejects = Path(config.dataset, "rejects.jsonl")
        rejects.write_text(json.dumps({"file": config.source.path + "/x.csv"}) + "\n")
        raise ValueError(f"3 of 3 labeled images cannot be used. {rejects} says why")

    found = incoming.process(upload, f"{place}/models", incoming.Settings(run=fails)).status
    assert (found.state, found.problems) == ("failed", 1)
    assert found.error.endswith("cannot be used. rejects.jsonl says why")
    folder = result_of(upload, place)
    assert held(folder) == {"status.json", "rejects.jsonl"}
    assert json.loads((folder / "rejects.jsonl").read_text())["file"] == "x.csv"


def test_errors_are_for_people():
    work = Path("/scratch/beampose-x1")
    long = incoming.for_people(KeyError("a\nb" * 9000), work)
    assert len(long) <= 1000
    assert incoming.for_people(MemoryError(), work).startswith("There was not enough memory")
    text = "bad [while running 'Embed/Do']"
    assert incoming.for_people(ValueError(text), work) == "bad"
    assert (
        incoming.for_people(OSError(f"{work}/unpacked/p/a.png is gone"), work) == "p/a.png is gone"
    )


def test_a_handler_that_died_is_replaced_and_one_that_is_alive_is_not(place, storage, tmp_path):
    upload = drop(place, storage, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    folder = result_of(upload, place)
    assert status.claim(folder, 600) == 1
    assert not incoming.process(upload, f"{place}/models", QUICK).worked
    time.sleep(1.1)
    impatient = dataclasses.replace(QUICK, silent_seconds=0.1)
    found, worked = incoming.process(upload, f"{place}/models", impatient)
    assert worked
    assert (found.state, found.attempt) == ("done", 2)


def test_signs_of_life_keep_a_slow_run_from_being_replaced(place, storage, tmp_path):
    upload = drop(place, storage, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    other = []

    def slow(config, stage):
        result = quick(config, stage)
        for _ in range(3):
            time.sleep(1.5)
            other.append(incoming.process(upload, f"{place}/models", settings))
        return result

    settings = incoming.Settings(run=slow, silent_seconds=2.5)
    assert incoming.process(upload, f"{place}/models", settings).status.state == "done"
    assert [(one.worked, one.status.state) for one in other] == [(False, "report")] * 3


def test_a_handler_that_was_replaced_publishes_nothing(place, storage, tmp_path):
    upload = drop(place, storage, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    folder = result_of(upload, place)

    def frozen(config, stage):
        result = quick(config, stage)
        artefacts.create_text(folder / "claims/0002.json", json.dumps({"claimed": status.now()}))
        return result

    found, worked = incoming.process(upload, f"{place}/models", incoming.Settings(run=frozen))
    assert not worked
    assert not found.final
    assert held(folder) == {"status.json"}


def test_an_upload_that_kills_its_handlers_fails_in_the_end(place, storage, tmp_path):
    upload = drop(place, storage, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))

    def stopped(config, stage):
        raise KeyboardInterrupt

    settings = incoming.Settings(run=stopped)
    for attempt in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            incoming.process(upload, f"{place}/models", settings)
        found = status.read(result_of(upload, place))
        assert (found.state, found.attempt) == ("interrupted", attempt)
    found = incoming.process(upload, f"{place}/models", QUICK).status
    assert found.state == "failed"
    assert "3 attempts died or were stopped" in found.error


def test_a_result_that_cannot_be_published_is_withdrawn_and_tried_again(
    place, storage, tmp_path, monkeypatch
):
    upload = drop(place, storage, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))

    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(artefacts, "complete", full)
        settings = dataclasses.replace(QUICK, run=without_info)
        with pytest.raises(incoming.Again, match="no space left"):
            incoming.process(upload, f"{place}/models", settings)
    assert held(result_of(upload, place)) == {"status.json"}
    assert incoming.process(upload, f"{place}/models", QUICK).status.state == "done"


def without_info(config, stage):
    for name in ("model", "dataset", "evaluation"):
        Path(config.output, name).mkdir(parents=True)
        Path(config.output, name, "file.txt").write_text("1")
    Path(config.output, "report.html").write_text("")
    return incoming.Result({}, 0)


def test_a_handler_that_died_after_publishing_needs_no_second_training(place, storage, tmp_path):
    upload = drop(place, storage, zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip"))
    first = incoming.process(upload, f"{place}/models", QUICK).status
    folder = result_of(upload, place)
    artefacts.write_json(
        folder / "status.json", {**dataclasses.asdict(first), "state": "interrupted"}
    )
    settings = incoming.Settings(run=never)
    found = incoming.process(upload, f"{place}/models", settings).status
    assert (found.state, found.metrics, found.problems) == ("done", {"labels": 3}, 0)


# The experiment of an upload.


def written(tmp_path, own=None, template=None, sets=(), project=None):
    project = project or fakes.project(tmp_path / "p")
    if own is not None:
        (project / "beampose.yaml").write_text(own)
    if template is not None:
        (tmp_path / "template.yaml").write_text(template)
        template = str(tmp_path / "template.yaml")
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    found = archives.find_project(project)
    return recipe.write(work, found, work / "out", template, sets)


def test_a_zip_may_change_its_training_and_what_the_operator_sets_holds(tmp_path):
    config = written(
        tmp_path,
        own="train: {steps: 7, hidden: 9}\nsplit: {by: video}\nfeatures: {copies: 1}\n",
        template="task: pose\noutput: elsewhere\nsource: {format: deeplabcut, path: x, "
        "max_rejects: 0.1}\ntrain: {steps: 5, seed: 3}\nfeatures: {weights: w.npz, "
        "backbone: resnet_compact}\nstore: shared\npredict: {videos: [a.mp4]}\n",
        sets=["train.hidden=11"],
    )
    train = config.train
    assert (train.steps, train.hidden, train.seed, train.window) == (7, 11, 3, 16)
    assert (config.split.by, config.features.copies) == ("video", 1)
    assert config.source.max_rejects == 0.1
    assert config.source.path == str(tmp_path / "p")
    assert config.features.weights == str(tmp_path / "w.npz")
    assert config.store == str(tmp_path / "shared")
    assert config.predict.videos == []
    assert config.output == str(tmp_path / "work/out")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("output: /tmp/x", "may hold the sections train, split, features"),
        ("source: {path: /etc}", "Received: 'source'"),
        ("store: /tmp", "Received: 'store'"),
        ("predict: {videos: [/dev/zero]}", "Received: 'predict'"),
        ("features: {weights: /etc/passwd}", "may not set features.weights"),
        ("split: {from: /etc/passwd}", "may not set split.from"),
        ("train: {cache_mb: 1000000}", "may not set train.cache_mb"),
        ("train: {steps: 1000000}", "train.steps may be up to 20000"),
        ("train: {stepz: 5}", "Did you mean 'train.steps'"),
        ("train: 5", "Received: 'train'"),
        ("train: [", "is not a YAML file"),
    ],
)
def test_a_zip_may_not_reach_for_paths_or_days_of_work(tmp_path, own, message):
    with pytest.raises(ValueError) as error:
        written(tmp_path, own=own)
    assert message in str(error.value)


def test_crops_keep_the_split_their_folders_declare(tmp_path):
    declared = fakes.crops(tmp_path / "c", {"Training/Positive": 1, "Training/Negative": 1})
    assert written(tmp_path, project=declared).split.by == "folder"
    plain = fakes.crops(tmp_path / "d", {"jay": 1, "wren": 1})
    assert written(tmp_path, project=plain).split.by == "image"
    with pytest.raises(ValueError, match="is for task 'pose'; the upload is for 'crops'"):
        written(tmp_path, project=plain, template="task: pose")


# `beampose watch`.


def watched(tmp_path, **options):
    lines = []
    lab = tmp_path / "lab"
    lab.mkdir(exist_ok=True)
    settings = dataclasses.replace(QUICK, **options)
    return watch.Watch(str(lab), None, settings, lines.append), lab, lines


def test_one_bad_zip_stops_no_other(tmp_path, storage, project):
    looking, lab, lines = watched(tmp_path)
    zipped(project, lab / "incoming/good.zip")
    (lab / "incoming/bad.zip").write_text("no zip")
    zipped(project, lab / "incoming/.hidden.zip")
    zipped(project, lab / "incoming/..zip")
    zipped(project, lab / "incoming/a&b.zip")
    assert watch.once(looking, 0.01) == 1
    text = "\n".join(lines)
    assert "FAILED a&b.zip: cannot name a model" in text
    assert "FAILED bad" in text
    assert ": done" in text
    assert {p.name for p in (lab / "models").iterdir()} == {"good", "bad"}
    for name in ("bad.zip", "a&b.zip", "..zip"):
        (lab / "incoming" / name).unlink()
    lines.clear()
    assert watch.once(watched(tmp_path, run=never)[0], 0.01) == 0
    assert watch.once(looking, 0.01) == 0
    assert lines == []


def test_a_file_that_grows_is_left_until_it_is_whole(tmp_path, storage, project):
    looking, lab, lines = watched(tmp_path)
    whole = zipped(project, tmp_path / "a.zip").read_bytes()
    target = lab / "incoming/reach.zip"
    target.write_bytes(whole[:1000])
    assert list(looking.look()) == []
    target.write_bytes(whole[:2000])
    assert list(looking.look()) == []
    assert looking.waiting == ["reach.zip"]
    assert not (lab / "models").exists()
    target.write_bytes(whole)
    assert list(looking.look()) == [True]
    assert list(looking.look()) == []
    assert lines[-1].endswith(": done")


def test_watch_says_what_it_leaves_to_another_handler(tmp_path, storage, project):
    looking, lab, lines = watched(tmp_path)
    upload = drop(str(lab), storage, zipped(project, tmp_path / "a.zip"))
    status.claim(result_of(upload, str(lab)), 600)
    assert watch.once(looking, 0.01) == 1
    assert "left to another that works on it (received)" in lines[-1]


def test_watch_looks_at_a_bucket_too(storage, project, tmp_path):
    lines = []
    looking = watch.Watch("gs://lab/team", None, QUICK, lines.append)
    assert watch.once(looking, 0.01) == 0
    upload = drop("gs://lab/team", storage, zipped(project, tmp_path / "a.zip"))
    assert watch.once(looking, 0.01) == 0
    assert status.read(result_of(upload, "gs://lab/team")).state == "done"
    assert watch.once(looking, 0.01) == 0
    assert len([line for line in lines if line.endswith(": done")]) == 1


def test_storage_that_fails_is_a_line_and_the_zip_is_tried_again(
    tmp_path, storage, project, monkeypatch
):
    looking, lab, lines = watched(tmp_path)
    zipped(project, lab / "incoming/reach.zip")

    def down(*_):
        raise OSError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(incoming, "_copy", down)
        assert watch.once(looking, 0.01) == 1
    assert "the disk is away" in lines[-1]
    assert "tried again" in lines[-1]
    assert watch.once(looking, 0.01) == 0


def test_watch_refuses_what_no_upload_could_be_trained_with(tmp_path, capsys):
    (tmp_path / "t.yaml").write_text("train: {steps: many}")
    for words, message in [
        (["watch", str(tmp_path / "no"), "--once"], "No folder"),
        (["watch", str(tmp_path), "--config", "no.yaml"], "No config file no.yaml"),
        (["watch", str(tmp_path), "--config", str(tmp_path / "t.yaml")], "train.steps must be"),
        (["watch", str(tmp_path), "--set", "train.stepz=1"], "Did you mean 'train.steps'"),
        (["watch", str(tmp_path), "--set", "output=x"], "given by each upload"),
        (["watch", str(tmp_path), "--every", "0"], "--every must be above 0"),
    ]:
        assert cli.main(words) == 2
        assert message in capsys.readouterr().err


def test_ctrl_c_ends_a_watch_without_a_traceback(tmp_path, capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    assert cli.main(["watch", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert "become models in" in captured.out
    assert "Stopped" in captured.err


def test_watch_trains_a_project_for_real(tmp_path, capsys, storage):
    lab = tmp_path / "lab"
    zipped(write_project(tmp_path / "p"), lab / "incoming/spots.zip", "home/ann/spots/")
    (tmp_path / "tiny.yaml").write_text(TINY)
    words = ["watch", str(lab), "--once", "--config", str(tmp_path / "tiny.yaml")]
    words += ["--set", "train.window=8"]
    assert cli.main(words) == 0
    assert ": done" in capsys.readouterr().out
    (folder,) = (lab / "models/spots").iterdir()
    found = status.read(artefacts.place(folder))
    assert found.state == "done"
    assert sum(found.metrics["images"].values()) == 12
    assert np.isfinite(found.metrics["test"]["mean_error_px"])
    assert (folder / "model/saved_model/saved_model.pb").is_file()
    assert artefacts.require(folder, "watch")["upload"] == "spots"
    for file in folder.rglob("*"):
        if file.suffix in (".json", ".jsonl", ".csv", ".html"):
            assert "beampose-" not in file.read_text(encoding="utf-8").replace(
                "beampose-resnet", ""
            )
    assert cli.main(words) == 0
    assert "skipped" in capsys.readouterr().out


# The service.


@pytest.fixture
def serving():
    """Starts services on free ports; gives a function that posts to one."""
    servers = []

    def start(settings=QUICK, **options):
        server = service.serve(service.Service(settings, **options), 0, "localhost")
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return lambda **how: post(server.server_address[1], **how)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def post(port, *, body, headers=None):
    connection = http.client.HTTPConnection("localhost", port, timeout=300)
    try:
        connection.request("POST", "/", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def event(storage, address, *, structured=False, kind=service.FINALIZED):
    """What Eventarc sends when an object is written."""
    bucket, _, name = address.removeprefix("gs://").partition("/")
    generation = str(storage.generations.get((bucket, name), 1))
    data = {"kind": "storage#object", "bucket": bucket, "name": name, "generation": generation}
    if structured:
        body = {"specversion": "1.0", "type": kind, "source": "//storage", "id": "1", "data": data}
        headers = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
        return {"body": json.dumps(body), "headers": headers}
    headers = {"ce-type": kind, "ce-id": "1", "ce-specversion": "1.0", "ce-source": "//storage"}
    return {"body": json.dumps(data), "headers": {**headers, "Content-Type": "application/json"}}


@pytest.mark.parametrize("structured", [False, True])
def test_an_event_in_either_mode_makes_a_model(serving, storage, project, tmp_path, structured):
    storage.put("gs://lab/incoming/my reach.zip", zipped(project, tmp_path / "a.zip").read_bytes())
    send = serving()
    about = event(storage, "gs://lab/incoming/my reach.zip", structured=structured)
    assert send(**about) == (200, "my reach 1: done\n")
    found = json.loads(storage.get("gs://lab/models/my reach/1/status.json"))
    assert found["state"] == "done"
    before = dict(storage.generations)
    assert send(**about) == (200, "my reach 1: done\n")
    assert storage.generations == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("models/reach/1/status.json", service.FINALIZED),
        ("models/incoming/reach.zip", service.FINALIZED),
        ("incoming/reach.txt", service.FINALIZED),
        ("incoming/a/b.zip", service.FINALIZED),
        ("incoming/../b.zip", service.FINALIZED),
        ("incoming/.zip", service.FINALIZED),
        ("incoming/", service.FINALIZED),
        ("incoming/reach.zip", "google.cloud.storage.object.v1.deleted"),
    ],
)
def test_what_is_no_upload_is_acknowledged_and_left_alone(serving, storage, name, kind):
    storage.put(f"gs://lab/{name}", b"1")
    about = event(storage, f"gs://lab/{name}", kind=kind)
    assert serving(incoming.Settings(run=never))(**about) == (204, "")
    assert storage.names() == [f"gs://lab/{name}"]


def test_a_service_takes_events_of_its_bucket_and_prefix_alone(serving, storage, project, tmp_path):
    data = zipped(project, tmp_path / "a.zip").read_bytes()
    send = serving(bucket="lab", prefix="team", models="gs://other/results")
    for address in ("gs://other/team/incoming/a.zip", "gs://lab/incoming/a.zip"):
        storage.put(address, data)
        assert send(**event(storage, address))[0] == 204
    storage.put("gs://lab/team/incoming/a.zip", data)
    assert send(**event(storage, "gs://lab/team/incoming/a.zip"))[0] == 200
    assert "gs://other/results/a/3/COMPLETED" in storage.names()


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        ("{", {"ce-type": service.FINALIZED}, 400),
        ("[]", {"ce-type": service.FINALIZED}, 400),
        ("{}", {"ce-type": service.FINALIZED}, 400),
        ('{"bucket": "lab", "name": "incoming/a.zip"}', {"ce-type": service.FINALIZED}, 400),
        (
            '{"bucket": "lab", "name": "incoming/a.zip", "generation": "../1"}',
            {"ce-type": service.FINALIZED},
            400,
        ),
        ('{"bucket": "lab"}', {}, 400),
        ("[]", {"Content-Type": service.STRUCTURED}, 400),
        ("[" * 100_000, {"ce-type": service.FINALIZED}, 400),
        (" " * 1_000_001, {"ce-type": service.FINALIZED}, 413),
    ],
)
def test_what_is_no_event_is_refused(serving, storage, body, headers, code):
    assert serving()(body=body, headers=headers)[0] == code
    assert storage.names() == []


@pytest.mark.parametrize("what", BROKEN)
def test_an_event_of_a_broken_upload_is_acknowledged_with_a_reason(
    serving, storage, tmp_path, what
):
    storage.put("gs://lab/incoming/reach.zip", broken(tmp_path, what).read_bytes())
    about = event(storage, "gs://lab/incoming/reach.zip")
    assert serving()(**about) == (200, "reach 1: failed\n")
    found = json.loads(storage.get("gs://lab/models/reach/1/status.json"))
    assert BROKEN[what] in found["error"]
    assert [n for n in storage.names("gs://lab/models") if "claims" not in n] == [
        "gs://lab/models/reach/1/status.json"
    ]


def test_an_event_sent_again_during_a_run_is_to_be_sent_again_later(
    serving, storage, project, tmp_path
):
    storage.put("gs://lab/incoming/reach.zip", zipped(project, tmp_path / "a.zip").read_bytes())
    about = event(storage, "gs://lab/incoming/reach.zip")
    begun, free, answers = threading.Event(), threading.Event(), []

    def slow(config, stage):
        begun.set()
        assert free.wait(30)
        return quick(config, stage)

    send, elsewhere = serving(incoming.Settings(run=slow)), serving()
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
    serving, storage, project, tmp_path, monkeypatch
):
    storage.put("gs://lab/incoming/reach.zip", zipped(project, tmp_path / "a.zip").read_bytes())
    about = event(storage, "gs://lab/incoming/reach.zip")

    def down(*_):
        raise OSError("storage is away")

    with monkeypatch.context() as patch:
        patch.setattr(incoming, "_copy", down)
        assert serving()(**about) == (503, "could not be finished: Again\n")
    assert json.loads(storage.get("gs://lab/models/reach/1/status.json"))["state"] == "interrupted"
    assert serving()(**about) == (200, "reach 1: done\n")


def test_the_service_runs_by_itself_and_ends_when_told_to(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "BEAMPOSE_SET": "train.steps=3"}
    words = [sys.executable, "-m", "pipelines.cloud.service"]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if "Listening" in line:
                    break
            assert post(port, body="{}", headers={"ce-type": "other"})[0] == 204
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
    environment["BEAMPOSE_SET"] = "train.stepz=3"
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Did you mean" in done.stderr


def test_crops_in_a_bucket_become_a_model_for_real(serving, storage, tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    file = zipped(write_crops(tmp_path / "birds", 4), tmp_path / "birds.zip", "data/birds/")
    storage.put("gs://lab/incoming/birds.zip", file.read_bytes())
    settings = incoming.Settings(template=str(tmp_path / "tiny.yaml"))
    send = serving(settings, bucket="lab")
    assert send(**event(storage, "gs://lab/incoming/birds.zip")) == (200, "birds 1: done\n")
    found = json.loads(storage.get("gs://lab/models/birds/1/status.json"))
    assert found["metrics"]["images"] == {"train": 8, "test": 4}
    assert 0 <= found["metrics"]["test"]["accuracy"] <= 1
    names = storage.names("gs://lab/models/birds/1/")
    assert "gs://lab/models/birds/1/model/saved_model/saved_model.pb" in names
    assert "gs://lab/models/birds/1/report.html" in names


# scripts/deploy_trigger.

DEPLOY = Path(__file__).parents[2] / "scripts/deploy_trigger"
GIVEN = ["--project", "my-lab-1", "--region", "europe-west1", "--bucket", "lab-in"]
IMAGE = ["--image", "europe-docker.pkg.dev/my-lab-1/lab/beampose:1"]


@pytest.fixture
def deploy(tmp_path):
    """Runs the script where only the stand-ins in `tmp_path / "bin"` and a few tools are."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sed", "tr"):
        (tools / tool).symlink_to(shutil.which(tool))
    bash = shutil.which("bash")

    def run(*words):
        command = [bash, str(DEPLOY), *words]
        environment = {"PATH": str(tools)}
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    return run


def test_a_dry_deployment_prints_its_commands_without_gcloud(deploy):
    assert subprocess.run(["bash", "-n", DEPLOY]).returncode == 0
    done = deploy(*GIVEN, *IMAGE, "--prefix", "team", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [shlex.split(line, comments=True) for line in done.stdout.splitlines()]
    commands = {" ".join(words[1:4]): words for words in lines if words}
    assert {words[0] for words in lines if words} == {"gcloud"}
    run = commands["run deploy beampose"]
    for word in ("--concurrency=1", "--timeout=3600", "--no-allow-unauthenticated"):
        assert word in run
    variables = dict(one.split("=") for one in run[-1].removeprefix("--set-env-vars=").split(","))
    made = service.from_environment(variables)
    assert (made.bucket, made.prefix, made.models) == ("lab-in", "team/", "gs://lab-in/team/models")
    trigger = commands["eventarc triggers create"]
    assert f"--event-filters=type={service.FINALIZED}" in trigger
    assert "--service-account=beampose-trigger@my-lab-1.iam.gserviceaccount.com" in trigger
    assert "--ack-deadline=600" in commands["pubsub subscriptions update"]


def test_the_runner_writes_below_models_alone(deploy):
    done = deploy(*GIVEN, *IMAGE, "--models-bucket", "lab-out", "--dry-run")
    runner = [shlex.split(line) for line in done.stdout.splitlines() if "policy" in line]
    runner = [words for words in runner if any("beampose-runner" in word for word in words)]
    roles = {(words[4], words[6]): words[7:] for words in runner}
    assert roles == {
        ("gs://lab-in", "--role=roles/storage.objectViewer"): [],
        ("gs://lab-out", "--role=roles/storage.objectViewer"): [],
        ("gs://lab-out", "--role=roles/storage.objectAdmin"): [
            "--condition=expression=resource.name.startsWith("
            "'projects/_/buckets/lab-out/objects/models/'),title=beampose-models"
        ],
    }


def test_a_deployment_is_taken_down_by_the_same_names(deploy):
    made = deploy(*GIVEN, *IMAGE, "--dry-run").stdout
    gone = deploy("--delete", *GIVEN, "--dry-run")
    assert gone.returncode == 0
    for what in ("triggers", "services", "service-accounts"):
        assert f"{what} delete" in gone.stdout
    bindings = re.findall(r"(\S+) --role=(\S+)", made)
    removed = re.findall(r"(\S+) --role=(\S+)", gone.stdout)
    # Storage's agent serves other triggers too, and a service takes its bindings with it.
    kept = {"roles/pubsub.publisher", "roles/run.invoker"}
    assert sorted(b for b in bindings if b[1] not in kept) == sorted(removed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (GIVEN, "--image is missing"),
        ([*GIVEN, *IMAGE], "gcloud is not installed"),
        ([*GIVEN, *IMAGE, "--bucket", "UPPER"], "--bucket must look like"),
        ([*GIVEN, *IMAGE, "--project", "x; rm -rf /"], "--project must look like"),
        ([*GIVEN, *IMAGE, "--prefix", "a'b"], "--prefix must look like"),
        ([*GIVEN, *IMAGE, "--config", "my.yaml"], "--config must look like"),
        ([*GIVEN, "--image"], "--image needs a value"),
        ([*GIVEN, "--imgae", "x"], "There is no option --imgae"),
        (["stray"], "What is stray"),
    ],
)
def test_a_wrong_deployment_is_refused_before_anything_is_done(deploy, words, message):
    done = deploy(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


GCLOUD = """#!{bash}
echo "$*" >> {log}
case "$*" in
    *"buckets describe"*) echo EUROPE-WEST4 ;;
    *service-agent*) echo service-1@gs-project-accounts.iam.gserviceaccount.com ;;
    *"triggers describe"*) [ -e {log}.made ] && echo projects/p/subscriptions/s ;;
    *"triggers create"*) : > {log}.made ;;
    *"accounts describe beampose-runner"*) exit 1 ;;
esac
"""


def test_a_deployment_makes_what_is_missing_where_the_bucket_is(deploy, tmp_path):
    log = tmp_path / "log"
    stand_in = tmp_path / "bin/gcloud"
    stand_in.write_text(GCLOUD.format(bash=shutil.which("bash"), log=log))
    stand_in.chmod(0o755)
    done = deploy(*GIVEN, *IMAGE)
    assert (done.returncode, done.stderr) == (0, "")
    commands = log.read_text().splitlines()
    assert [c.split()[3] for c in commands if "accounts create" in c] == ["beampose-runner"]
    (trigger,) = (c for c in commands if "triggers create" in c)
    assert "--location=europe-west4" in trigger
    assert "--destination-run-region=europe-west1" in trigger
    assert commands[-1].startswith("pubsub subscriptions update projects/p/subscriptions/s")
    log.unlink()
    assert deploy(*GIVEN, *IMAGE).returncode == 0
    assert "triggers create" not in log.read_text()
    assert deploy("--delete", *GIVEN).returncode == 0
    assert "triggers delete beampose --project=my-lab-1 --location=europe-west4" in log.read_text()
