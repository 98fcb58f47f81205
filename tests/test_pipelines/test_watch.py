"""`beampose watch`: a folder in which zips land."""

import dataclasses
import datetime
import errno
import os
import shutil
import time
import unicodedata
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import fakes
import numpy as np
import pytest
from cloud.server import Answer, error
from conftest import write_project
from uploads import QUICK, TINY, drop, never, quick, result_of, zipped

from beampose.core import artefacts, storage
from beampose.core.infos import UploadInfo
from beampose.pipelines import cli
from beampose.pipelines.cloud import publish, upload_room, upload_run, upload_status, upload_watch


@pytest.fixture
def project(tmp_path):
    return fakes.project(tmp_path / "project")


def watched(tmp_path, **options):
    lines = []
    lab = tmp_path / "lab"
    lab.mkdir(exist_ok=True)
    settings = dataclasses.replace(QUICK, **options)
    return upload_watch.Watch(str(lab), None, settings, lines.append), lab, lines


def test_one_bad_zip_stops_no_other(tmp_path, buckets, project):
    looking, lab, lines = watched(tmp_path)
    zipped(project, lab / "incoming/good.zip")
    (lab / "incoming/bad.zip").write_text("no zip")
    zipped(project, lab / "incoming/.hidden.zip")
    zipped(project, lab / "incoming/..zip")
    zipped(project, lab / "incoming/a&b.zip")
    assert upload_watch.once(looking, 0.01) == 1
    text = "\n".join(lines)
    assert "FAILED a&b.zip: cannot name a model" in text
    assert "FAILED bad" in text
    assert ": done" in text
    assert {p.name for p in (lab / "models").iterdir()} == {"good", "bad"}
    for name in ("bad.zip", "a&b.zip", "..zip"):
        (lab / "incoming" / name).unlink()
    lines.clear()
    assert upload_watch.once(watched(tmp_path, run=never)[0], 0.01) == 0
    assert upload_watch.once(looking, 0.01) == 0
    assert lines == []


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes among files")
def test_a_pipe_in_the_place_of_a_zip_is_told_and_not_waited_for(tmp_path):
    looking, lab, lines = watched(tmp_path, run=never)
    os.mkfifo(lab / "incoming/a.zip")
    assert upload_watch.once(looking, 0.01) == 0
    assert lines == ["NOTE a.zip is not taken: it is a pipe or a device, and no file"]


def test_a_file_that_grows_is_left_until_it_is_whole(tmp_path, buckets, project):
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


def test_watch_says_what_it_leaves_to_another_handler(tmp_path, buckets, project):
    looking, lab, lines = watched(tmp_path)
    upload = drop(str(lab), buckets, zipped(project, tmp_path / "a.zip"))
    upload_status.claim(result_of(upload, str(lab)), 600)
    assert upload_watch.once(looking, 0.01) == 1
    assert "another process works on it (received)" in lines[-1]


def test_watch_looks_at_a_bucket_too(buckets, project, tmp_path):
    lines = []
    # A folder of a bucket, as the console makes one.
    buckets.put("gs://lab/team/incoming/", b"")
    buckets.put("gs://lab/team/incoming/folder.zip/a.txt", b"")
    looking = upload_watch.Watch("gs://lab/team", None, QUICK, lines.append)
    assert upload_watch.once(looking, 0.01) == 0 and not lines
    upload = drop("gs://lab/team", buckets, zipped(project, tmp_path / "a.zip"))
    assert upload_watch.once(looking, 0.01) == 0
    assert upload_status.read(result_of(upload, "gs://lab/team")).state == "done"
    assert upload_watch.once(looking, 0.01) == 0
    assert len([line for line in lines if line.endswith(": done")]) == 1


