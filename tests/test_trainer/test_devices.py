"""A machine that is billed with GPUs shows them, or nothing is done on it."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from beampose.pipelines.beam_options import NetworkOptions, gpus
from beampose.trainer import devices, task


def test_gpus_that_were_ordered_and_are_not_seen_are_refused(capsys):
    devices.require(0)
    with pytest.raises(RuntimeError, match="ordered with 64 GPUs, and TensorFlow sees"):
        devices.require(64)
    assert task.main(["--config", "none.yaml", "--gpus", "64"]) == 2
    assert "ordered with 64 GPUs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        ([], 0),
        (["--network_accelerator=type:nvidia-l4;install-nvidia-driver"], 1),
        (["--network_accelerator=type:nvidia-tesla-t4;count:2;install-nvidia-driver:5xx"], 2),
    ],
)
def test_workers_know_how_many_gpus_they_are_ordered_with(words, ordered):
    assert gpus(NetworkOptions.hints(PipelineOptions(words))) == ordered
