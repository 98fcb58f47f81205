"""The parts of a job on Google Cloud, described without sending any: (what, value) in turn."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from beampose.core import artefacts, files, storage
from beampose.core.infos import DatasetInfo, ModelInfo
from beampose.core.names import COMPLETED, LITE
from beampose.core.settings.experiment import Config
from beampose.core.wording import agreed, counted
from beampose.pipelines import item_files
from beampose.pipelines.cloud import staging
from beampose.pipelines.cloud.cloud_settings import Cloud

# The name of a line that is a refusal.
REFUSED = "refused"
Lines = Iterator[tuple[str, Any]]


class Job(NamedTuple):
    """What a verb was asked for.

    Attributes:
      config: the experiment as its file says.
      moved: with its outputs in the bucket.
      wheel: of our code.
    """

    arguments: argparse.Namespace
    config: Config
    moved: Config
    cloud: Cloud
    wheel: Path


def options(job: Job) -> Lines:
    """The Beam job: its name, image, workers and options."""
    from beampose.pipelines import beam_options
    from beampose.pipelines.cloud import dataflow

    cloud = job.cloud
    name = dataflow.job_name(job.arguments.verb, files.name(job.moved.output))
    words = dataflow.words(cloud, name=name, package=str(job.wheel))
    yield "job", f"{name} on Dataflow in {cloud.project}, {cloud.region}"
    yield "image", cloud.image
    gpu = cloud.dataflow.accelerator
    beside = f" with {cloud.dataflow.accelerator_count} {gpu} each" if gpu else ""
    yield "workers", f"at most {cloud.dataflow.max_workers} {cloud.dataflow.machine_type}{beside}"
    yield "as", cloud.service_account or "the project's default account of Compute Engine"
    yield "labels", _labels(cloud)
    told = ("--job_name=", "--sdk_container_image=", "--labels=", "--machine_type=", "--project=")
    for word in [*words, *job.arguments.beam]:
        if not word.startswith((*told, "--region=", "--service_account", "--extra_package")):
            yield "option", word
    beam_options.parse([*words, *job.arguments.beam])


def labels(job: Job) -> Lines:
    """The labels of a feature job, the images that are sent, and its graph."""
    from beampose.pipelines.features import feature_recipe, labeled_source

    found, splits = labeled_source.read_to_learn(job.config)
    local, chosen, _ = feature_recipe.choose(job.config, found, splits)
    config = staging.placed(local, job.cloud)
    here = [item.image for item in found.items if not files.is_address(item.image)]
    size = sum(files.size(image) for image in here if files.exists(image))
    yield (
        "labels",
        f"{counted(len(found.items), 'image')}, {counted(len(found.problems), 'problem')}",
    )
    yield "images", f"{len(here)} of this machine to send, {size / 1e6:.1f} MB"
    for key, one in chosen.items():
        yield "chosen", f"{key} {one.value:g} ({one.why})"
    yield "graph", _size(_feature_graph(config, len(found.items)))


def videos(job: Job) -> Lines:
    """The model and the videos of a prediction, what of them is sent, and its graph."""
    from beampose.pipelines import still_sets

    sources = still_sets.expand(job.config.predict.videos, job.config.output)
    here = [path for path in sources.videos if not files.is_address(path)]
    there = [path for path in here if files.exists(path)]
    size = sum(files.size(path) for path in there)
    sent = f"{len(there)} {agreed(len(there), 'are')}"
    yield "videos", f"{len(sources.videos)}, of which {sent} sent, {size / 1e6:.1f} MB"
    for one in sources.sets:
        size = sum(one.sizes.values())
        yield "images", f"{len(one.sizes)} of {one.path}, {size / 1e6:.1f} MB"
    for path in here:
        if path not in there:
            yield REFUSED, f"{path} is not there: it would be a failure of the job."
    yield "graph", _size(_prediction_graph(job, len(sources.videos) + len(sources.sets)))


def model(job: Job) -> Lines:
    """Where the model of a prediction comes from."""
    if _is_whole(job.moved.model):
        yield "model", job.moved.model
        return
    artefacts.require(job.config.model, ModelInfo)
    yield "model", f"{job.config.model}, to {job.moved.model}"


def training(job: Job) -> Lines:
    """The request of a training, or of a study, as Vertex AI gets it."""
    from beampose.core import task_kinds
    from beampose.pipelines import search_spec
    from beampose.pipelines.cloud import code_wheel, vertex_jobs, vertex_requests

    name = vertex_jobs.job_name(job.moved)
    base = files.join(job.moved.output, "jobs", name)
    request = vertex_requests.custom_job(
        job.moved,
        job.cloud,
        name=name,
        package=files.join(base, job.wheel.name),
        digest=code_wheel.sha256(job.wheel),
        base=base,
    )
    spec = None if job.arguments.spec is None else search_spec.read(job.arguments.spec)
    kind = "training"
    if spec is not None:
        request["job_spec"]["base_output_directory"] = {"output_uri_prefix": base}
        info = _dataset(job)
        told = vertex_requests.study(request, spec, task_kinds.of_info(info))
        kind = f"study of {told['max_trial_count']} trainings"
    yield "job", f"{name}, a {kind} on Vertex AI in {job.cloud.project}, {job.cloud.region}"
    if job.cloud.kms_key:
        yield "key", job.cloud.kms_key
    yield from _training(job, request["job_spec"])


def _training(job: Job, spec: dict[str, Any]) -> Lines:
    (pool,) = spec["worker_pool_specs"]
    machine, schedule = pool["machine_spec"], spec["scheduling"]
    gpu = ""
    if "accelerator_type" in machine:
        gpu = f" with {machine['accelerator_count']} {machine['accelerator_type']}"
    yield "image", pool["container_spec"]["image_uri"]
    yield "machine", f"{machine['machine_type']}{gpu}, {schedule['strategy']}"
    hours = schedule["timeout"]["seconds"] / 3600
    again = "restarted if lost" if schedule["restart_job_on_worker_restart"] else "not restarted"
    yield "limit", f"{hours:g} hours, {again}"
    yield "as", spec.get("service_account", "the custom code agent of Vertex AI")
    yield "labels", _labels(job.cloud)
    for name in ("network", "tensorboard"):
        if name in spec:
            yield name, spec[name]
    yield "arguments", " ".join(pool["container_spec"]["args"][2:])


def dataset(job: Job) -> Lines:
    """Where the dataset of a training comes from."""
    info = _dataset(job)
    there = _is_whole(job.moved.dataset)
    yield "dataset", job.moved.dataset if there else f"{job.config.dataset}, to {job.moved.dataset}"
    yield "images", f"{info.counts.images} and {counted(info.counts.copies, 'copy')}"


def registration(job: Job) -> Lines:
    """The version of the model that would be registered."""
    from beampose.pipelines.cloud import vertex_jobs, vertex_models

    alias = vertex_models.alias(vertex_jobs.job_name(job.moved).removeprefix("beampose-"))
    yield "model", f"{files.name(job.moved.output)}, alias {alias}"
    yield "serving", job.cloud.vertex.serving_image
    if why := vertex_models.image_warning(job.cloud):
        yield REFUSED, f"the registration, not the training: {why}"


def _dataset(job: Job) -> DatasetInfo:
    there = _is_whole(job.moved.dataset)
    return artefacts.require((job.moved if there else job.config).dataset, DatasetInfo)


def _is_whole(folder: str) -> bool:
    """Whether a finished folder is in the bucket; no, where nobody is signed in to look."""
    try:
        return storage.place(folder, COMPLETED).is_file()
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__.startswith("google.auth"):
            return False
        raise


def _labels(cloud: Cloud) -> str:
    return ", ".join(f"{key}={value}" for key, value in cloud.labels.items()) or "none"


def _feature_graph(config: Config, count: int) -> int:
    """Bytes of the graph of a feature job."""
    import apache_beam as beam

    from beampose.pipelines.features import embedding_worker, feature_job, feature_steps

    transform = files.join(config.store, "transform")
    steps = feature_steps.Job(
        spec=embedding_worker.model_spec(config, transform, files.join(transform, LITE)),
        store=config.store,
        recipe_id="0" * 64,
        transform_digest="0" * 64,
        bodyparts=(),
        ranges=embedding_worker.ranges(config),
        copies=config.copies,
        batch_size=config.features.batch_size,
        shards=1,
    )
    waiting = files.join(config.dataset, feature_job.WAITING)
    addresses = _addresses(waiting, count)
    pipeline = beam.Pipeline()
    feature_job.build(pipeline, addresses, steps, config.dataset)
    return len(pipeline.to_runner_api().SerializeToString())


def _prediction_graph(job: Job, films: int) -> int:
    """Bytes of the graph of a prediction job."""
    import apache_beam as beam

    from beampose.pipelines.manifest import Sample
    from beampose.pipelines.predict import (
        film_outcomes,
        prediction_job,
        prediction_pipeline,
        prediction_steps,
    )
    from beampose.pipelines.predict.film_work import Chosen
    from beampose.pipelines.predict.inference import SavedModelHandler

    there = _is_whole(job.moved.model)
    source = job.moved if there else job.config
    info = artefacts.require(source.model, ModelInfo)
    output, view = prediction_job.describe(source, info, job.arguments.overwrite)
    settings = job.moved.predict
    index = prediction_steps.Index(output, Chosen(Sample(), view, settings.chunk))
    handler = SavedModelHandler(source.model, settings.batch_size, output.predictor.signature)
    place = files.join(job.moved.predictions, film_outcomes.FILMS)
    addresses = _addresses(place, films)
    pipeline = beam.Pipeline()
    prediction_pipeline.build(pipeline, addresses, films, index, handler, output)
    return len(pipeline.to_runner_api().SerializeToString())


def _addresses(folder: str, items: int) -> list[str]:
    """As long as those of the files that the items of a job would be written to."""
    count = -(-items // item_files.ITEMS_A_FILE)
    return [files.join(folder, f"{number:016x}{item_files.SUFFIX}") for number in range(count)]


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB; the service takes 10"


BEAM = {"features": (options, labels), "predict": (options, model, videos)}
TRAINING = (training, dataset, registration)
