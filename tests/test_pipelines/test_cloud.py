"""Jobs sent to stand-ins of Google's services, which really run them."""

import json
import random
import re
import threading
from pathlib import Path

import fakes
import numpy as np
import pytest
import yaml
from cloud.dataflow import Dataflow
from cloud.server import Answer, Server, error
from cloud.vertex import Vertex

from beampose.core import artefacts, storage, task_kinds
from beampose.core.infos import DatasetInfo
from beampose.pipelines import search_spec
from beampose.pipelines.cli import main
from beampose.pipelines.cloud import cloud_settings, vertex_models, vertex_requests
from beampose.trainer.dataset import read_labels
from beampose.trainer.feature_store import Index

VERTEX = {
    "serving_image": "europe-west4-docker.pkg.dev/my-project/mirror/serving:2.19.1",
    "network": "projects/123456789/global/networks/lab-net",
}
CLOUD = {
    "project": "my-project",
    "region": "europe-west4",
    "bucket": "gs://lab/base",
    "image": "europe-west4-docker.pkg.dev/my-project/beampose/beampose:1",
    "service_account": "worker@my-project.iam.gserviceaccount.com",
    "network": "lab-net",
    "public_ips": False,
    "labels": {"team": "mice"},
}


@pytest.fixture
def dataflow():
    fake = Dataflow()
    yield fake
    fake.close()


@pytest.fixture
def vertex():
    fakes = []

    def start(**options):
        fakes.append(Vertex(**options))
        return fakes[-1]

    yield start
    for fake in fakes:
        fake.close()


def config_file(config):
    return str(Path(config.output).parent / f"{config.task}.yaml")


def write_cloud(folder, **changes):
    file = folder / "cloud.yaml"
    if "endpoint" in changes.get("vertex", {}):
        changes["vertex"] = {**VERTEX, **changes["vertex"]}
    file.write_text(yaml.safe_dump({**CLOUD, **changes}))
    return str(file)


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
            "accelerator": "NVIDIA_TESLA_T4",
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
    # Two environments: with and without the GPU of the step that runs the network.
    assert len(images) == 2


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
        ({"project": "My Project"}, "project must look like"),
        ({"labels": {"Team": "x"}}, "'Team' does not"),
        ({"labels": {"team": "X"}}, "'X' is not"),
        (
            {"dataflow": {"accelerator": "NVIDIA_TESLA_T4"}},
            "comes only with n1 machines, not with dataflow.machine_type n2-standard-4",
        ),
        ({"vertex": {"accelerator": "NVIDIA_L4"}}, "comes only with g2 machines"),
        ({"vertex": {"network": "lab-net"}}, "vertex.network"),
        ({"vertex": {"tensorboard": "x"}, "service_account": None}, "needs a service_account"),
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


def test_the_example_of_the_settings_is_right():
    found = cloud_settings.load("configs/cloud.yaml")
    assert found.root == "gs://my-bucket/beampose"
    assert json.dumps(found.labels) == '{"team": "my-lab"}'


def figures(metrics):
    """Metrics that must not depend on where a training ran."""
    return {k: metrics[k] for k in ("split", "kept_step", "weights_digest")}


def assert_same_metrics(found, wanted):
    assert figures(found) == figures(wanted)
    for name in ("mean_error_px", "median_error_px", "rmse_px"):
        assert found["test"][name] == pytest.approx(wanted["test"][name], rel=1e-4)


@pytest.mark.slow
def test_a_training_runs_on_vertex_from_its_wheel(trained, buckets, vertex, tmp_path, capsys):
    fake, ours = vertex(), trained["pose"]
    cloud = write_cloud(
        tmp_path,
        vertex={
            "endpoint": fake.url,
            "accelerator": "NVIDIA_TESLA_T4",
            "spot": True,
            "timeout_hours": 2,
        },
    )
    code = main(["submit", config_file(ours), "--cloud", cloud])
    printed = capsys.readouterr()
    assert code == 0, [printed.err, *fake.logs.values()]

    output = "gs://lab/base/pose"
    found = json.loads(buckets.get(f"{output}/model/metrics.json"))
    assert_same_metrics(found, storage.read_json(storage.place(ours.model, "metrics.json")))
    assert "test error" in printed.out and "version 1" in printed.out
    assert "Exported, reloaded and verified" in printed.out
    (job,) = fake.of("customJobs")
    check_custom_job(job, output)
    (model,) = fake.of("models")
    check_model(model, buckets)

    # The same again is a second version, from a training that is taken up where it ended.
    assert main(["submit", config_file(ours), "--cloud", cloud]) == 0
    assert "version 2" in capsys.readouterr().out


