"""A feature job killed again and again ends as one that was left alone."""

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SETTINGS, write_project

from pipelines import cli
from trainer import config
from trainer.dataset import Dataset

KILLS = 20


def start(file):
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "features", str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def contents(file):
    """Everything a run left, by name: labels, and features of each image, as bytes."""
    loaded = config.load(file)
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
