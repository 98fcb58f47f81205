"""A job killed again and again ends as one that was left alone."""

import hashlib
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import fakes
import films
import pytest
from conftest import SETTINGS, write_project

from beampose.core.settings import experiment
from beampose.pipelines import cli
from beampose.trainer.dataset import Dataset

KILLS = 20
# Frames of the longest film.
LONG = 2330


def start(file):
    return subprocess.Popen(
        [sys.executable, "-m", "beampose.pipelines.cli", "features", str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def contents(file):
    """Everything a run left, by name: labels, and features of each image, as bytes."""
    loaded = experiment.load(file)
    assert cli.main(["store", "verify", str(file)]) == 0
    dataset = Dataset(loaded.dataset, loaded.store, cache_mb=64)
    found = {p.name: p.read_bytes() for p in Path(loaded.dataset).glob("*.tfrecord")}
    found |= {r.name: dataset.features(r).tobytes() for r in dataset.records}
    return found


@pytest.mark.slow
def test_killed_twenty_times_and_run_again_nothing_differs(tmp_path):
    write_project(tmp_path / "project", count=400)
    calm, killed = tmp_path / "calm.yaml", tmp_path / "killed.yaml"
    for file in (calm, killed):
        file.write_text(SETTINGS.replace("output: out", f"output: {file.stem}"))
    began = time.perf_counter()
    assert start(calm).wait() == 0
    whole = time.perf_counter() - began
    wanted = contents(calm)
    rng, kills, lives = random.Random(0), 0, 0
    while kills < KILLS:
        # The first seconds are imports, in which nothing can go wrong.
        running = start(killed)
        try:
            assert running.wait(rng.uniform(0.4, 1.0) * whole) == 0
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            kills += 1
            continue
        # It came through before its time: judged, and begun anew.
        assert contents(killed) == wanted
        shutil.rmtree(tmp_path / "killed")
        lives += 1
    assert start(killed).wait() == 0
    assert contents(killed) == wanted
    print(f"{kills} kills, {lives + 1} runs that came through, {whole:.1f} s undisturbed")


def predictions(folder):
    """Files of a prediction by name: checksums, without the time of day."""
    found = {}
    for file in sorted(Path(folder).rglob("*")):
        if not file.is_file() or file.relative_to(folder).as_posix().startswith("."):
            continue
        data = file.read_bytes()
        if file.suffix == ".json":
            summary = json.loads(data)
            summary.pop("finished")
            data = json.dumps(summary).encode()
        found[file.relative_to(folder).as_posix()] = hashlib.sha256(data).hexdigest()
    return found


@pytest.mark.slow
def test_a_prediction_of_many_films_killed_twenty_times_differs_in_nothing(trained, tmp_path):
    (tmp_path / "films").mkdir()
    made = films.generate(tmp_path / "films", 50)
    # One of many ranges, as real ones are.
    long = fakes.video(tmp_path / "films/long.mp4", "libx264", LONG, size=(480, 640))
    paths = [long, *made]
    files = {}
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model").symlink_to(trained["pose"].model)
        values = experiment.to_dict(trained["pose"])
        values["output"] = str(tmp_path / name)
        values["predict"] |= {"chunk": 100, "videos": paths, "size": "resize"}
        files[name] = tmp_path / f"{name}.yaml"
        files[name].write_text(json.dumps(values))

    def start(name):
        return subprocess.Popen(
            [sys.executable, "-m", "beampose.pipelines.cli", "predict", str(files[name])],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    began = time.perf_counter()
    # Some of the films are broken, and the exit code says so.
    assert start("calm").wait() == 1
    whole = time.perf_counter() - began
    calm = predictions(tmp_path / "calm/predictions")
    target = tmp_path / "killed/predictions"
    rng, kills, lives = random.Random(0), 0, 0
    while kills < KILLS:
        running = start("killed")
        try:
            # Enough for the imports, and for some ranges.
            assert running.wait(rng.uniform(0.05, 0.2) * whole) == 1
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            kills += 1
            continue
        # It came to its end before its time: judged, and begun anew.
        assert predictions(target) == calm
        shutil.rmtree(target)
        lives += 1
    assert start("killed").wait() == 1
    assert predictions(target) == calm
    counted = rows = 0
    for path in target.glob("*.json"):
        summary = json.loads(path.read_text())
        counted += summary["frames_by_packets"]
        rows += summary["frames_decoded"] + len(summary["failures"])
    assert rows == counted == LONG + sum(film.count or 0 for film in made.values())
    print(f"{kills} kills, {lives + 1} whole runs, {len(calm)} files, {rows} frames, {whole:.1f} s")
