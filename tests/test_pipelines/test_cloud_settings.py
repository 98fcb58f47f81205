"""Settings of the cloud and credentials: what is wrong with them is a sentence."""

import json

import pytest
from cloud.server import Answer, Server
from cloud_jobs import CLOUD, write_cloud

from beampose.core import task_kinds
from beampose.core.settings import experiment
from beampose.pipelines import search_spec
from beampose.pipelines.cli import main
from beampose.pipelines.cloud import cloud_settings, dataflow, vertex_requests

KEY = "projects/example.com:keys/locations/europe-west4/keyRings/lab/cryptoKeys/beampose"


def test_an_output_that_workers_cannot_see_is_refused_before_anything_is_sent(pose_file, capsys):
    words = ["--", "--runner=DataflowRunner", "--project=p", "--region=us-central1"]
    assert main(["features", str(pose_file), *words, "--temp_location=gs://lab/tmp"]) == 2
    assert "cannot see" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"region": "europe-west14"}, "Did you mean 'europe-west"),
        ({"region": "mars-north1"}, "must be a region"),
        ({"image": "beampose"}, "image must look like"),
        ({"image": "europe-west4-docker.pkg.dev/p/r/beampose"}, "image must look like"),
        ({"dataflow": {"machine_type": "n2-standrad-4"}}, "machine_type must look like"),
        ({"vertex": {"machine_type": "big"}}, "machine_type must look like"),
        ({"vertex": {"accelerator": "nvidia-tesla-t4"}}, "Did you mean 'NVIDIA_TESLA_T4'"),
        ({"dataflow": {"flexrs": True, "accelerator": "NVIDIA_L4"}}, "cannot be used together"),
        ({"bucket": "my-bucket"}, "bucket must look like gs://"),
        ({"bucket": "gs://my-bucket//folder"}, "bucket must look like gs://"),
        ({"service_account": "serviceAccount:a@b.c"}, "service_account must look like name@"),
        ({"kms_key": KEY.replace("europe-west4", "us")}, "kms_key is in us and the jobs are in"),
        ({"kms_key": "beampose"}, "kms_key must look like projects/"),
        ({"subnetwork": "regions/us-east1/subnetworks/lab"}, "subnetwork is in us-east1 and the"),
        ({"project": "My Project"}, "project must look like"),
        ({"labels": {"Team": "x"}}, "'Team' does not"),
        ({"labels": {"team": "X"}}, "'X' is not"),
        (
            {"dataflow": {"accelerator": "NVIDIA_TESLA_T4"}},
            "comes only with n1 machines, not with dataflow.machine_type n2-standard-4",
        ),
        ({"vertex": {"accelerator": "NVIDIA_L4"}}, "comes only with g2 machines"),
        (
            {
                "image": "eu-docker.pkg.dev/p/r/b:1-cpu",
                "vertex": {"accelerator": "NVIDIA_TESLA_T4"},
            },
            "would be billed and not used",
        ),
        ({"vertex": {"network": "lab-net"}}, "vertex.network"),
        ({"vertex": {"tensorboard": "x"}, "service_account": None}, "needs a service_account"),
        (
            {"vertex": {"tensorboard": "x"}, "service_account": "a@p.iam.gserviceaccount.com"},
            "vertex.tensorboard must look like projects/",
        ),
        ({"bucket": "gs://lab/../other"}, "without . and .."),
        ({"bucket": "gs://lab..x/work"}, "a name that Google allows"),
        ({"bucket": "gs://goog-lab"}, "a name that Google allows"),
        ({"bucket": f"gs://{'a' * 64}"}, "at most 63 characters"),
        ({"bucket": f"gs://lab/{'a' * 600}"}, "at most 500 bytes"),
        ({"labels": {f"k{i}": "x" for i in range(64)}}, "at most 63 labels, not 64"),
        ({"labels": {"goog-team": "x"}}, "must not begin with goog"),
        ({"max_cost": -1}, "max_cost must be a number of 0 or more"),
        (
            {"vertex": {"machine_type": "g2-standard-4"}},
            "has GPUs, which are billed: name them as vertex.accelerator (NVIDIA_L4)",
        ),
        (
            {"dataflow": {"machine_type": "a2-highgpu-1g"}},
            "(NVIDIA_TESLA_A100 or NVIDIA_A100_80GB), or choose a machine without",
        ),
        (
            {
                "vertex": {
                    "machine_type": "a2-highgpu-2g",
                    "accelerator": "NVIDIA_TESLA_A100",
                }
            },
            "accelerator_count must be 2 for NVIDIA_TESLA_A100 in a2-highgpu-2g. Received: 1",
        ),
        (
            {
                "vertex": {
                    "machine_type": "n1-standard-8",
                    "accelerator": "NVIDIA_TESLA_T4",
                    "accelerator_count": 3,
                }
            },
            "accelerator_count must be 1 or 2 or 4 for NVIDIA_TESLA_T4",
        ),
        ({"regoin": "us-east1"}, "Did you mean 'region'"),
        ({"dataflow": {"max_worker": 3}}, "Did you mean 'dataflow.max_workers'"),
        ({"vertex": {"timeout_hours": 0}}, "above 0"),
        ({"vertex": {"disk_gb": 5}}, "100 or more"),
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(tmp_path, changes, words, pose_file, capsys):
    cloud = write_cloud(tmp_path, **changes)
    with pytest.raises(ValueError, match="cloud.yaml: ") as caught:
        cloud_settings.load(cloud)
    assert words in str(caught.value)
    assert main(["features", str(pose_file), "--cloud", cloud]) == 2
    assert words in capsys.readouterr().err


