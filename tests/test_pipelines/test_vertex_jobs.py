"""Trainings, searches and models on Vertex AI."""

import json
import random
import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from cloud.server import error
from cloud_jobs import CLOUD, VERTEX, config_file, write_cloud
from google.auth.exceptions import RefreshError

from beampose.core import storage, task_kinds
from beampose.core.settings import experiment
from beampose.pipelines import search_spec
from beampose.pipelines.cli import main
from beampose.pipelines.cloud import (
    cloud_settings,
    credentials,
    dataflow,
    job_stamps,
    vertex_jobs,
    vertex_models,
    vertex_requests,
    vertex_services,
)


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
    assert int(pool["replicaCount"]) == 1
    assert pool["containerSpec"]["imageUri"] == CLOUD["image"]
    wheel, digest, flag, config = pool["containerSpec"]["args"]
    assert wheel.startswith(f"{output}/jobs/") and wheel.endswith("-py3-none-any.whl")
    assert len(digest) == 64 and flag == "--config" and config.endswith("/config.yaml")


@pytest.mark.slow
def test_a_training_whose_gpu_is_not_seen_ends_at_once(trained, buckets, vertex, tmp_path, capsys):
    fake, ours = vertex(), trained["pose"]
    gpu = {"endpoint": fake.url, "accelerator": "NVIDIA_TESLA_T4"}
    cloud = write_cloud(tmp_path, vertex=gpu)
    assert main(["submit", config_file(ours), "--cloud", cloud]) != 0
    said = " ".join(["".join(capsys.readouterr()), *map(str, fake.logs.values())])
    assert "ordered with 1 GPU, and TensorFlow sees 0" in said
    (job,) = fake.of("customJobs")
    (pool,) = job["jobSpec"]["workerPoolSpecs"]
    assert pool["machineSpec"]["acceleratorType"] in (5, "NVIDIA_TESLA_T4")
    assert pool["machineSpec"]["acceleratorCount"] == 1
    assert pool["containerSpec"]["args"][-1] == "--gpus=1"
    assert not fake.of("models")


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


def test_jobs_sent_within_one_second_have_folders_of_their_own(trained, monkeypatch):
    monkeypatch.setattr(job_stamps.time, "strftime", lambda _: "20261126-100000")
    assert len({vertex_jobs.job_name(trained["pose"]) for _ in range(5)}) > 1
    assert len({dataflow.job_name("features", "mice") for _ in range(5)}) > 1


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


@pytest.mark.parametrize("tuned", [False, True])
def test_a_job_whose_answer_was_lost_is_found_and_not_sent_again(vertex, tmp_path, tuned):
    fake = vertex(execute=False)
    cloud = cloud_settings.load(write_cloud(tmp_path, vertex={"endpoint": fake.url}))
    services = vertex_services.Services(cloud, credentials.find(stand_in=True))
    fake.loses = True
    values = {"task": "pose", "source": {"format": "deeplabcut", "path": "p"}, "output": "gs://b/o"}
    config = experiment.from_values(values, str(tmp_path / "my.yaml"))
    job = vertex_requests.custom_job(config, cloud, name="a b", package="p", digest="d", base="b")
    kind = "custom_job"
    if tuned:
        spec = search_spec.Spec(parameters={"train.steps": search_spec.Parameter(values=[1, 2])})
        job = vertex_requests.study(job, spec, task_kinds.POSE)
        kind = "hyperparameter_tuning_job"
    submission = vertex_jobs.Submission(kind, "", "a b", "gs://b/o")
    (made,) = [vertex_jobs._sent(services, submission, job).name]
    assert list(fake.resources) == [made]

    # Where it is not found, whoever sends it again is told to look before.
    with pytest.raises(OSError, match=r"before you send it again, look for c at https://.*\?proj"):
        vertex_jobs._sent(services, submission._replace(display_name="c"), job)
    fake.refuse = error(403, "PERMISSION_DENIED", "Permission 'x' denied.")
    with pytest.raises(OSError, match=r"denied\. The account needs roles/aiplatform.user [^:]*: d"):
        vertex_jobs._sent(services, submission, job)


def test_names_that_people_see_are_as_long_as_the_service_takes_and_differ():
    long = [f"gs://lab/{'ä' * 110}{i}" for i in range(2)]
    shown = {vertex_services.shown_name(one) for one in long}
    assert len(shown) == 2 and {len(one) for one in shown} == {90}
    assert len(vertex_jobs.job_name(SimpleNamespace(output=long[0]))) <= 128
    assert vertex_services.shown_name("gs://lab/mäuse 1") == "mäuse 1"


JOB = vertex_jobs.Submission("custom_job", "projects/1/jobs/7", "beampose-mice", "gs://lab/mice")


class Following:
    """Services whose answers about a job are these, in turn; an error is raised."""

    def __init__(self, *answers):
        self.cloud = cloud_settings.Cloud(**CLOUD)
        self.jobs, self.credentials = SimpleNamespace(get_custom_job=None), None
        self._answers = list(answers)

    def call(self, method, **request):
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return SimpleNamespace(state=SimpleNamespace(name=answer), error=None)


def test_a_network_that_is_gone_for_a_while_ends_no_following(monkeypatch):
    monkeypatch.setattr(vertex_jobs, "_poll_seconds", lambda _: 0)
    monkeypatch.setattr(vertex_jobs, "_log", lambda *_: ())
    gone, said = OSError("Vertex AI could not be reached: timeout."), []
    services: Any = Following("JOB_STATE_RUNNING", gone, gone, "JOB_STATE_SUCCEEDED")
    vertex_jobs.follow(services, JOB, said.append)
    assert [line.rpartition(": ")[2] for line in said] == [
        "running",
        "timeout. It is asked again.",
        "succeeded",
    ]
    monkeypatch.setattr(vertex_jobs, "SILENT_SECONDS", -1)
    with pytest.raises(OSError, match="goes on, and is billed: .*cancel 7 .*--register-only"):
        services = Following(gone)
        vertex_jobs.follow(services, JOB, said.append)


def test_credentials_that_expire_meanwhile_are_a_sentence():
    services = vertex_services.Services.__new__(vertex_services.Services)
    expired = RefreshError("Reauthentication is needed.", {})
    with pytest.raises(OSError, match="gcloud auth application-default login"):
        services.call(Mock(side_effect=expired))


def test_ctrl_c_says_that_the_job_goes_on_and_is_billed(
    trained, buckets, vertex, tmp_path, capsys, monkeypatch
):
    fake, ours = vertex(execute=False), trained["pose"]
    storage.upload(Path(ours.model), "gs://lab/base/pose/model")
    cloud = write_cloud(tmp_path, vertex={"endpoint": fake.url})
    monkeypatch.setattr(vertex_jobs, "follow", Mock(side_effect=KeyboardInterrupt))
    assert main(["submit", config_file(ours), "--cloud", cloud]) == 130
    told = capsys.readouterr().err
    assert "goes on, and is billed" in told and "custom-jobs cancel" in told
    assert "Run the same command again" not in told
