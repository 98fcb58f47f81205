"""Beam jobs on Dataflow: options from the cloud settings, and what a job says of itself."""

import re

from beampose.core.files import join
from beampose.pipelines.cloud.cloud_settings import Cloud, is_stand_in
from beampose.pipelines.cloud.job_stamps import stamp

# The image's CUDA needs a driver of this generation.
GPU = "type:{};count:{};install-nvidia-driver:5xx"


def job_name(verb: str, experiment: str) -> str:
    """Name that Dataflow accepts: lowercase letters, digits and dashes."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{verb}-{experiment}".lower()).strip("-")
    return f"beampose-{words[:40].strip('-')}-{stamp()}"


def words(cloud: Cloud, *, name: str, package: str) -> list[str]:
    """Beam options of a job.

    Args:
      package: wheel of our code, which the workers install over the image's.
    """
    found = [
        "--runner=DataflowRunner",
        f"--project={cloud.project}",
        f"--region={cloud.region}",
        f"--job_name={name}",
        f"--staging_location={join(cloud.root, 'staging')}",
        f"--temp_location={join(cloud.root, 'temp')}",
        f"--sdk_container_image={cloud.image}",
        "--sdk_location=container",
        f"--extra_package={package}",
        f"--machine_type={cloud.dataflow.machine_type}",
        f"--max_num_workers={cloud.dataflow.max_workers}",
        f"--disk_size_gb={cloud.dataflow.disk_gb}",
        # One process with one network in memory for each worker, not one for each core.
        "--experiments=no_use_multiple_sdk_containers",
        "--experiments=disable_logging_submission_environment",
    ]
    found += [f"--labels={key}={value}" for key, value in cloud.labels.items()]
    found += _network(cloud)
    if cloud.service_account:
        found.append(f"--service_account_email={cloud.service_account}")
    if cloud.kms_key:
        found.append(f"--dataflow_kms_key={cloud.kms_key}")
    if cloud.dataflow.flexrs:
        found.append("--flexrs_goal=COST_OPTIMIZED")
    if cloud.dataflow.accelerator:
        name = cloud.dataflow.accelerator.lower().replace("_", "-")
        gpu = GPU.format(name, cloud.dataflow.accelerator_count)
        found.append(f"--network_accelerator={gpu}")
    if cloud.dataflow.endpoint:
        found.append(f"--dataflow_endpoint={cloud.dataflow.endpoint}")
    if is_stand_in(cloud.dataflow.endpoint):
        found.append("--no_auth")
    return found


def _network(cloud: Cloud) -> list[str]:
    found = []
    if cloud.network:
        found.append(f"--network={cloud.network}")
    if cloud.subnetwork:
        # Dataflow takes no bare name, and one of another project only with its whole address.
        name = cloud.subnetwork
        path = name if "/" in name else f"regions/{cloud.region}/subnetworks/{name}"
        if path.startswith("projects/"):
            path = f"https://www.googleapis.com/compute/v1/{path}"
        found.append(f"--subnetwork={path}")
    if not cloud.public_ips:
        found.append("--no_use_public_ips")
    return found