def test_a_subnetwork_is_told_to_dataflow_as_it_takes_it():
    base, host = "regions/europe-west4/subnetworks/lab", "projects/example.com:host"
    for told, sent in [
        ("lab", base),
        (base, base),
        (f"{host}/{base}", f"https://www.googleapis.com/compute/v1/{host}/{base}"),
    ]:
        cloud = cloud_settings.Cloud(**{**CLOUD, "subnetwork": told, "region": "europe-west4"})
        assert f"--subnetwork={sent}" in dataflow.words(cloud, name="n", package="p")


def test_jobs_and_models_are_encrypted_with_a_key_of_ones_own(tmp_path):
    from google.cloud import aiplatform_v1 as api

    values = {"task": "pose", "source": {"format": "deeplabcut", "path": "p"}, "output": "gs://b/o"}
    config = experiment.from_values(values, str(tmp_path / "my.yaml"))
    spec = search_spec.Spec(parameters={"train.steps": search_spec.Parameter(values=[1, 2])})
    for key in (KEY, None):
        cloud = cloud_settings.Cloud(**{**CLOUD, "kms_key": key})
        words = dataflow.words(cloud, name="n", package="p")
        assert (f"--dataflow_kms_key={KEY}" in words) == (key is not None)
        job = vertex_requests.custom_job(config, cloud, name="n", package="p", digest="d", base="b")
        study = vertex_requests.study(job, spec, task_kinds.POSE)
        for made in (api.CustomJob(job), api.HyperparameterTuningJob(study)):
            assert made.encryption_spec.kms_key_name == (key or "")
        assert api.Model(cloud.encryption).encryption_spec.kms_key_name == (key or "")
        assert api.BatchPredictionJob(cloud.encryption).encryption_spec.kms_key_name == (key or "")


def test_a_training_of_less_than_a_second_has_a_limit(tmp_path):
    values = {"task": "pose", "source": {"format": "deeplabcut", "path": "p"}, "output": "gs://b/o"}
    config = experiment.from_values(values, str(tmp_path / "my.yaml"))
    cloud = cloud_settings.Cloud(**{**CLOUD, "vertex": {"timeout_hours": 1e-9}})
    job = vertex_requests.custom_job(config, cloud, name="n", package="p", digest="d", base="b")
    # 0 would be the service's own limit, a week.
    assert job["job_spec"]["scheduling"]["timeout"] == {"seconds": 1}


def test_the_example_of_the_settings_is_right():
    found = cloud_settings.load("configs/cloud.yaml")
    assert found.root == "gs://my-bucket/beampose"
    assert json.dumps(found.labels) == '{"team": "my-lab"}'


def test_a_search_spec_says_what_is_wrong_with_it(tmp_path):

    for text, words in (
        ("parameters: {features.scale: {values: [1, 2]}}", "below `train.`"),
        ("parameters: {train.steps: {min: 5}}", "min and max"),
        ("parameters: {train.steps: {min: 5, max: 3}}", "min must be below max"),
        ("algorithm: grid\nparameters: {train.steps: {min: 3, max: 5}}", "needs `values`"),
        ("algorithm: magic\nparameters: {train.steps: {values: [3]}}", "must be one of"),
        ("trails: 3\nparameters: {train.steps: {values: [3]}}", "no setting 'trails'"),
        ("- 1", "must hold keys and values"),
    ):
        (tmp_path / "spec.yaml").write_text(text)
        with pytest.raises(ValueError, match=words):
            search_spec.read(str(tmp_path / "spec.yaml"))
    found = search_spec.read("configs/search.yaml")
    assert len(search_spec.settings(found)) == 16
    assert search_spec.settings(found) == search_spec.settings(found)


def test_without_credentials_a_sentence_comes_at_once(pose_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    cloud = write_cloud(tmp_path)
    assert main(["features", str(pose_file), "--cloud", cloud]) == 2
    assert "gcloud auth application-default login" in capsys.readouterr().err

    key = tmp_path / "key.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    for text in ("", "{}", '{"type": "service_account"}'):
        key.write_text(text)
        assert main(["features", str(pose_file), "--cloud", cloud]) == 2
        assert "no usable credentials" in capsys.readouterr().err


def private_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kinds = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, *kinds).decode()


def test_credentials_that_google_refuses_or_cannot_see_are_told_apart(
    pose_file, tmp_path, capsys, monkeypatch
):
    refusing = Server(lambda request: Answer({"error": "invalid_grant"}, 400))
    key = {"type": "service_account", "client_email": "a@b.c", "private_key": private_key()}
    file = tmp_path / "key.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    cloud = write_cloud(tmp_path)
    for address, words in (
        (f"{refusing.url}/token", "refuses the credentials"),
        ("http://localhost:9/token", "cannot be reached"),
    ):
        file.write_text(json.dumps({**key, "token_uri": address}))
        assert main(["features", str(pose_file), "--cloud", cloud]) == 2
        assert words in capsys.readouterr().err
    refusing.close()


def test_ctrl_c_of_a_job_that_was_sent_says_that_it_goes_on(tmp_path, capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cloud_settings, "load", interrupt)
    file = tmp_path / "my.yaml"
    file.write_text("task: pose\nsource: {format: deeplabcut, path: p}\noutput: gs://lab/out\n")
    assert main(["features", str(file), "--cloud", write_cloud(tmp_path)]) == 130
    told = capsys.readouterr().err
    assert "goes on, and is billed" in told and "gcloud dataflow jobs cancel" in told