def test_storage_that_fails_is_a_line_and_the_zip_is_tried_again(
    tmp_path, buckets, project, monkeypatch
):
    looking, lab, lines = watched(tmp_path)
    zipped(project, lab / "incoming/reach.zip")

    def down(*_):
        raise PermissionError(errno.EACCES, "Permission denied", "reach.zip")

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_copy", down)
        assert upload_watch.once(looking, 0.01) == 1
    assert "could not be published: reach.zip: Permission denied: " in lines[-1]
    assert lines[-1].endswith(" change its permissions. It will be tried again.")
    assert upload_watch.once(looking, 0.01) == 0


def test_watch_refuses_what_no_upload_could_be_trained_with(tmp_path, capsys):
    (tmp_path / "t.yaml").write_text("train: {steps: many}")
    for words, message in [
        (["watch", str(tmp_path / "no"), "--once"], "No folder"),
        (["watch", str(tmp_path), "--config", "no.yaml"], "No config file no.yaml"),
        (["watch", str(tmp_path), "--config", str(tmp_path / "t.yaml")], "train.steps must be"),
        (["watch", str(tmp_path), "--set", "train.stepz=1"], "Did you mean 'train.steps'"),
        (["watch", str(tmp_path), "--set", "output=x"], "each upload sets this"),
        (["watch", str(tmp_path), "--every", "0"], "--every must be above 0"),
    ]:
        assert cli.main(words) == 2
        assert message in capsys.readouterr().err


def test_a_bucket_that_is_not_there_is_no_bucket_without_zips(buckets, capsys):
    assert cli.main(["watch", "gs://lap/uploads", "--once"]) == 2
    assert "error: There is no bucket gs://lap, or this" in capsys.readouterr().err
    assert cli.main(["watch", "gs://other/uploads", "--once"]) == 0


