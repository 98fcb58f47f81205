"""Results that cannot be written: one sentence names the file and says what to do."""

import errno
import os
import tempfile
import types
from pathlib import Path

import apache_beam as beam
import fakes
import pytest

from beampose.core.settings import experiment
from beampose.pipelines import beam_runner, cli
from beampose.pipelines.tracking import predicted_videos

REFUSALS = {
    errno.EROFS: "choose a writable folder",
    errno.EACCES: "choose a writable folder",
    errno.ENOSPC: "make room",
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_track_that_cannot_be_written_is_a_failure_with_the_file(tmp_path, monkeypatch, code):
    fakes.video(tmp_path / "a.mp4", "libx264", 5)
    (tmp_path / "my.yaml").write_text(
        "task: pose\nsource: {format: deeplabcut, path: project}\noutput: out\n"
    )
    config = experiment.load(tmp_path / "my.yaml")
    info = types.SimpleNamespace(
        assembly=True, dlc_scorer="DLC", task="pose", individuals=["a", "b"]
    )
    monkeypatch.setattr(predicted_videos.artefacts, "require", lambda *_: info)
    monkeypatch.setattr(predicted_videos, "_predicted", lambda *_: None)

    def full(_):
        raise OSError(code, os.strerror(code), "a_sk.h5")

    done, failures = predicted_videos.each(config, [str(tmp_path / "a.mp4")], full, instead="")
    ((path, why),) = failures
    assert not done and path == str(tmp_path / "a.mp4")
    assert why.startswith(f"a_sk.h5: {os.strerror(code)}: ") and REFUSALS[code] in why


class Odd(Exception):
    """As TensorFlow's errors: it cannot be made again of its text."""

    def __init__(self, one, two, three):
        super().__init__(one, two, three)


@pytest.mark.parametrize("temporary", [False, True])
def test_a_full_disk_that_a_library_tells_of_is_a_sentence_after_a_job(temporary):
    place = f"{Path(tempfile.gettempdir()) / 'mine'}" if temporary else "/far/store"

    def full(_):
        raise Odd(f"SaveV2 {place}/part-0; {os.strerror(errno.ENOSPC)} [Op:SaveV2]", 2, 3)

    pipeline = beam.Pipeline(runner=beam_runner.LocalRunner())
    _ = pipeline | beam.Create([1]) | beam.Map(full)
    with pytest.raises(OSError, match="No space left on device: .*free some space") as error:
        beam_runner.finish(pipeline, "x")
    told = ", for temporary files (TMPDIR" if temporary else f"{place}/part-0."
    assert told in str(error.value)


@pytest.mark.parametrize("own", ["/scratch", "/scratch/.beampose-0-1-abc"])
def test_a_full_disk_that_a_library_tells_of_is_a_sentence_of_the_command_line(monkeypatch, own):
    monkeypatch.setattr(tempfile, "tempdir", own)
    told = f"{{{{node SaveV2}}}} {own}/a/part; {os.strerror(errno.ENOSPC)} [Op]"
    what = f"{os.strerror(errno.ENOSPC)}: /scratch, for temporary files"
    assert cli._cause(RuntimeError(told)).startswith(what)
    assert cli._cause(Odd(told, 1, 2)).startswith(what)
    assert "--debug shows" in cli._cause(RuntimeError("odd"))
