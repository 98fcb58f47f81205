"""Vertex AI's registry of models, and predictions by what is registered."""

import re
import shutil
import unicodedata
from typing import Any

from beampose.core import artefacts, storage
from beampose.core.files import join
from beampose.core.infos import Metrics, ModelInfo
from beampose.core.names import METRICS
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.cloud import prediction_requests
from beampose.pipelines.cloud.cloud_settings import Cloud
from beampose.pipelines.cloud.vertex_jobs import job_name
from beampose.pipelines.cloud.vertex_services import Services, named, shown_name
from beampose.pipelines.report import model_card
from beampose.trainer.export import SAVED_MODEL

UPLOAD_SECONDS = 600
# Less than the registry's 128, for what may come before.
ALIAS_LENGTH = 100


def alias(name: str) -> str:
    """A version alias made of a name: letters, digits and - as the registry takes them."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    # The end tells jobs apart: it is the time.
    kept = words[-ALIAS_LENGTH:].strip("-")
    return kept if kept[:1].isalpha() else f"model-{kept}".strip("-")


def image_warning(cloud: Cloud) -> str:
    """Why the service will not register a model with this image; empty if it may."""
    image = cloud.vertex.serving_image
    host = image.partition("/")[0]
    if host.endswith("-docker.pkg.dev") or host == "gcr.io" or host.endswith(".gcr.io"):
        return ""
    return (
        f"vertex.serving_image {image} is in neither Artifact Registry nor Container Registry, and "
        "Vertex AI takes no other: the model will be trained but not registered. Copy the image "
        f"into a repository of {cloud.project} (docs/cloud.md) and name it there."
    )


def register(services: Services, config: Config, version_alias: str) -> tuple[str, str]:
    """Registers the experiment's model, as a new version of the model of that name, with a card.

    Returns:
      Resource name and version.

    Raises:
      OSError: there is no finished model, or the service refused.
    """
    info = artefacts.require(config.model, ModelInfo, run="submit")
    metrics = artefacts.read_info(storage.place(config.model, METRICS), Metrics)
    text = model_card.text(info, metrics)
    storage.write_text(join(config.model, "model_card.md"), text)
    artifact = join(config.output, "serving", version_alias)
    serving_layout(config.model, artifact, 1)
    name = shown_name(config.output)
    known = services.call(services.models.list_models, parent=services.parent, filter=named(name))
    parent = next((model.name for model in known), None)
    model = {
        "display_name": name,
        "artifact_uri": artifact,
        "version_aliases": [version_alias],
        "version_description": _summary(metrics),
        "description": text[:2000],
        "labels": {**services.cloud.labels, "task": config.task},
        **services.cloud.encryption,
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
    operation = services.call(services.models.upload_model, **request)
    done = services.outcome(operation, seconds=UPLOAD_SECONDS)
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
    name = shown_name(config.output)
    known = services.call(services.models.list_models, parent=services.parent, filter=named(name))
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
    job = prediction_requests.Job(
        model,
        not config.kind.points,
        source,
        kind,
        target,
        services.cloud.vertex.machine_type,
        batch_size,
    ).request(title)
    cloud = services.cloud
    job |= {"labels": dict(cloud.labels), **cloud.encryption}
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


def _summary(metrics: Metrics) -> str:
    figures = [
        f"{k} {value:.4g}"
        for k in ("mean_error_px", "median_error_px", "accuracy")
        if (value := metrics.test[k]) is not None
    ]
    return ", ".join(["beampose", *figures, f"{counted(metrics.split['train'], 'labeled image')}"])
