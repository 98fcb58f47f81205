"""Files that change while a command runs: the result is right, or a sentence names the file."""

import json
import shutil
from pathlib import Path

import fakes
import pytest

from beampose.core import artefacts, files, storage
from beampose.core.infos import DatasetInfo, ModelInfo
from beampose.core.names import COMPLETED
from beampose.core.settings import experiment
from beampose.formats.deeplabcut import project_labels
from beampose.pipelines import cli
from beampose.pipelines.features import feature_steps, labeled_source
from beampose.pipelines.predict import pose_predictor
from beampose.preprocess import validate
from beampose.trainer import training
from beampose.trainer.dataset import Dataset


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


def label_file(pose_file):
    return pose_file.parent / "project/labeled-data/a/CollectedData_me.csv"


def records(pose_file):
    config = experiment.load(pose_file)
    return Dataset(config.dataset, config.store, cache_mb=1).records


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


@pytest.mark.slow
def test_labels_that_are_edited_during_features_count_the_next_time_and_are_told(
    pose_file, monkeypatch, capsys, caplog
):
    file = label_file(pose_file)
    before = file.read_text()
    first = float(before.splitlines()[3].split(",")[1])
    edited = before.replace(f"img00.png,{first:.3f}", "img00.png,1.000")
    assert edited != before
    Once(monkeypatch, validate, "inspect", lambda: file.write_text(edited))
    assert cli.main(["features", str(pose_file)]) == 0
    said(capsys)
    assert f"{file} changed while its images were read" in caplog.text
    assert "run `beampose features` again" in caplog.text
    found = {r.name: r.keypoints for r in records(pose_file)}
    assert found["labeled-data/a/img00.png"][0, 0, 0] == pytest.approx(first)
    digest = artefacts.require(experiment.load(pose_file).dataset, DatasetInfo).labels_digest
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feature_steps.embedding_worker, "embed", None)  # Nothing is embedded again.
        assert cli.main(["features", str(pose_file)]) == 0
    said(capsys)
    assert caplog.text.count("changed while") == 1
    again = artefacts.require(experiment.load(pose_file).dataset, DatasetInfo)
    assert again.labels_digest != digest
    assert records(pose_file)[0].keypoints[0, 0, 0] == 1


@pytest.mark.slow
def test_images_that_go_away_or_change_during_features_are_rejects(pose_file, monkeypatch, capsys):
    place = label_file(pose_file).parent

    def do():
        (place / "img01.png").unlink()
        (place / "img02.png").write_bytes(fakes.encode(fakes.pixels(99, 96, 144)))

    monkeypatch.setattr(feature_steps.embedding_worker.RECENT, "get", lambda digest: None)
    Once(monkeypatch, feature_steps.Embed, "process", do)
    words = ["features", str(pose_file), "--set", "source.max_rejects=0.5"]
    assert cli.main(words) == 0
    said(capsys)
    lines = [
        json.loads(line)
        for line in (pose_file.parent / "out/dataset/rejects.jsonl").read_text().splitlines()
    ]
    lost = {line["image"]: line["what"] for line in lines if line["stage"] == "embed"}
    assert "No such file" in lost["labeled-data/a/img01.png"] or (
        "no file" in lost["labeled-data/a/img01.png"]
    )
    assert "changed while the job ran" in lost["labeled-data/a/img02.png"]
    assert {r.name for r in records(pose_file)}.isdisjoint(lost)
    assert len(records(pose_file)) == 12 - len(lost)


@pytest.mark.slow
def test_a_project_renamed_during_features_is_an_error_that_names_it(
    pose_file, monkeypatch, capsys
):
    project = pose_file.parent / "project"
    Once(monkeypatch, validate, "inspect", lambda: project.rename(pose_file.parent / "other"))
    assert cli.main(["features", str(pose_file)]) == 2
    text = said(capsys)
    assert "of 12 labeled images cannot be used" in text and "rejects.jsonl" in text
    assert not storage.place(experiment.load(pose_file).dataset, COMPLETED).exists()
    project.parent.joinpath("other").rename(project)
    assert cli.main(["features", str(pose_file)]) == 0
    assert len(records(pose_file)) == 12


