"""`--dry-run`: what would be sent, priced, and every refusal at once; nothing is sent."""

import pytest
import yaml
from cloud.dataflow import Dataflow
from cloud.vertex import Vertex
from cloud_jobs import CLOUD, config_file, write_cloud

from beampose.pipelines.cli import main

SECRET = "GOOGLE_APPLICATION_CREDENTIALS"


@pytest.fixture
def dataflow():
    fake = Dataflow(execute=False)
    yield fake
    fake.close()


@pytest.fixture
def vertex():
    fake = Vertex(execute=False)
    yield fake
    fake.close()


def test_a_feature_job_is_shown_priced_and_not_sent(
    pose_file, trained, buckets, dataflow, tmp_path, capsys
):
    cloud = write_cloud(tmp_path, dataflow={"endpoint": dataflow.url})
    assert main(["features", str(pose_file), "--cloud", cloud, "--dry-run"]) == 0
    out = capsys.readouterr().out
    for line in (
        "results   gs://lab/base/out",
        "image     europe-west4-docker.pkg.dev/my-project/beampose/beampose:1",
        "workers   at most 10 n2-standard-4",
        "labels    team=mice",
        "option    --sdk_location=container",
        "images    12 of this machine to send",
        "price     features",
        "as far as can be seen from here it would be taken",
    ):
        assert line in out
    assert not dataflow.jobs
    assert buckets.names() == []


def test_a_prediction_is_shown_with_the_videos_that_are_not_there(
    trained, buckets, dataflow, tmp_path, capsys
):
    cloud = write_cloud(tmp_path, dataflow={"endpoint": dataflow.url}, max_cost=0)
    words = ["predict", config_file(trained["pose"]), str(tmp_path / "no.mp4")]
    assert main([*words, "--cloud", cloud, "--dry-run"]) == 1
    out = capsys.readouterr().out
    assert "videos    1, of which 0 are sent" in out
    assert "no.mp4 is not there: it would be a failure of the job." in out
    assert f"model     {trained['pose'].model}, to gs://lab/base/" in out
    assert buckets.names() == []


def test_a_training_is_shown_and_an_image_that_the_registry_refuses(
    trained, buckets, vertex, tmp_path, capsys
):
    words = ["submit", config_file(trained["pose"])]
    cloud = write_cloud(tmp_path, vertex={"endpoint": vertex.url, "spot": True})
    assert main([*words, "--cloud", cloud, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "machine   n1-standard-8, SPOT" in out
    assert "limit     12 hours, restarted if lost" in out
    assert f"dataset   {trained['pose'].dataset}, to gs://lab/base/" in out
    assert "price     train" in out
    file = tmp_path / "hub.yaml"
    file.write_text(yaml.safe_dump({**CLOUD, "vertex": {"endpoint": vertex.url}}))
    assert main([*words, "--cloud", str(file), "--dry-run"]) == 1
    assert "the registration, not the training: vertex.serving_image" in capsys.readouterr().out
    assert not vertex.resources
    assert buckets.names() == []


def test_every_refusal_is_found_at_once(pose_file, buckets, dataflow, tmp_path, capsys):
    dataflow.location, dataflow.tags = "US-WEST1", {"2"}
    dataflow.denied = {
        "dataflow.jobs.create",
        "storage.objects.create",
        "iam.serviceAccounts.actAs",
    }
    cloud = write_cloud(tmp_path, dataflow={"endpoint": dataflow.url}, max_cost=0.0001)
    words = ["features", str(pose_file), "--cloud", cloud, "--dry-run", "--", "--max_wrokers=3"]
    assert main(words) == 1
    out = capsys.readouterr().out
    for reason in (
        "gs://lab is in us-west1 and the jobs in europe-west4",
        "beampose:1 does not exist",
        "lacks dataflow.jobs.create on my-project: it needs roles/dataflow.developer there",
        "lacks storage.objects.create on gs://lab: it needs roles/storage.objectUser there",
        "lacks iam.serviceAccounts.actAs on worker@my-project.iam.gserviceaccount.com",
        "Beam has no option --max_wrokers.",
        "above the limit of 0.0001",
        "it would be refused, for 7 reasons",
    ):
        assert reason in out


def test_all_wrong_settings_are_named(pose_file, tmp_path, capsys):
    cloud = write_cloud(
        tmp_path,
        region="mars",
        subnetwork="A/B",
        dataflow={"machine_type": "n2-standard-4", "accelerator": "NVIDIA_TESLA_T4"},
        labels={"Team": "a"},
    )
    words = ["features", str(pose_file), "--cloud", cloud, "--dry-run", "--set", "train.stepz=1"]
    assert main(words) == 1
    out = capsys.readouterr().out
    for word in ("region", "subnetwork", "comes only with n1 machines", "labels", "train.stepz"):
        assert word in out
    assert "for 5 reasons" in out


def test_without_credentials_it_says_what_it_could_not_look_at(
    pose_file, trained, tmp_path, capsys, monkeypatch
):
    from beampose.pipelines.cloud import image_versions

    monkeypatch.setattr(image_versions, "mismatch", lambda: "")
    monkeypatch.delenv(SECRET, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    cloud = write_cloud(tmp_path)
    assert main(["features", str(pose_file), "--cloud", cloud, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "UNSEEN    bucket, image, accounts and roles: This machine has no Google cred" in out
    assert "images    12 of this machine to send" in out


def test_services_that_say_nothing_are_no_refusal(pose_file, trained, dataflow, tmp_path, capsys):
    dataflow.silent = {"storage", "registry", "roles"}
    cloud = write_cloud(tmp_path, dataflow={"endpoint": dataflow.url})
    assert main(["features", str(pose_file), "--cloud", cloud, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.count("UNSEEN") == 4
    assert "the service answers 403" in out


def test_a_dry_run_needs_a_cloud(pose_file, capsys):
    assert main(["features", str(pose_file), "--dry-run"]) == 2
    assert "--dry-run has an effect only with --cloud" in capsys.readouterr().err
