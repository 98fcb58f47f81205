"""Runners on this machine: their processes share its cores."""

import os

import pytest

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