@pytest.mark.slow
@pytest.mark.parametrize("what", ["out/dataset", "out/store", "out"])
def test_an_output_removed_during_features_is_an_error_that_names_it(
    pose_file, monkeypatch, capsys, what
):
    gone = pose_file.parent / what
    Once(monkeypatch, feature_steps.Embed, "process", lambda: shutil.rmtree(gone))
    assert cli.main(["features", str(pose_file)]) in (0, 2)
    text = said(capsys)
    monkeypatch.undo()
    if "error: " in text:
        assert str(pose_file.parent / "out") in text
    assert cli.main(["features", str(pose_file)]) == 0
    assert len(records(pose_file)) == 12


@pytest.fixture
def trainable(trained, tmp_path):
    """A config whose features are there, in a folder of its own."""
    folder = Path(trained["pose"].output)
    for name in ("dataset", "store"):
        shutil.copytree(folder / name, tmp_path / "out" / name)
    shutil.copytree(folder.parent / "project", tmp_path / "project")
    file = tmp_path / "pose.yaml"
    text = (folder.parent / "pose.yaml").read_text()
    file.write_text(text.replace("output: pose", "output: out"))
    return file


@pytest.mark.slow
@pytest.mark.parametrize("what,ends", [("dataset", 0), ("store", 2), ("train", 0), (".", 2)])
def test_an_output_renamed_during_training_is_told_or_does_not_matter(
    trainable, monkeypatch, capsys, what, ends
):
    gone, kept = trainable.parent / "out" / what, trainable.parent / "kept"
    Once(monkeypatch, training, "_evaluate", lambda: gone.rename(kept), call=2)
    words = ["train", str(trainable), "--set", "train.cache_mb=0"]
    assert cli.main(words) == ends
    text = said(capsys)
    assert not ends or f"{trainable.parent / 'out'}" in text and "beampose features" in text
    if not ends:
        artefacts.require(trainable.parent / "out/model", ModelInfo)


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
        pytest.param(lambda film: film.rename(film.with_name("other.mp4")), marks=pytest.mark.slow),
        pytest.param(cut, marks=pytest.mark.slow),
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


@pytest.mark.slow
@pytest.mark.parametrize("what", ["model", "predictions", "."])
def test_an_output_renamed_during_prediction_is_told(predictable, monkeypatch, capsys, what):
    gone, kept = predictable.parent / "out" / what, predictable.parent / "kept"
    Once(monkeypatch, pose_predictor.Keypoints, "infer", lambda: gone.rename(kept), call=2)
    film = predictable.parent / "film.mp4"
    assert cli.main(["predict", str(predictable), str(film)]) == 2
    assert str(predictable.parent / "out") in said(capsys)
    assert not [*(predictable.parent / "out/predictions").glob("film*.h5")]


def test_a_label_file_that_goes_away_during_check_is_one_of_its_problems(
    tmp_path, monkeypatch, capsys
):
    root = fakes.project(tmp_path / "p")
    fakes.project(root, video="cam2")
    (tmp_path / "e.yaml").write_text(
        "task: pose\nsource: {format: deeplabcut, path: p}\noutput: out\n"
    )
    gone = str(root / f"labeled-data/cam2/CollectedData_{fakes.SCORER}.csv")
    read = files.read_bytes

    def going(path):
        if path == gone and Path(gone).exists():
            Path(gone).unlink()
        return read(path)

    monkeypatch.setattr(files, "read_bytes", going)
    assert cli.main(["check", str(tmp_path / "e.yaml")]) == 1
    told = capsys.readouterr().out
    assert f"error  {gone}    is not there any more" in told
    assert "3 labeled images (2 train, 1 test): 1 error" in told