def check_custom_job(job, output):
    """The request, field by field with what the service documents."""
    assert job["displayName"].startswith("beampose-pose-")
    assert job["labels"] == {"team": "mice"}
    spec = job["jobSpec"]
    assert spec["serviceAccount"] == CLOUD["service_account"]
    assert spec["network"] == VERTEX["network"]
    assert spec["baseOutputDirectory"] == {"outputUriPrefix": output}
    assert spec["scheduling"]["timeout"] == "7200s"
    assert spec["scheduling"]["restartJobOnWorkerRestart"] is True
    assert spec["scheduling"]["strategy"] in (4, "SPOT")
    (pool,) = spec["workerPoolSpecs"]
    assert pool["machineSpec"]["machineType"] == "n1-standard-8"
    assert pool["machineSpec"]["acceleratorType"] in (5, "NVIDIA_TESLA_T4")
    assert pool["machineSpec"]["acceleratorCount"] == 1
    assert int(pool["replicaCount"]) == 1
    assert pool["containerSpec"]["imageUri"] == CLOUD["image"]
    wheel, digest, flag, config = pool["containerSpec"]["args"]
    assert wheel.startswith(f"{output}/jobs/") and wheel.endswith("-py3-none-any.whl")
    assert len(digest) == 64 and flag == "--config" and config.endswith("/config.yaml")


def check_model(model, buckets):
    artifact = model["artifactUri"]
    assert f"{artifact}/1/saved_model.pb" in buckets.names()
    assert model["displayName"] == "pose"
    assert model["versionAliases"] == [artifact.rpartition("/")[2]]
    assert "mean_error_px" in model["versionDescription"]
    assert "held-out figure" in model["description"]
    container = model["containerSpec"]
    assert container["predictRoute"] == "/v1/models/model:predict"
    assert container["ports"] == [{"containerPort": 8501}]
    assert "gs://lab/base/pose/model/model_card.md" in buckets.names()


@pytest.mark.slow
def test_a_training_killed_at_random_ends_as_an_undisturbed_one(
    trained, buckets, vertex, tmp_path, capsys
):
    rng = random.Random(0)
    waits = [rng.uniform(6, 14) for _ in range(3)]

    def killer(process):
        if waits:
            timer = threading.Timer(waits.pop(), process.kill)
            timer.daemon = True
            timer.start()

    fake, ours = vertex(killer=killer), trained["pose"]
    cloud = write_cloud(tmp_path, vertex={"endpoint": fake.url, "spot": True})
    assert main(["submit", config_file(ours), "--cloud", cloud]) == 0, fake.logs
    assert not waits
    (starts,) = fake.runs.values()
    assert starts > 1
    found = json.loads(buckets.get("gs://lab/base/pose/model/metrics.json"))
    assert_same_metrics(found, storage.read_json(storage.place(ours.model, "metrics.json")))


@pytest.mark.slow
def test_a_search_has_the_same_best_trial_here_and_on_vertex(
    trained, buckets, vertex, tmp_path, capsys
):
    fake, ours = vertex(), trained["pose"]
    spec = tmp_path / "search.yaml"
    spec.write_text(
        "algorithm: grid\ntrials: 2\nparallel: 2\nparameters:\n"
        "  train.learning_rate: {values: [0.0001, 0.01]}\n  train.hidden: {values: [8]}\n"
    )
    cloud = write_cloud(tmp_path, vertex={"endpoint": fake.url})
    words = ["submit", config_file(ours), "--cloud", cloud, "--spec", str(spec)]
    assert main(words) == 0, fake.logs
    remote = capsys.readouterr().out
    copy = ["--set", f"output={tmp_path / 'local'}", "--set", f"store={ours.store}"]
    assert main(["features", config_file(ours), *copy]) == 0
    assert main(["sweep", config_file(ours), *copy, "--spec", str(spec)]) == 0
    local = capsys.readouterr().out

    trials = json.loads((tmp_path / "local/sweep/sweep.json").read_text())["trials"]
    best = trials[0]["settings"]
    (line,) = [line for line in remote.splitlines() if "is the best" in line]
    assert f"train.learning_rate={best['train.learning_rate']:g}" in line
    assert f"train.hidden={best['train.hidden']:g}" in line
    assert f"hidden={best['train.hidden']}" in local
    assert f"{trials[0]['score']:.4g}" in line
    (job,) = fake.of("hyperparameterTuningJobs")
    assert int(job["maxTrialCount"]) == 2 and int(job["parallelTrialCount"]) == 2
    study = job["studySpec"]
    assert study["algorithm"] in (2, "GRID_SEARCH")
    assert study["metrics"][0]["metricId"] == "mean_error_px"
    assert study["metrics"][0]["goal"] in (2, "MINIMIZE")


