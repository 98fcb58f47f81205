"""Training on Vertex AI: jobs are sent, followed to their end, and their model is taken."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

from beampose.core import artefacts, storage, task_kinds
from beampose.core.files import join
from beampose.core.infos import DatasetInfo
from beampose.core.settings.experiment import Config, to_dict
from beampose.pipelines import search_spec
from beampose.pipelines.cloud import code_wheel, vertex_requests
from beampose.pipelines.cloud.cloud_settings import Cloud, is_stand_in
from beampose.pipelines.cloud.job_stamps import stamp
from beampose.pipelines.cloud.vertex_services import Services, Unanswered, named, shown_name

POLL_SECONDS = 15.0
# A network may be gone for some minutes of hours of training.
SILENT_SECONDS = 600.0
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")


class Submission(NamedTuple):
    """A job and where its model will be."""

    kind: str
    name: str
    display_name: str
    output: str


def job_name(config: Config) -> str:
    """Human-readable name made of an experiment, a time and a few letters."""
    return f"beampose-{shown_name(config.output)}-{stamp()}"


def submit(services: Services, config: Config, spec: search_spec.Spec | None) -> Submission:
    """Sends the wheel and the experiment to the bucket and starts the job.

    Raises:
      OSError: there is no dataset, or a service refused.
    """
    cloud = services.cloud
    dataset = artefacts.require(
        config.dataset, DatasetInfo, run="features CONFIG --cloud CLOUD.yaml"
    )
    name = job_name(config)
    base = join(config.output, "jobs", name)
    wheel = code_wheel.build(storage.scratch(services))
    package = join(base, wheel.name)
    storage.place(package).write_bytes(wheel.read_bytes())
    storage.write_text(join(base, "config.yaml"), yaml.safe_dump(to_dict(config)))
    job = vertex_requests.custom_job(
        config, cloud, name=name, package=package, digest=code_wheel.sha256(wheel), base=base
    )
    if spec is None:
        return _sent(services, Submission("custom_job", "", name, config.output), job)
    job["job_spec"]["base_output_directory"] = {"output_uri_prefix": base}
    study = vertex_requests.study(job, spec, task_kinds.of_info(dataset))
    return _sent(services, Submission("hyperparameter_tuning_job", "", name, base), study)


def _sent(services: Services, submission: Submission, job: dict[str, Any]) -> Submission:
    """Creates a job. One that was created although its answer was lost is found by its name.

    Raises:
      OSError: it was refused, or nobody knows if it was created.
    """
    kind = submission.kind
    create = getattr(services.jobs, f"create_{kind}")
    message = {"custom_job": "CustomJob", "hyperparameter_tuning_job": "HyperparameterTuningJob"}
    request = {kind: getattr(services.api, message[kind])(job)}
    try:
        made = services.call(create, parent=services.parent, **request)
    except Unanswered as error:
        made = _found(services, submission)
        if made is None:
            raise OSError(
                f"{error} Perhaps it took the job all the same, and bills it: before you send it "
                f"again, look for {submission.display_name} at {page(submission, services.cloud)}"
            ) from None
    return submission._replace(name=made.name)


def _found(services: Services, submission: Submission) -> Any:
    """The job of a submission's name; None if there is none, or the service does not say."""
    listed = getattr(services.jobs, f"list_{submission.kind}s")
    try:
        found = services.call(listed, parent=services.parent, filter=named(submission.display_name))
        return next(iter(found), None)
    except OSError:
        return None


def page(submission: Submission, cloud: Cloud) -> str:
    """The job's page; without a name, that of all of its kind."""
    number = submission.name.rpartition("/")[2]
    single = "training" if number else "training/custom-jobs"
    kind = single if submission.kind == "custom_job" else "hyperparameter-tuning-jobs"
    return (
        f"https://console.cloud.google.com/vertex-ai/locations/{cloud.region}/{kind}/{number}"
        f"?project={cloud.project}"
    ).replace("/?", "?")


