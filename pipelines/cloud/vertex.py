"""Training on Vertex AI: a custom job or a study that runs our entry point, and the registry."""

import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

from beampose.core import storage
from beampose.core.files import join
from beampose.core.infos import DatasetInfo, Metrics, ModelInfo
from beampose.core.names import METRICS
from beampose.core.settings.experiment import Config, to_dict
from beampose.core.task_kinds import TaskKind
from beampose.pipelines import search_spec
from beampose.pipelines.cloud import code_wheel, prediction_requests
from beampose.pipelines.cloud.cloud_settings import Cloud, is_stand_in
from beampose.pipelines.report import model_card
from beampose.trainer.export import SAVED_MODEL

LOG = logging.getLogger(__name__)
POLL_SECONDS = 15.0
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
# What a container of the image runs: it fetches our wheel and becomes
# `python -m beampose.trainer.task`.
BOOTSTRAP = """
import hashlib, io, os, runpy, sys, tempfile, zipfile
address, digest, *words = sys.argv[1:]
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
import fsspec
token = "anon" if os.environ.get("STORAGE_EMULATOR_HOST") else "google_default"
with fsspec.open(address, "rb", token=token) as file:
    data = file.read()
if hashlib.sha256(data).hexdigest() != digest:
    sys.exit(f"error: {address} is not the wheel this job was made with")
folder = tempfile.mkdtemp()
with zipfile.ZipFile(io.BytesIO(data)) as wheel:
    wheel.extractall(folder)
sys.path.insert(0, folder)
sys.argv = ["beampose.trainer.task", *words]
runpy.run_module("beampose.trainer.task", run_name="__main__", alter_sys=True)
"""
STUDY_ALGORITHMS = {search_spec.GRID: "GRID_SEARCH", search_spec.RANDOM: "RANDOM_SEARCH"}


class Submission(NamedTuple):
    """A job and where its model will be."""

    kind: str
    name: str
    display_name: str
    output: str


class Services:
    """The clients of a region, which speak HTTP so that a proxy or a stand-in can serve them."""

    def __init__(self, cloud: Cloud, credentials: Any):
        from google.cloud import aiplatform_v1 as api

        self.cloud = cloud
        self.api = api
        self.credentials = credentials
        self.parent = f"projects/{cloud.project}/locations/{cloud.region}"
        endpoint = cloud.vertex.endpoint or f"{cloud.region}-aiplatform.googleapis.com"
        known = {"credentials": credentials, "transport": "rest"}
        known["client_options"] = {"api_endpoint": endpoint}
        self.jobs = api.JobServiceClient(**known)
        self.models = api.ModelServiceClient(**known)

    def call(self, method: Callable, **request: Any) -> Any:
        """Calls the service.

        Raises:
          OSError: the service refused or could not be reached; the text is human-readable.
        """
        from google.api_core import exceptions

        try:
            return method(request=request, timeout=60)
        except exceptions.GoogleAPICallError as error:
            raise OSError(_refusal(error, self.cloud)) from None
        except exceptions.RetryError as error:
            raise OSError(f"Vertex AI could not be reached: {error.cause or error}") from None
        except OSError as error:
            raise OSError(f"Vertex AI could not be reached: {_first_line(error)}") from None


def job_name(config: Config) -> str:
    """Human-readable name made of an experiment and a time."""
    name = storage.place(config.output).name
    return f"beampose-{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def custom_job(
    config: Config, cloud: Cloud, *, name: str, package: str, digest: str, base: str
) -> dict[str, Any]:
    """The request of a training, as `aiplatform_v1.CustomJob` takes it.

    Args:
      config: the experiment, all of it in the bucket.
      package, digest: our wheel and its sha256.
      base: folder of the job; Vertex AI derives the AIP_ folders from it.
    """
    vertex = cloud.vertex
    machine: dict[str, Any] = {"machine_type": vertex.machine_type}
    if vertex.accelerator:
        machine |= {
            "accelerator_type": vertex.accelerator,
            "accelerator_count": vertex.accelerator_count,
        }
    words = [package, digest, "--config", join(base, "config.yaml")]
    spec: dict[str, Any] = {
        "worker_pool_specs": [
            {
                "machine_spec": machine,
                "replica_count": 1,
                "disk_spec": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": vertex.disk_gb},
                "container_spec": {
                    "image_uri": cloud.image,
                    "command": ["python", "-c", BOOTSTRAP],
                    "args": words,
                },
            }
        ],
        "scheduling": {
            "timeout": {"seconds": round(vertex.timeout_hours * 3600)},
            "restart_job_on_worker_restart": vertex.restarts,
            "strategy": "SPOT" if vertex.spot else "ON_DEMAND",
        },
        "base_output_directory": {"output_uri_prefix": config.output},
    }
    if cloud.service_account:
        spec["service_account"] = cloud.service_account
    if cloud.network:
        spec["network"] = cloud.network
    if vertex.tensorboard:
        spec["tensorboard"] = vertex.tensorboard
    return {"display_name": name, "job_spec": spec, "labels": dict(cloud.labels)}


