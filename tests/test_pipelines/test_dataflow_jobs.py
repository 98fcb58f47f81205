"""Jobs on Dataflow have what is here, and give the same."""

import fakes
import numpy as np
import pytest
from cloud.dataflow import Dataflow
from cloud_jobs import CLOUD, config_file, write_cloud

from beampose.core import artefacts
from beampose.core.infos import DatasetInfo
from beampose.pipelines.cli import main
from beampose.trainer.dataset import read_labels
from beampose.trainer.feature_store import Index


@pytest.fixture
def dataflow():
    fake = Dataflow()
    yield fake
    fake.close()


@pytest.mark.slow
def test_a_feature_job_runs_on_dataflow_from_its_staged_packages(
    pose_file, trained, buckets, dataflow, tmp_path, capsys
):
    cloud = write_cloud(
        tmp_path,
        dataflow={
            "endpoint": dataflow.url,
            "machine_type": "n1-highmem-8",
            "max_workers": 3,
        },
    )
    code = main(["features", str(pose_file), "--cloud", cloud])
    assert code == 0, [*dataflow.logs.values(), capsys.readouterr().err]

    printed = capsys.readouterr().out
    assert "gs://lab/base/out" in printed
    assert "embedded 12" in printed
    (job,) = dataflow.jobs.values()
    check_job(job)
    ours = trained["pose"]
    assert_same_dataset("gs://lab/base/out", ours)
    images = buckets.names("gs://lab/base/out/images/")
    assert len(images) == 12

    assert main(["features", str(pose_file), "--cloud", cloud]) == 0
    assert "0 embedded" in capsys.readouterr().out
    assert buckets.names("gs://lab/base/out/images/") == images


def check_job(job):
    """The request, field by field with what the service documents."""
    assert job["name"].startswith("beampose-features-out-")
    assert job["type"] in (1, "JOB_TYPE_BATCH")
    environment = job["environment"]
    assert environment["serviceAccountEmail"] == "worker@my-project.iam.gserviceaccount.com"
    assert "no_use_multiple_sdk_containers" in environment["experiments"]
    (pool,) = environment["workerPools"]
    assert pool["machineType"] == "n1-highmem-8"
    assert pool["diskSizeGb"] == 50
    assert pool["network"] == "lab-net"
    assert pool["ipConfiguration"] in (2, "WORKER_IP_PRIVATE")
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 3
    images = [one["containerImage"] for one in pool["sdkHarnessContainerImages"]]
    assert set(images) == {CLOUD["image"]}
    assert job["labels"] == {"team": "mice"}


@pytest.mark.slow
def test_a_job_whose_gpu_is_not_seen_fails_and_says_so(
    pose_file, buckets, dataflow, tmp_path, capsys
):
    gpu = {"accelerator": "NVIDIA_TESLA_T4", "machine_type": "n1-standard-4"}
    cloud = write_cloud(tmp_path, dataflow={"endpoint": dataflow.url, **gpu})
    assert main(["features", str(pose_file), "--cloud", cloud]) != 0
    said = " ".join(["".join(capsys.readouterr()), *map(str, dataflow.logs.values())])
    assert "ordered with 1 GPU, and TensorFlow sees 0" in said
    (job,) = dataflow.jobs.values()
    (pool,) = job["environment"]["workerPools"]
    # Two environments: with and without the GPU of the step that runs the network.
    assert len(pool["sdkHarnessContainerImages"]) == 2


def assert_same_dataset(output, ours):
    theirs = {r.name: r for r in read_labels(f"{output}/dataset")}
    wanted = {r.name: r for r in read_labels(ours.dataset)}
    assert theirs.keys() == wanted.keys()
    assert [r.key for r in theirs.values()] == [wanted[n].key for n in theirs]
    info = artefacts.require(f"{output}/dataset", DatasetInfo)
    store = Index(f"{output}/store/{info.store}")
    local = Index(f"{ours.store}/{info.store}")
    for record in wanted.values():
        found = store.read(record.key).astype(np.float32)
        expected = local.read(record.key).astype(np.float32)
        np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.slow
def test_a_prediction_job_runs_on_dataflow_with_what_is_here(
    trained, buckets, dataflow, tmp_path, capsys
):
    ours = trained["pose"]
    film = fakes.video(tmp_path / "film.mp4", "libx264", 20)
    cloud = write_cloud(tmp_path, dataflow={"endpoint": dataflow.url})
    words = ["predict", config_file(ours), film, "--cloud", cloud]
    assert main(words) == 0, [*dataflow.logs.values(), capsys.readouterr().err]
    printed = capsys.readouterr().out
    assert "the model was copied to gs://lab/base/pose" in printed
    assert "20 rows for 20 frames" in printed and "  frames 20" in printed
    names = buckets.names("gs://lab/base/pose/predictions/film")
    assert [name.rpartition(".")[2] for name in names] == ["csv", "h5", "json", "pickle"]
