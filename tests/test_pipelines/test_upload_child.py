"""An upload that crashes its process, fills memory or never ends, ends alone and with a reason."""

import importlib
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import fakes
import pytest
from uploads import drop, quick, zipped

from beampose.core.settings import experiment
from beampose.pipelines import planning
from beampose.pipelines.cloud import upload_child, upload_room, upload_run, upload_watch
from beampose.pipelines.features import labeled_source
from beampose.trainer import quiet

HERE = "upload_works"


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent))
    values = {
        "task": "pose",
        "source": {"format": "deeplabcut", "path": str(tmp_path / "unpacked/p")},
        "output": str(tmp_path / "result/reach"),
    }
    return experiment.from_values(values, str(tmp_path / "config.yaml"))


@pytest.mark.parametrize(
    ("code", "seconds", "what"),
    [
        (-11, None, "crashed (Segmentation fault): a file in it"),
        (-6, None, "crashed (Aborted)"),
        (-9, None, "was killed. Is there enough memory?"),
        (3, None, "ended early, with code 3"),
        (-9, 7200.0, "It took longer than 2 hours and was stopped."),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="names of signals on Linux")
def test_how_a_process_ends_is_a_sentence(code, seconds, what):
    assert what in upload_child._end(code, seconds)


def test_an_error_is_told_and_what_libraries_print_is_no_result(config, capfd):
    with pytest.raises(ValueError, match="^p/a.csv is wrong$"):
        upload_child.run(config, lambda _: None, work=f"{HERE}:lies")


def test_a_process_that_never_ends_is_stopped(config):
    with pytest.raises(ValueError, match="longer than .* hours and was stopped"):
        upload_child.run(config, lambda _: None, work=f"{HERE}:never_ends", seconds=0.5)


def test_stages_and_the_result_come_through(config):
    stages = []
    result = upload_child.run(config, stages.append, work=f"{HERE}:works")
    assert stages == ["training"]
    assert result == ({"labels": 3, "test": {"mean_error_px": 1.5}}, 2)


def test_a_stage_that_may_not_go_on_ends_the_process(config):
    class TakenOver(Exception):
        pass

    def stage(_):
        raise TakenOver

    with pytest.raises(TakenOver):
        upload_child.run(config, stage, work=f"{HERE}:works")


def test_after_an_upload_that_crashes_the_watch_goes_on(config, tmp_path, buckets):
    project = zipped(fakes.project(tmp_path / "p"), tmp_path / "a.zip")
    for name in ("a.zip", "b.zip"):
        drop(str(tmp_path / "lab"), buckets, project, name)

    def run(own, stage):
        if "/a/" in own.output + "/":
            return upload_child.run(own, stage, work=f"{HERE}:reads_null")
        return quick(own, stage)

    lines = []
    watch = upload_watch.Watch(
        str(tmp_path / "lab"), None, upload_run.Settings(run=run), lines.append
    )
    assert list(watch.look()) == [False, True]
    assert any("FAILED a " in line and "crashed" in line for line in lines)
    assert any("b " in line and ": done" in line for line in lines)


def test_tensorflow_is_silenced_before_anything_imports_it(config, monkeypatch):
    heavy = {"features": "feature_job", "report": "evaluation_files"}
    names = [f"beampose.pipelines.{package}.{name}" for package, name in heavy.items()]
    for name in names:
        package, _, own = name.rpartition(".")
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.delattr(importlib.import_module(package), own, raising=False)

    def silenced():
        raise InterruptedError([name for name in names if name in sys.modules])

    monkeypatch.setattr(quiet, "import_tensorflow", silenced)
    with pytest.raises(InterruptedError, match=r"^\[\]$"):
        upload_run.train_and_report(config, print)


def test_room_for_the_features_is_looked_for_before_the_work(config, tmp_path, monkeypatch):
    project = fakes.project(tmp_path / "unpacked/p", rows=5)
    decided = {"pca": 16, "scale": 1.0, "copies": 2, "window": 24}
    config = experiment.changed(config, features=decided)
    labels, splits = labeled_source.read(config)
    cells = -(-fakes.HEIGHT // 16) * -(-fakes.WIDTH // 16) * 4
    train, record = splits.count("train"), cells * 16 * 2 + planning.OVERHEAD
    needed = planning.store_bytes(config, labels, splits)
    assert 5 * record < needed <= (5 + 2 * train) * record
    Usage = namedtuple("Usage", "free")
    enough = needed + upload_room.LEAST
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(enough))
    upload_room.look_for_features(config)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(enough - 1))
    with pytest.raises(ValueError, match="too full: .* MB are needed. Make room there, and upload"):
        upload_room.look_for_features(config)
    assert project.is_dir()