def study(job: dict[str, Any], spec: search_spec.Spec, kind: TaskKind) -> dict[str, Any]:
    """The request of a search, as `aiplatform_v1.HyperparameterTuningJob` takes it."""
    parameters = [_study_parameter(name, one) for name, one in spec.parameters.items()]
    trials = spec.trials
    if spec.algorithm == search_spec.GRID:
        trials = min(trials, len(search_spec.settings(spec)))
    found: dict[str, Any] = {
        "metrics": [{"metric_id": kind.goal, "goal": kind.goal_words.upper()}],
        "parameters": parameters,
    }
    if spec.algorithm in STUDY_ALGORITHMS:
        found["algorithm"] = STUDY_ALGORITHMS[spec.algorithm]
    return {
        "display_name": job["display_name"],
        "study_spec": found,
        "max_trial_count": trials,
        "parallel_trial_count": min(spec.parallel, trials),
        "max_failed_trial_count": trials,
        "trial_job_spec": job["job_spec"],
        "labels": job["labels"],
    }


def submit(services: Services, config: Config, spec: search_spec.Spec | None) -> Submission:
    """Sends the wheel and the experiment to the bucket and starts the job.

    Raises:
      OSError: there is no dataset, or a service refused.
    """
    cloud = services.cloud
    storage.require(config.dataset, DatasetInfo, run="features CONFIG --cloud CLOUD.yaml")
    name = job_name(config)
    base = join(config.output, "jobs", name)
    wheel = code_wheel.build(storage.scratch(services))
    package = join(base, wheel.name)
    storage.place(package).write_bytes(wheel.read_bytes())
    storage.write_text(join(base, "config.yaml"), yaml.safe_dump(to_dict(config)))
    job = custom_job(
        config, cloud, name=name, package=package, digest=code_wheel.sha256(wheel), base=base
    )
    api = services.api
    if spec is None:
        made = services.call(
            services.jobs.create_custom_job,
            parent=services.parent,
            custom_job=api.CustomJob(job),
        )
        return Submission("custom_job", made.name, name, config.output)
    job["job_spec"]["base_output_directory"] = {"output_uri_prefix": base}
    made = services.call(
        services.jobs.create_hyperparameter_tuning_job,
        parent=services.parent,
        hyperparameter_tuning_job=api.HyperparameterTuningJob(study(job, spec, config.kind)),
    )
    return Submission("hyperparameter_tuning_job", made.name, name, base)


def page(submission: Submission, cloud: Cloud) -> str:
    """The job's page."""
    number = submission.name.rpartition("/")[2]
    kind = "training" if submission.kind == "custom_job" else "hyperparameter-tuning-jobs"
    return (
        f"https://console.cloud.google.com/vertex-ai/locations/{cloud.region}/{kind}/{number}"
        f"?project={cloud.project}"
    )


def follow(services: Services, submission: Submission, say: Callable[[str], None]) -> Any:
    """Waits for the end of a job and says its log meanwhile. Returns the job.

    Raises:
      RuntimeError: it ended otherwise than well.
      OSError: the service could not be asked.
    """
    get = getattr(services.jobs, f"get_{submission.kind}")
    seen: set[str] = set()
    state = ""
    while True:
        job = services.call(get, name=submission.name)
        if job.state.name != state:
            state = job.state.name
            say(f"{submission.display_name}: {state.removeprefix('JOB_STATE_').lower()}")
        for line in _log(services, submission, seen):
            say(line)
        if state.removeprefix("JOB_STATE_") in ENDED:
            break
        time.sleep(POLL_SECONDS if not is_stand_in(services.cloud.vertex.endpoint) else 0.2)
    if state != "JOB_STATE_SUCCEEDED":
        why = f": {job.error.message}" if job.error.message else ""
        raise RuntimeError(
            f"{submission.display_name} ended as {state}{why}. Its log: "
            f"{page(submission, services.cloud)}"
        )
    return job


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
        storage.begin(config.model)
        storage.upload(copy, config.model)


