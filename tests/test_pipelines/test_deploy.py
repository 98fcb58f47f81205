"""scripts/deploy_trigger, with no gcloud or a stand-in."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from beampose.pipelines.cloud import event_service, upload_run

DEPLOY = Path(__file__).parents[2] / "scripts/deploy_trigger"
GIVEN = ["--project", "my-lab-1", "--region", "europe-west1", "--bucket", "lab-in"]
IMAGE = ["--image", "europe-docker.pkg.dev/my-lab-1/lab/beampose:1"]


@pytest.fixture
def deploy(tmp_path):
    """Runs the script where only the stand-ins in `tmp_path / "bin"` and a few tools are."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sed", "tr"):
        (tools / tool).symlink_to(shutil.which(tool))
    bash = shutil.which("bash")

    def run(*words):
        command = [bash, str(DEPLOY), *words]
        environment = {"PATH": str(tools)}
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    return run


def test_a_dry_deployment_prints_its_commands_without_gcloud(deploy):
    assert subprocess.run(["bash", "-n", DEPLOY]).returncode == 0
    done = deploy(*GIVEN, *IMAGE, "--prefix", "team", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [shlex.split(line, comments=True) for line in done.stdout.splitlines()]
    commands = {" ".join(words[1:4]): words for words in lines if words}
    assert {words[0] for words in lines if words} == {"gcloud"}
    run = commands["run deploy beampose"]
    assert "--no-allow-unauthenticated" in run
    variables = dict(one.split("=") for one in run[-1].removeprefix("--set-env-vars=").split(","))
    made = event_service.from_environment(variables)
    assert (made.bucket, made.prefix, made.models) == ("lab-in", "team/", "gs://lab-in/team/models")
    assert made.jobs.name == "projects/my-lab-1/locations/europe-west1/jobs/beampose-work"
    trigger = commands["eventarc triggers create"]
    assert f"--event-filters=type={event_service.FINALIZED}" in trigger
    assert "--service-account=beampose-trigger@my-lab-1.iam.gserviceaccount.com" in trigger
    assert "--ack-deadline=120" in commands["pubsub subscriptions update"]


def test_uploads_are_worked_on_by_a_job_that_is_started_again_and_ends_by_itself(deploy):
    done = deploy(*GIVEN, *IMAGE, "--hours", "24", "--config", "gs://lab-in/a.yaml", "--dry-run")
    lines = [shlex.split(line, comments=True) for line in done.stdout.splitlines()]
    (job,) = (words for words in lines if words[1:4] == ["run", "jobs", "deploy"])
    settings = upload_run.Settings()
    assert f"--max-retries={settings.attempts}" in job
    assert "--args=-m,beampose.pipelines.cloud.upload_job" in job
    assert "--set-env-vars=BEAMPOSE_HOURS=24,BEAMPOSE_CONFIG=gs://lab-in/a.yaml" in job
    (seconds,) = (word.partition("=")[2] for word in job if word.startswith("--task-timeout"))
    # An upload is stopped, with a verdict, before Cloud Run stops the job.
    assert 24 * 3600 + settings.silent_seconds < int(seconds.rstrip("s")) <= 7 * 24 * 3600
    (may,) = (words for words in lines if words[1:4] == ["run", "jobs", "add-iam-policy-binding"])
    assert may[4] == "beampose-work"
    assert "--role=roles/run.jobsExecutorWithOverrides" in may


def test_the_runner_writes_below_models_alone(deploy):
    done = deploy(*GIVEN, *IMAGE, "--models-bucket", "lab-out", "--dry-run")
    runner = [shlex.split(line) for line in done.stdout.splitlines() if "policy" in line]
    runner = [words for words in runner if any("beampose-runner" in word for word in words)]
    runner = [words for words in runner if words[1] == "storage"]
    roles = {(words[4], words[6]): words[7:] for words in runner}
    assert roles == {
        ("gs://lab-in", "--role=roles/storage.objectViewer"): [],
        ("gs://lab-out", "--role=roles/storage.objectViewer"): [],
        ("gs://lab-out", "--role=roles/storage.objectAdmin"): [
            "--condition=expression=resource.name.startsWith("
            "'projects/_/buckets/lab-out/objects/models/'),title=beampose-models"
        ],
    }


def test_a_deployment_is_taken_down_by_the_same_names(deploy):
    made = deploy(*GIVEN, *IMAGE, "--dry-run").stdout
    gone = deploy("--delete", *GIVEN, "--dry-run")
    assert gone.returncode == 0
    for what in ("triggers", "services", "jobs", "service-accounts"):
        assert f"{what} delete" in gone.stdout
    bindings = re.findall(r"(\S+) --role=(\S+)", made)
    removed = re.findall(r"(\S+) --role=(\S+)", gone.stdout)
    # Storage's agent serves other triggers too, and a service takes its bindings with it.
    kept = {"roles/pubsub.publisher", "roles/run.invoker", "roles/run.jobsExecutorWithOverrides"}
    assert sorted(b for b in bindings if b[1] not in kept) == sorted(removed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (GIVEN, "--image is missing"),
        ([*GIVEN, *IMAGE], "gcloud is not installed"),
        ([*GIVEN, *IMAGE, "--bucket", "UPPER"], "--bucket must look like"),
        ([*GIVEN, *IMAGE, "--project", "x; rm -rf /"], "--project must look like"),
        ([*GIVEN, *IMAGE, "--prefix", "a'b"], "--prefix must look like"),
        ([*GIVEN, *IMAGE, "--config", "my.yaml"], "--config must look like"),
        ([*GIVEN, "--image"], "--image needs a value"),
        ([*GIVEN, "--imgae", "x"], "There is no option --imgae"),
        (["stray"], "What is stray"),
    ],
)
def test_a_wrong_deployment_is_refused_before_anything_is_done(deploy, words, message):
    done = deploy(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


GCLOUD = """#!{bash}
echo "$*" >> {log}
case "$*" in
    *"buckets describe"*) echo EUROPE-WEST4 ;;
    *service-agent*) echo service-1@gs-project-accounts.iam.gserviceaccount.com ;;
    *"triggers describe"*) [ -e {log}.made ] && echo projects/p/subscriptions/s ;;
    *"triggers create"*) : > {log}.made ;;
    *"accounts describe beampose-runner"*) exit 1 ;;
esac
"""


def test_a_deployment_makes_what_is_missing_where_the_bucket_is(deploy, tmp_path):
    log = tmp_path / "log"
    stand_in = tmp_path / "bin/gcloud"
    stand_in.write_text(GCLOUD.format(bash=shutil.which("bash"), log=log))
    stand_in.chmod(0o755)
    done = deploy(*GIVEN, *IMAGE)
    assert (done.returncode, done.stderr) == (0, "")
    commands = log.read_text().splitlines()
    assert [c.split()[3] for c in commands if "accounts create" in c] == ["beampose-runner"]
    (trigger,) = (c for c in commands if "triggers create" in c)
    assert "--location=europe-west4" in trigger
    assert "--destination-run-region=europe-west1" in trigger
    assert commands[-1].startswith("pubsub subscriptions update projects/p/subscriptions/s")
    log.unlink()
    assert deploy(*GIVEN, *IMAGE).returncode == 0
    assert "triggers create" not in log.read_text()
    assert deploy("--delete", *GIVEN).returncode == 0
    assert "triggers delete beampose --project=my-lab-1 --location=europe-west4" in log.read_text()


def test_accounts_of_a_project_of_a_domain_are_at_its_address(deploy):
    words = ["--project", "example.com:my-lab-1", *GIVEN[2:], *IMAGE, "--dry-run"]
    done = deploy(*words)
    assert (done.returncode, done.stderr) == (0, "")
    found = set(re.findall(r"beampose-runner@([a-z0-9.-]+)", done.stdout))
    assert found == {"my-lab-1.example.com.iam.gserviceaccount.com"}
