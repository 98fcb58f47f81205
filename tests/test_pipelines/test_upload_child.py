"""An upload that crashes its process, fills memory or never ends, ends alone and with a reason."""

import sys
from pathlib import Path

import fakes
import pytest
from uploads import drop, quick, zipped

from beampose.core.settings import experiment
from beampose.pipelines.cloud import upload_child, upload_run, upload_watch

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
