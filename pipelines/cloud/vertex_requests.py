"""What is asked of Vertex AI: a training, or a study of trainings, that run our entry point."""

import json
import math
from typing import Any

from beampose.core.files import join
from beampose.core.settings.experiment import Config
from beampose.core.task_kinds import TaskKind
from beampose.pipelines import search_spec
from beampose.pipelines.cloud.cloud_settings import Cloud

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
    if vertex.accelerator:
        words.append(f"--gpus={vertex.accelerator_count}")
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
            "timeout": {"seconds": math.ceil(vertex.timeout_hours * 3600)},
            "restart_job_on_worker_restart": vertex.restarts,
            "strategy": "SPOT" if vertex.spot else "ON_DEMAND",
        },
        "base_output_directory": {"output_uri_prefix": config.output},
    }
    if cloud.service_account:
        spec["service_account"] = cloud.service_account
    if vertex.network:
        spec["network"] = vertex.network
    if vertex.tensorboard:
        spec["tensorboard"] = vertex.tensorboard
    about = {"display_name": name, "job_spec": spec, "labels": dict(cloud.labels)}
    return {**about, **cloud.encryption}


def study(job: dict[str, Any], spec: search_spec.Spec, kind: TaskKind) -> dict[str, Any]:
    """The request of a search, as `aiplatform_v1.HyperparameterTuningJob` takes it.

    Args:
      kind: of the dataset; its score is what trials report.
    """
    parameters = [_study_parameter(name, one) for name, one in spec.parameters.items()]
    trials = spec.trials
    if spec.algorithm == search_spec.GRID:
        trials = min(trials, len(search_spec.settings(spec)))
    found: dict[str, Any] = {
        "metrics": [{"metric_id": kind.score, "goal": "MAXIMIZE" if kind.maximize else "MINIMIZE"}],
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
        **{key: job[key] for key in ("encryption_spec",) if key in job},
    }


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
