"""Runners on this machine: their processes share its cores."""

import importlib.util
import os

import pytest
from apache_beam.options.pipeline_options import SetupOptions

from beampose.core import machine
from beampose.pipelines import beam_options, beam_runner

SEVERAL = ["--runner=DirectRunner", "--direct_running_mode=multi_processing"]


@pytest.mark.parametrize(
    ("words", "workers"),
    [
        ([], 1),
        ([*SEVERAL, "--direct_num_workers=2"], 2),
        ([*SEVERAL, "--direct_num_workers=0"], 8),
        (["--runner=PortableRunner", "--job_endpoint=embed", "--sdk_worker_parallelism=4"], 4),
        (["--runner=DirectRunner", "--direct_num_workers=2"], 1),
    ],
)
def test_cores_are_divided_among_the_processes_of_a_job(words, workers, monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    options = beam_options.parse(words)
    assert beam_runner.workers_here(options) == workers
    with beam_runner.cores_divided(options):
        wanted = None if workers == 1 else str(8 // workers)
        assert os.environ.get("TF_NUM_INTRAOP_THREADS") == wanted
        assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "TF_NUM_INTRAOP_THREADS" not in os.environ
    assert os.environ["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(("words", "alone"), [([], True), (SEVERAL, False)])
def test_only_worker_processes_begin_with_a_quiet_tensorflow(words, alone):
    named = beam_options.parse(words).view_as(SetupOptions).beam_plugins or []
    assert named == ([] if alone else [beam_options.WORKER_START])
    assert all(importlib.util.find_spec(name) for name in named)