def test_ctrl_c_ends_a_watch_without_a_traceback(tmp_path, capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    assert cli.main(["watch", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert "become models in" in captured.out
    assert "Stopped" in captured.err


@pytest.mark.slow
def test_watch_trains_a_project_for_real(tmp_path, capsys, buckets):
    lab = tmp_path / "lab"
    zipped(write_project(tmp_path / "p"), lab / "incoming/spots.zip", "home/ann/spots/")
    (tmp_path / "tiny.yaml").write_text(TINY)
    words = ["watch", str(lab), "--once", "--config", str(tmp_path / "tiny.yaml")]
    words += ["--set", "train.window=8"]
    assert cli.main(words) == 0
    assert ": done" in capsys.readouterr().out
    (folder,) = (lab / "models/spots").iterdir()
    found = upload_status.read(storage.place(folder))
    assert found.state == "done"
    assert sum(found.metrics["images"].values()) == 12
    assert np.isfinite(found.metrics["test"]["mean_error_px"])
    assert (folder / "model/saved_model/saved_model.pb").is_file()
    assert artefacts.require(folder, UploadInfo).upload == "spots"
    for file in folder.rglob("*"):
        if file.suffix in (".json", ".jsonl", ".csv", ".html"):
            assert "beampose-" not in file.read_text(encoding="utf-8").replace(
                "beampose-resnet", ""
            )
    assert cli.main(words) == 0
    assert "skipped" in capsys.readouterr().out


def test_a_zip_waits_until_there_is_room_and_says_so_once(tmp_path, project, monkeypatch):
    watch, lab, lines = watched(tmp_path, attempts=1)
    zipped(project, lab / "incoming/reach.zip")
    free = {"temporary": 10**12, "models": 10**12}
    Usage = namedtuple("Usage", "free")

    def usage(folder):
        inside = Path(folder).is_relative_to(lab)
        return Usage(free["models" if inside else "temporary"])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    for full, what in (("temporary", "The disk for temporary files"), ("models", "of the models")):
        free[full] = 3_000_000
        assert [list(watch.look()), list(watch.look())] == [[False], [False]]
        (told,) = lines
        assert told.startswith("FAILED reach: ") and what in told
        assert "room for 3.0 MB" in told and told.endswith("It will be tried again.")
        assert not (lab / "models").exists()
        free[full] = 10**12
        lines.clear()
    assert list(watch.look()) == [True]
    assert lines[-1].endswith(": done")


@pytest.mark.parametrize("full", ["before", "meanwhile"])
def test_an_upload_without_room_for_its_features_is_taken_up_when_there_is(
    tmp_path, project, monkeypatch, full
):
    Usage, free, asked = namedtuple("Usage", "free"), [10**9], []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free[0]))

    def run(config, stage):
        asked.append(free[0])
        if free[0] < 5 * 10**9 and full == "before":
            raise upload_room.TooLittle("The disk is too full, and upload it again.", 5 * 10**9)
        if free[0] < 5 * 10**9:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return quick(config, stage)

    watch, lab, lines = watched(tmp_path, run=run)
    zipped(project, lab / "incoming/reach.zip")
    assert [list(watch.look()) for _ in range(3)] == [[False], [False], [False]]
    assert len(asked) == 1
    assert "It will be tried again." in "".join(lines) and "upload it again" not in "".join(lines)
    (folder,) = (lab / "models/reach").iterdir()
    assert upload_status.read(storage.place(folder)).state == "interrupted"
    free[0] = 6 * 10**9
    assert list(watch.look()) == [True]
    assert lines[-1].endswith(": done")


def test_what_lands_and_is_no_zip_in_its_place_is_told_once(tmp_path, project):
    looking, lab, lines = watched(tmp_path)
    zipped(project, lab / "incoming/ann/reach.zip")
    for name in ("reach.tar.gz", "reach.zip.crdownload", ".DS_Store"):
        (lab / "incoming" / name).write_bytes(b"a")
    assert [list(looking.look()), list(looking.look())] == [[], []]
    assert [line.split(" is not taken")[0] for line in lines] == ["NOTE ann", "NOTE reach.tar.gz"]
    zipped(project, lab / "reach.zip")
    _, _, lines = watched(tmp_path)
    assert lines == [
        f"NOTE not taken: reach.zip in {lab}, not in its incoming/: move what is an upload there"
    ]


def test_a_storage_without_generations_is_watched(project, tmp_path):
    lab, lines = storage.place("memory://watched"), []
    looking = upload_watch.Watch(str(lab), None, QUICK, lines.append)
    zip_ = lab / "incoming/reach.zip"
    zip_.fs.pipe_file(zip_.path, b"no zip")
    assert upload_watch.once(looking, 0.01) == 1
    zip_.fs.pipe_file(zip_.path, zipped(project, tmp_path / "a.zip").read_bytes())
    assert upload_watch.once(looking, 0.01) == 0
    assert upload_watch.once(upload_watch.Watch(str(lab), None, QUICK, lines.append), 0.01) == 0
    storage.remove(lab)
    assert "FAILED reach 6-20" in lines[-7]
    assert lines[-2].endswith(": done") and lines[-1].endswith(": skipped: its model exists")


def test_an_object_of_s3_is_told_from_the_same_bytes_put_there_again():
    at = datetime.datetime(2026, 11, 28, 14, 5, 6, tzinfo=datetime.timezone.utc)
    about = {"name": "lab/a.zip", "size": 3, "ETag": '"900150983cd24fb0d6963f7d28e17f72-12"'}
    first = upload_run.generation_in({**about, "LastModified": at})
    assert first == "900150983cd24fb0d6963f7d28e17f72-20261128T140506Z"
    later = at.astimezone(datetime.timezone(datetime.timedelta(hours=2)))
    assert upload_run.generation_in({**about, "LastModified": later}) == first
    again = {**about, "LastModified": at + datetime.timedelta(seconds=1)}
    assert upload_run.generation_in(again) != first
    assert upload_run.generation_in({**about, "generation": 17}) == "17"
    with pytest.raises(ValueError, match="lab/a.zip: its storage does not tell when"):
        upload_run.generation_in(about)


def test_a_bucket_of_s3_that_is_not_there_is_an_error(monkeypatch):
    def info(name):
        raise FileNotFoundError(f"{name}: The specified bucket does not exist")

    # Of its library nothing but this is needed, and to import it takes seconds.
    place = storage.place("s3://lap/uploads")
    monkeypatch.setattr(type(place), "fs", SimpleNamespace(info=info))
    with pytest.raises(FileNotFoundError, match="There is no bucket s3://lap, or this account"):
        upload_watch.Watch("s3://lap/uploads", None, QUICK)


@pytest.mark.parametrize("answer", [error(403, "FORBIDDEN", "no"), Answer(b"<html>Sign in</html>")])
def test_a_watch_outlives_an_outage_and_says_so_once(
    buckets, project, tmp_path, monkeypatch, answer
):
    lines, looks = [], []
    looking = upload_watch.Watch("gs://lab", None, QUICK, lines.append)

    def sleep(_):
        looks.append(len(lines))
        buckets.refusal = answer if len(looks) in (1, 2, 4) else None
        if len(looks) == 3:
            buckets.put("gs://lab/incoming/reach.zip", zipped(project, tmp_path / "a").read_bytes())
        if len(looks) == 6:
            raise KeyboardInterrupt

    # Only that of the loop, not those of libraries.
    monkeypatch.setattr(upload_watch, "time", SimpleNamespace(sleep=sleep))
    with pytest.raises(KeyboardInterrupt):
        upload_watch.forever(looking, 1)
    told = [line for line in lines if line.startswith("NOTE gs://lab/incoming can")]
    assert [" cannot be listed: " in line for line in told] == [True, False, True, False]
    assert told[0].endswith("It will be tried again.") and told[1].endswith("listed again.")
    assert len([line for line in lines if line.endswith(": done")]) == 1
    buckets.refusal = answer
    with pytest.raises((OSError, ValueError)):
        upload_watch.once(looking, 0.01)


def test_a_zip_that_may_not_be_asked_for_keeps_no_other_waiting(
    buckets, project, tmp_path, monkeypatch
):
    lines, seen = [], upload_watch._seen
    for name in ("a.zip", "b.zip"):
        drop("gs://lab", buckets, zipped(project, tmp_path / "z"), name)
    looking = upload_watch.Watch("gs://lab", None, QUICK, lines.append)

    def refused(file):
        if file.name == "a.zip":
            raise PermissionError("Forbidden: gs://lab/incoming/a.zip: no access")
        return seen(file)

    with monkeypatch.context() as patch:
        patch.setattr(upload_watch, "_seen", refused)
        assert [list(looking.look()), list(looking.look())] == [[False, True], [False]]
    said = "FAILED a: Forbidden: gs://lab/incoming/a.zip: no access. It will be tried again."
    assert [line for line in lines if line.startswith("FAILED")] == [said]
    assert list(looking.look()) == [True]


def test_a_name_as_macos_writes_it_is_that_of_a_model(tmp_path, project):
    looking, lab, lines = watched(tmp_path)
    composed, apart = "souris é.zip", unicodedata.normalize("NFD", "souris é.zip")
    assert composed != apart
    zipped(project, lab / "incoming" / apart)
    assert list(looking.look()) == [True]
    try:
        (lab / "incoming" / apart).rename(lab / "incoming/first.zip")
        zipped(fakes.project(tmp_path / "p2", rows=4), lab / "incoming" / apart)
        (lab / "incoming/first.zip").rename(lab / "incoming" / composed)
    except OSError:
        return  # A disk that takes both for one name.
    # One name, two zips: two models side by side, as of a zip that was replaced.
    assert list(looking.look()) == [True, True]
    assert [one.name for one in (lab / "models").iterdir()] == ["souris é"]
    assert len(list((lab / "models/souris é").iterdir())) == 2
    assert not [line for line in lines if line.startswith("FAILED")]