def test_a_model_that_is_not_registered_is_usable_and_registered_later(
    trained, buckets, vertex, tmp_path, capsys
):
    fake, ours = vertex(execute=False), trained["pose"]
    # As if the training that the service says is done had been.
    storage.upload(Path(ours.model), "gs://lab/base/pose/model")
    image = "docker.io/tensorflow/serving:2.19.1"
    cloud = write_cloud(tmp_path, vertex={"endpoint": fake.url, "serving_image": image})
    assert main(["submit", config_file(ours), "--cloud", cloud]) == 0, fake.logs
    told = capsys.readouterr().err
    assert told.index("will be trained but not registered") < told.index("finished and usable")
    assert "must be in Artifact Registry" in told and "--register-only" in told
    assert "gs://lab/base/pose/model/COMPLETED" in buckets.names()
    assert fake.of("models") == []
    cloud = write_cloud(tmp_path, vertex={"endpoint": fake.url})
    assert main(["submit", config_file(ours), "--cloud", cloud, "--register-only"]) == 0
    assert "version 1" in capsys.readouterr().out
    assert len(fake.of("customJobs")) == 1


@pytest.mark.parametrize("name", ["2026-mice", "Mouse A", "søren", "run+1", "", "x" * 200, "鼠"])
def test_an_alias_is_one_that_the_registry_takes_and_tells_times_apart(name):
    found = {vertex_models.alias(f"{name}-20261126-10000{i}") for i in range(3)}
    assert len(found) == 3
    assert all(re.fullmatch(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]", one) for one in found)


def test_a_study_asks_for_the_figure_that_trials_report():
    spec = search_spec.Spec(parameters={"train.steps": search_spec.Parameter(values=[1, 2])})
    job = {"display_name": "x", "job_spec": {}, "labels": {}}
    for kind in task_kinds.KINDS:
        (metric,) = vertex_requests.study(job, spec, kind)["study_spec"]["metrics"]
        assert metric["metric_id"] == kind.score
        assert metric["goal"] == ("MAXIMIZE" if kind.maximize else "MINIMIZE")


def test_a_refusal_of_the_service_is_a_sentence(trained, buckets, vertex, tmp_path, capsys):
    fake, ours = vertex(), trained["pose"]
    cloud = write_cloud(tmp_path, vertex={"endpoint": fake.url})
    fake.refuse = error(403, "PERMISSION_DENIED", "Permission 'x' denied.")
    assert main(["submit", config_file(ours), "--cloud", cloud]) == 2
    assert "roles/aiplatform.user" in capsys.readouterr().err
    cloud = write_cloud(tmp_path, vertex={"endpoint": "http://localhost:9"})
    assert main(["submit", config_file(ours), "--cloud", cloud]) == 2
    assert "could not be reached" in capsys.readouterr().err


def test_a_job_above_the_budget_is_not_sent(trained, buckets, vertex, tmp_path, capsys):
    fake, ours = vertex(), trained["pose"]
    cloud = write_cloud(tmp_path, max_cost=0.0001, vertex={"endpoint": fake.url})
    words = [config_file(ours), "--cloud", cloud]
    assert main(["submit", *words]) == 2
    assert "Nothing was sent" in capsys.readouterr().err
    assert buckets.names() == [] and fake.server.requests == []
    assert main(["plan", *words]) == 0
    printed = capsys.readouterr().out
    assert "n2-standard-4 on Dataflow" in printed and "n1-standard-8 on Vertex AI" in printed
    assert "by prices of 2026-11-20" in printed


def test_videos_named_on_the_command_line_count_for_the_budget(trained, buckets, tmp_path, capsys):
    film = fakes.video(tmp_path / "film.mp4", "libx264", 20)
    cloud = write_cloud(tmp_path, max_cost=0.0001, dataflow={"endpoint": "http://localhost:9"})
    assert main(["predict", config_file(trained["pose"]), film, "--cloud", cloud]) == 2
    assert "predict would cost" in capsys.readouterr().err
    assert buckets.names() == []


def test_a_machine_without_a_price_is_named(trained, tmp_path, capsys):
    cloud = write_cloud(tmp_path, vertex={"machine_type": "n1-highmem-96"})
    assert main(["plan", config_file(trained["pose"]), "--cloud", cloud]) == 2
    assert "vertex.machines.n1-highmem-96" in capsys.readouterr().err


def test_a_search_spec_says_what_is_wrong_with_it(tmp_path):
    from beampose.pipelines import search_spec

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
