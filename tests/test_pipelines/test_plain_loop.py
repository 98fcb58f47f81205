"""Prediction without Beam: the rows of the job, and as hard to kill."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import fakes
import numpy as np
import pytest
from PIL import Image

import beampose
from beampose.core.settings import experiment
from beampose.pipelines.cloud import code_wheel
from beampose.pipelines.predict import commit, prediction_job


@pytest.fixture
def paths(tmp_path):
    """A film, a folder of photographs, and what is no film."""
    fakes.video(tmp_path / "film.mp4", "libx264", 30, gop=5)
    (tmp_path / "photos").mkdir()
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 255, (60 + i, 90, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"photos/{i}.png")
    (tmp_path / "broken.mp4").write_bytes(b"no film at all")
    return [str(tmp_path / name) for name in ("film.mp4", "photos", "broken.mp4")]


@pytest.fixture
def without_beam(monkeypatch):
    monkeypatch.setattr(prediction_job, "beam_is_there", lambda: False)


def tables(settings):
    """The tables of predictions, by name."""
    found = Path(settings.predictions).rglob("*.csv")
    return {one.name: one.read_bytes() for one in found}


def test_the_rows_and_counts_are_those_of_the_job(settings, paths, monkeypatch, caplog):
    job = prediction_job.run(settings, paths)
    rows = tables(settings)
    shutil.rmtree(settings.predictions)
    monkeypatch.setattr(prediction_job, "beam_is_there", lambda: False)
    with caplog.at_level("INFO", "beampose"):
        loop = prediction_job.run(settings, paths)
    assert "Apache Beam is not installed: films are predicted in a plain loop" in caplog.text
    assert len(rows) >= 2 and tables(settings) == rows
    assert loop.frames == job.frames == 33
    assert [one.rows for one in loop.videos] == [one.rows for one in job.videos]
    assert loop.failures == job.failures and "broken.mp4" in loop.failures[0][0]
    again = prediction_job.run(settings, paths)
    assert (again.kept, again.frames) == (2, 0)


def test_a_run_that_was_killed_goes_on_with_its_ranges(settings, paths, without_beam, monkeypatch):
    save, saved = commit.save_range, []

    def killed(file, result):
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(file)
        save(file, result)

    monkeypatch.setattr(commit, "save_range", killed)
    with pytest.raises(KeyboardInterrupt):
        prediction_job.run(settings, paths[:1])
    monkeypatch.setattr(commit, "save_range", save)
    done = prediction_job.run(settings, paths[:1])
    assert done.counters["ranges_kept"] == 2 and done.frames == 16
    assert done.videos[0].rows == 30


def test_options_of_beam_are_refused_without_it(settings, paths, without_beam):
    with pytest.raises(ValueError, match="--runner=DataflowRunner has no effect"):
        prediction_job.run(settings, paths[:1], ["--runner=DataflowRunner"])


def test_a_loaded_model_predicts_a_film_as_the_command_does(settings, paths):
    (summary,) = prediction_job.run(settings, paths[:1]).videos
    written = Path(settings.predictions) / f"film{summary.scorer}.h5"
    expected = beampose.load_predictions(written)
    model = beampose.load_model(settings.model)
    found = model.predict_video(paths[0], batch_size=settings.predict.batch_size)
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=1e-3)
    np.testing.assert_array_equal(found.frames, np.arange(30))
    some = model.predict_video(paths[0], start=5, stop=25, every=10)
    np.testing.assert_array_equal(some.frames, [5, 15])
    with pytest.raises(FileNotFoundError, match="nowhere.mp4"):
        model.predict_video("nowhere.mp4")
    with pytest.raises(ValueError, match="no frame"):
        model.predict_video(paths[0], start=500)


@pytest.mark.slow
def test_an_installation_for_predicting_alone_predicts_a_film(settings, paths, tmp_path):
    """Without Beam and clients of a cloud; prints the size of the environment."""
    venv.create(tmp_path / "clean")
    python = tmp_path / "clean/bin/python"
    wheel = code_wheel.build(tmp_path)
    pip = [sys.executable, "-I", "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run([*pip, f"beampose[predict] @ {wheel.as_uri()}"], check=True)
    (site,) = (tmp_path / "clean").glob("lib/python*/site-packages")
    absent = {"apache_beam", "tensorflow_transform", "tfx_bsl", "google/cloud/aiplatform"}
    assert not [name for name in absent if (site / name).exists()]
    size = sum(one.stat().st_size for one in site.rglob("*") if one.is_file())
    print(f"beampose[predict]: {size / 1e6:.0f} MB in {site}")
    prediction_job.run(settings, paths)
    rows = tables(settings)
    shutil.rmtree(settings.predictions)
    config = tmp_path / "pose.json"
    config.write_text(json.dumps(experiment.to_dict(settings)))
    words = [python.with_name("beampose"), "predict", config, *paths]
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, env=known, capture_output=True, text=True)
    assert done.returncode == 1 and "FAILED" in done.stdout, done.stderr[-2000:]
    assert "a plain loop" in done.stderr
    assert tables(settings) == rows
    # What needs more says what to install.
    features = [words[0], "features", config]
    done = subprocess.run(features, env=known, capture_output=True, text=True)
    assert done.returncode == 2 and "pip install 'beampose[all]'" in done.stderr
