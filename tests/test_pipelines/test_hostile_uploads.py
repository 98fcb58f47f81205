"""Uploads of strangers who want more than a model: none reads, writes or stops anything else."""

import shutil
import sys
from pathlib import Path

import fakes
import h5py
import hostile
import hostile_lies
import numpy as np
import pytest
import uploads

from beampose.core import storage
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import projects
from beampose.pipelines.cloud import upload_run, upload_status, upload_watch
from beampose.pipelines.features import labeled_source
from beampose.preprocess import images

KINDS = {**hostile.KINDS, **hostile_lies.KINDS}
SECRET = "the-key-of-the-safe-is-4711"
# Paths that Python opened; a hook cannot be taken away again.
opened: list[str] = []


def _note(event: str, arguments: tuple) -> None:
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        opened.append(str(arguments[0]))


@pytest.fixture(scope="module", autouse=True)
def noted():
    sys.addaudithook(_note)


def works(config: Config, stage):
    """Reads labels and every image, writes them as another project, and leaves a result."""
    labels, _ = labeled_source.read(config)
    for item in labels.items:
        try:
            images.load(item.image)
        except (OSError, ValueError):
            continue
    if labels.items:
        split = ["train"] * (len(labels.items) - 1) + ["test"]
        try:
            projects.write(labels, split, Path(config.output, "project"))
            projects.write(labels, split, config.source.path, overwrite=True)
        except ValueError:
            pass
    return uploads.quick(config, stage)


def below(folder: Path, *without: Path) -> dict[str, bytes]:
    return {
        str(file): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not any(one in file.parents for one in without)
    }


def test_there_are_many_kinds():
    assert len(KINDS) >= 140


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_upload_reads_writes_and_stops_nothing_else(tmp_path, kind, monkeypatch):
    lab, secret = tmp_path / "lab", tmp_path / "secret.txt"
    secret.write_text(SECRET * 20)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["box"] = np.frombuffer((SECRET * 6)[:144].encode(), "f8").reshape(3, 6)
    shutil.copy(tmp_path / "secret.h5", tmp_path / "lab.h5")
    data = KINDS[kind](fakes.project(tmp_path / "good"), secret)
    (lab / "incoming").mkdir(parents=True)
    (lab / "incoming/a.zip").write_bytes(data)
    good = uploads.zipped(fakes.project(tmp_path / "other"), lab / "incoming/b.zip")
    before, lines = below(tmp_path, lab / "models"), []
    opened.clear()
    watch = upload_watch.Watch(str(lab), None, upload_run.Settings(run=works), lines.append)
    # What looks unfinished is looked at twice.
    found = [*watch.look(), *watch.look()]
    read = [path for path in opened if Path(path).name.startswith("secret")]
    assert not read
    assert found[-1] is True or found[0] is True, lines
    assert below(tmp_path, lab / "models") == before
    assert good.is_file()
    published = below(lab / "models")
    assert not [name for name, text in published.items() if SECRET.encode() in text]
    assert not list(Path.cwd().glob("ran"))
    (folder,) = (lab / "models/a").iterdir()
    status = upload_status.read(storage.place(folder))
    assert status.final
    if status.state == upload_status.FAILED:
        assert len(status.error) > 20
        # A member's own name is shown.
        told = status.error.replace(f"{tmp_path}/evil.txt", "")
        assert not any(word in told for word in ("Traceback", "Error:", str(tmp_path)))
