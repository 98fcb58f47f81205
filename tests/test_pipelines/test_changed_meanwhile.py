"""Files that change while a command runs: the result is right, or a sentence names the file."""

import shutil
from pathlib import Path

import fakes
import pytest

from beampose.formats.deeplabcut import project_labels
from beampose.pipelines import cli
from beampose.pipelines.features import labeled_source
from beampose.pipelines.predict import pose_predictor


class Once:
    """Does something before a function is called for the n-th time."""

    def __init__(self, monkeypatch, owner, name, do, call=1):
        self._real, self._do, self._left = getattr(owner, name), do, call
        monkeypatch.setattr(owner, name, self)

    def __call__(self, *args, **kwargs):
        self._left -= 1
        if self._left == 0:
            self._do()
        return self._real(*args, **kwargs)

    def __get__(self, owner, kind=None):
        return self if owner is None else lambda *args, **kwargs: self(owner, *args, **kwargs)


def said(capsys):
    told = capsys.readouterr()
    text = told.out + told.err
    assert "Traceback" not in text and "--debug shows" not in text, text
    return text


def test_label_files_that_are_not_what_they_were_are_named(tmp_path):
    labels = project_labels.read(str(fakes.project(tmp_path)))
    before = labeled_source.contents(labels)
    file = tmp_path / f"labeled-data/cam1/CollectedData_{fakes.SCORER}.csv"
    assert list(before) == [str(file)]
    file.touch()
    assert labeled_source.edited(before) == []
    text = file.read_text()
    file.write_text(text.replace("10.25", "10.26"))
    (line,) = labeled_source.edited(before)
    assert line.startswith(f"{file} changed while its images were read")
    file.unlink()
    assert labeled_source.edited(before) == [line]
    file.write_text(text)
    assert labeled_source.edited(before) == []


@pytest.fixture
def predictable(trained, tmp_path):
    """A config whose model is there, in a folder of its own, and a film."""
    folder = Path(trained["pose"].output)
    shutil.copytree(folder / "model", tmp_path / "out/model")
    file = tmp_path / "pose.yaml"
    text = (folder.parent / "pose.yaml").read_text()
    file.write_text(text.replace("output: pose", "output: out"))
    fakes.video(tmp_path / "film.mp4", "libx264", 30, gop=5)
    return file


def cut(film):
    film.write_bytes(film.read_bytes()[:2000])


@pytest.mark.parametrize(
    "do",
    [
        lambda film: film.unlink(),
        lambda film: film.rename(film.with_name("other.mp4")),
        cut,
    ],
    ids=["removed", "renamed", "cut"],
)
def test_a_film_that_changes_while_it_is_predicted_leaves_no_results(
    predictable, monkeypatch, capsys, do
):
    film = predictable.parent / "film.mp4"
    before = film.read_bytes()
    Once(monkeypatch, pose_predictor.Keypoints, "infer", lambda: do(film), call=2)
    assert cli.main(["predict", str(predictable), str(film)]) == 1
    assert f"{film} changed or went away while it was predicted" in said(capsys)
    assert not [*(predictable.parent / "out/predictions").glob("film*.h5")]
    film.write_bytes(before)
    assert cli.main(["predict", str(predictable), str(film)]) == 0
    assert "30 rows for 30 frames" in said(capsys)