def follow(services: Services, submission: Submission, say: Callable[[str], None]) -> Any:
    """Waits for the end of a job and says its log meanwhile. Returns the job.

    Raises:
      RuntimeError: it ended otherwise than well.
      OSError: the service could not be asked.
    """
    seen: set[str] = set()
    state = ""
    while True:
        job = _now(services, submission, say)
        if job.state.name != state:
            state = job.state.name
            say(f"{submission.display_name}: {state.removeprefix('JOB_STATE_').lower()}")
        for line in _log(services, submission, seen):
            say(line)
        if state.removeprefix("JOB_STATE_") in ENDED:
            break
        time.sleep(_poll_seconds(services))
    if state != "JOB_STATE_SUCCEEDED":
        why = f": {job.error.message}" if job.error.message else ""
        raise RuntimeError(
            f"{submission.display_name} ended as {state}{why}. Its log: "
            f"{page(submission, services.cloud)}"
        )
    return job


def left(submission: Submission, cloud: Cloud) -> str:
    """What becomes of a job that is not followed any more."""
    kind = "custom-jobs" if submission.kind == "custom_job" else "hp-tuning-jobs"
    number = submission.name.rpartition("/")[2]
    return (
        f"{submission.display_name} goes on, and is billed: {page(submission, cloud)}. `gcloud ai "
        f"{kind} cancel {number} --region={cloud.region}` ends it. When it has ended by itself, "
        "`beampose submit` with --register-only registers its model."
    )


def _now(services: Services, submission: Submission, say: Callable[[str], None]) -> Any:
    """The job as it is; a service that does not answer is asked again for some minutes."""
    get = getattr(services.jobs, f"get_{submission.kind}")
    began = time.monotonic()
    said = False
    while True:
        try:
            return services.call(get, name=submission.name)
        except OSError as error:
            if time.monotonic() - began > SILENT_SECONDS:
                raise OSError(f"{error} {left(submission, services.cloud)}") from None
            if not said:
                say(f"{submission.display_name}: {error} It is asked again.")
            said = True
            time.sleep(_poll_seconds(services))


def _poll_seconds(services: Services) -> float:
    return POLL_SECONDS if not is_stand_in(services.cloud.vertex.endpoint) else 0.2


def best(job: Any, spec: search_spec.Spec) -> tuple[dict[str, Any], float, str]:
    """Settings, figure and number of the best trial of a study.

    Raises:
      RuntimeError: no trial has a figure.
    """
    goal = job.study_spec.metrics[0].goal.name
    scored = [
        (trial.final_measurement.metrics[0].value, trial)
        for trial in job.trials
        if trial.final_measurement and trial.final_measurement.metrics
    ]
    if not scored:
        raise RuntimeError(f"{job.display_name}: none of {len(job.trials)} trials has a figure.")
    # Of equal figures the first trial wins, as in a search on one machine.
    scored.sort(key=lambda one: (one[0] if goal == "MINIMIZE" else -one[0], int(one[1].id)))
    value, trial = scored[0]
    chosen = {p.parameter_id: p.value for p in trial.parameters}
    return {name: chosen[name] for name in spec.parameters}, value, trial.id


def adopt(submission: Submission, trial: str, config: Config) -> None:
    """Makes the model of a trial the experiment's."""
    with storage.local(join(submission.output, trial, "model")) as copy:
        artefacts.begin(config.model)
        storage.upload(copy, config.model)


def _log(services: Services, submission: Submission, seen: set[str]) -> Iterator[str]:
    """Lines of a job's log that were not said yet; none where the log cannot be read."""
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession
    from requests import RequestException, Session

    number = submission.name.rpartition("/")[2]
    endpoint = services.cloud.vertex.endpoint
    stand_in = is_stand_in(endpoint)
    session = Session() if stand_in else AuthorizedSession(services.credentials)
    address = f"{endpoint if stand_in else 'https://logging.googleapis.com'}/v2/entries:list"
    body = {
        "resourceNames": [f"projects/{services.cloud.project}"],
        "filter": f'resource.type="ml_job" resource.labels.job_id="{number}"',
        "orderBy": "timestamp desc",
        "pageSize": 200,
    }
    try:
        with session:
            answer = session.post(address, json=body, timeout=20)
        entries = answer.json().get("entries", []) if answer.ok else []
    except (GoogleAuthError, RequestException, ValueError):
        return
    for entry in reversed(entries):
        key = entry.get("insertId") or json.dumps(entry, sort_keys=True)
        if key not in seen:
            seen.add(key)
            text = entry.get("textPayload") or entry.get("jsonPayload", {}).get("message", "")
            yield from (line for line in str(text).splitlines() if line.strip())