def register(services: Services, config: Config, alias: str) -> tuple[str, str]:
    """Registers the experiment's model, as a new version of the model of that name, with a card.

    Returns:
      Resource name and version.

    Raises:
      OSError: there is no finished model, or the service refused.
    """
    info = storage.require(config.model, ModelInfo, run="submit")
    metrics = storage.read_info(storage.place(config.model, METRICS), Metrics)
    text = model_card.text(info, metrics)
    storage.write_text(join(config.model, "model_card.md"), text)
    artifact = join(config.output, "serving", alias)
    serving_layout(config.model, artifact, 1)
    name = storage.place(config.output).name
    known = services.call(
        services.models.list_models, parent=services.parent, filter=f'display_name="{name}"'
    )
    parent = next((model.name for model in known), None)
    model = {
        "display_name": name,
        "artifact_uri": artifact,
        "version_aliases": [alias],
        "version_description": _summary(metrics),
        "description": text[:2000],
        "labels": {**services.cloud.labels, "task": config.task},
        "container_spec": {
            "image_uri": services.cloud.vertex.serving_image,
            "args": ["--model_name=model", "--model_base_path=$(AIP_STORAGE_URI)"],
            "ports": [{"container_port": 8501}],
            "predict_route": "/v1/models/model:predict",
            "health_route": "/v1/models/model",
        },
    }
    request: dict[str, Any] = {"parent": services.parent, "model": services.api.Model(model)}
    if parent:
        request["parent_model"] = parent
    done = services.call(services.models.upload_model, **request).result(timeout=600)
    return done.model, done.model_version_id


def batch_predict(
    services: Services, config: Config, *, file: str, kind: str, batch_size: int
) -> tuple[str, str]:
    """Starts a batch prediction of the experiment's registered model on a request file.

    Returns:
      Resource name of the job, and where its answers will be.

    Raises:
      FileNotFoundError: the model is not registered.
      OSError: the service refused.
    """
    name = storage.place(config.output).name
    known = services.call(
        services.models.list_models, parent=services.parent, filter=f'display_name="{name}"'
    )
    model = next((one.name for one in known), None)
    if model is None:
        raise FileNotFoundError(
            f"No model {name!r} is registered in {services.parent}. `beampose submit` registers it."
        )
    title = job_name(config)
    base = join(config.output, "requests", title)
    source = join(base, storage.place(file).name)
    storage.place(source).write_bytes(storage.place(file).read_bytes())
    target = join(base, "answers")
    job = prediction_requests.batch_job(
        model,
        name=title,
        source=source,
        kind=kind,
        target=target,
        machine=services.cloud.vertex.machine_type,
        batch_size=batch_size,
    )
    made = services.call(
        services.jobs.create_batch_prediction_job,
        parent=services.parent,
        batch_prediction_job=services.api.BatchPredictionJob(job),
    )
    return made.name, target


def serving_layout(model: str, target: str, version: int) -> None:
    """Copies a SavedModel to `<target>/<version>/`, where TensorFlow Serving looks for it."""
    with storage.local(storage.place(model, SAVED_MODEL)) as copy:
        final = storage.place(target, str(version))
        if storage.is_local(final):
            with storage.replacing_folder(final) as temporary:
                shutil.copytree(copy, temporary, dirs_exist_ok=True)
        else:
            storage.remove(final)
            storage.upload(copy, final)


def _study_parameter(name: str, one: search_spec.Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"parameter_id": name}
    if one.values is not None:
        if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in one.values):
            found["discrete_value_spec"] = {"values": sorted(one.values)}
        else:
            words = [json.dumps(v) if not isinstance(v, str) else v for v in one.values]
            found["categorical_value_spec"] = {"values": words}
        return found
    kind = "integer_value_spec" if one.integer else "double_value_spec"
    found[kind] = {"min_value": one.min, "max_value": one.max}
    if one.integer:
        found[kind] = {key: int(value) for key, value in found[kind].items()}
    found["scale_type"] = "UNIT_LOG_SCALE" if one.scale == "log" else "UNIT_LINEAR_SCALE"
    return found


def _log(services: Services, submission: Submission, seen: set[str]) -> Iterator[str]:
    """Lines of a job's log that were not said yet; none where the log cannot be read."""
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
    except (RequestException, ValueError):
        return
    for entry in reversed(entries):
        key = entry.get("insertId") or json.dumps(entry, sort_keys=True)
        if key not in seen:
            seen.add(key)
            text = entry.get("textPayload") or entry.get("jsonPayload", {}).get("message", "")
            yield from (line for line in str(text).splitlines() if line.strip())


def _summary(metrics: Metrics) -> str:
    figures = [
        f"{k} {value:.4g}"
        for k in ("mean_error_px", "median_error_px", "accuracy")
        if (value := metrics.test[k]) is not None
    ]
    return ", ".join(["beampose", *figures, f"{metrics.split['train']} labeled images"])


def _refusal(error: Any, cloud: Cloud) -> str:
    text = _first_line(error)
    hints = {
        401: "Sign in again with `gcloud auth application-default login`.",
        403: f"The account needs roles/aiplatform.user in {cloud.project}: docs/cloud.md.",
        404: f"Look at project ({cloud.project}) and region ({cloud.region}) in the settings.",
        429: f"A quota of {cloud.project} in {cloud.region} is used up: ask for more, or another "
        "region or machine.",
    }
    return f"Vertex AI refused: {text} {hints.get(int(error.code or 0), '')}".rstrip()


def _first_line(error: Exception) -> str:
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    return re.sub(r"\s+", " ", str(text).strip().splitlines()[0])[:300]
