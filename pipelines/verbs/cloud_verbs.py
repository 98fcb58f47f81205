"""Verbs of Google Cloud."""

import argparse
import sys
from typing import TYPE_CHECKING

from beampose.core import artefacts, storage
from beampose.core.infos import Metrics
from beampose.core.names import METRICS
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.outcomes import model_outcomes
from beampose.pipelines.verbs import beam_jobs, command_line, printed

if TYPE_CHECKING:
    from beampose.pipelines.cloud.vertex_services import Services


def submit(arguments: argparse.Namespace) -> int:
    """Trains on Vertex AI, follows the log, registers the model. 1 if the job failed."""
    from beampose.pipelines import search_spec
    from beampose.pipelines.cloud import (
        cloud_settings,
        credentials,
        staging,
        vertex_jobs,
        vertex_models,
        vertex_services,
    )

    if arguments.dry_run:
        return beam_jobs.dry_run(arguments, "submit")
    config = command_line.config(arguments)
    spec = None if arguments.spec is None else search_spec.read(arguments.spec)
    cloud = cloud_settings.load(arguments.cloud)
    found = credentials.find(stand_in=cloud_settings.is_stand_in(cloud.vertex.endpoint))
    services = vertex_services.Services(cloud, found)
    moved = staging.config(config, cloud)
    if warning := vertex_models.image_warning(cloud):
        print(f"warning: {warning}", file=sys.stderr)
    if arguments.register_only:
        return _register(services, moved, vertex_jobs.job_name(moved))
    beam_jobs.check_budget(arguments, config, cloud, "train", 1 if spec is None else spec.trials)
    if staging.dataset(config, moved):
        print(f"submit: the dataset and its store were copied to {moved.output}")
    job = vertex_jobs.submit(services, moved, spec)
    print(f"submit: {job.display_name} {vertex_jobs.page(job, cloud)}")
    if arguments.no_wait:
        print(f"It continues by itself; its model will be in {job.output}.")
        print("Not registered: when it has ended, `beampose submit` with --register-only does it.")
        return 0
    try:
        done = vertex_jobs.follow(services, job, print)
    except RuntimeError as error:
        print(f"FAILED {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nStopped here. {vertex_jobs.left(job, cloud)}", file=sys.stderr)
        return 130
    if spec is not None:
        chosen, value, trial = vertex_jobs.best(done, spec)
        vertex_jobs.adopt(job, trial, moved)
        words = "  ".join(f"{key}={one}" for key, one in chosen.items())
        goal = done.study_spec.metrics[0].metric_id
        print(f"submit: trial {trial} is the best: {goal} {value:.4g} {words}")
    metrics = artefacts.read_info(storage.place(moved.model, METRICS), Metrics)
    print(model_outcomes.Trained(moved.model, metrics))
    return _register(services, moved, job.display_name)


def _register(services: "Services", config: Config, name: str) -> int:
    """Registers the experiment's model; a refusal leaves it as usable as it is. 0."""
    from beampose.pipelines.cloud import vertex_models

    alias = vertex_models.alias(name.removeprefix("beampose-"))
    try:
        resource, version = vertex_models.register(services, config, alias)
    except FileNotFoundError:
        raise
    except OSError as error:
        print(
            f"warning: the model in {config.model} is finished and usable, but not registered. "
            f"{error} Mend that and run `beampose submit` again with --register-only.",
            file=sys.stderr,
        )
        return 0
    print(f"submit: registered as {resource} version {version}")
    return 0


def requests(arguments: argparse.Namespace) -> int:
    """Writes a request file and tries it on the model. 1 if an instance would fail."""
    from beampose.pipelines.cloud import prediction_requests

    config = command_line.config(arguments)
    found = prediction_requests.images(arguments.images)
    written = prediction_requests.write(found, arguments.to, arguments.kind)
    failures = prediction_requests.check(config.model, written.path, arguments.kind)
    printed.report_failures(failures)
    print(
        f"requests: {counted(written.instances, 'image')} in {written.path}, {len(failures)} of "
        f"them fail; at most {written.batch_size} fit one request of the service."
    )
    if failures or not arguments.cloud:
        return 1 if failures else 0
    return _send_requests(arguments, config, written.path, written.batch_size)


def _send_requests(
    arguments: argparse.Namespace, config: Config, file: str, batch_size: int
) -> int:
    from beampose.pipelines.cloud import (
        cloud_settings,
        credentials,
        staging,
        vertex_models,
        vertex_services,
    )

    cloud = cloud_settings.load(arguments.cloud)
    found = credentials.find(stand_in=cloud_settings.is_stand_in(cloud.vertex.endpoint))
    services = vertex_services.Services(cloud, found)
    name, target = vertex_models.batch_predict(
        services,
        staging.config(config, cloud),
        file=file,
        kind=arguments.kind,
        batch_size=batch_size,
    )
    print(f"requests: {name} has started; its answers will be in {target}")
    return 0


def watch(arguments: argparse.Namespace) -> int:
    """Makes models of the zips that land in a folder. With --once, 1 if one has no model."""
    from beampose.pipelines.cloud import upload_recipe, upload_run, upload_watch

    for name in ("every", "hours"):
        if not getattr(arguments, name) > 0:
            raise ValueError(f"--{name} must be above 0. Received: {getattr(arguments, name):g}.")
    if not arguments.folder.strip():
        raise ValueError("watch needs a folder, or a bucket such as gs://lab. Received: ''.")
    upload_recipe.check(arguments.config, arguments.set)
    settings = upload_run.Settings(
        template=arguments.config, sets=tuple(arguments.set), hours=arguments.hours
    )
    watch = upload_watch.Watch(arguments.folder, arguments.models, settings)
    if arguments.once:
        return upload_watch.once(watch, arguments.every)
    print(f"Zips that land in {watch.zips} become models in {watch.models}. Ctrl-C ends this.")
    upload_watch.forever(watch, arguments.every)
    return 0
