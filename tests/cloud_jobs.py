"""Experiments of tests, and settings of the cloud."""

from pathlib import Path

import yaml

VERTEX = {
    "serving_image": "europe-west4-docker.pkg.dev/my-project/mirror/serving:2.19.1",
    "network": "projects/123456789/global/networks/lab-net",
}
CLOUD = {
    "project": "my-project",
    "region": "europe-west4",
    "bucket": "gs://lab/base",
    "image": "europe-west4-docker.pkg.dev/my-project/beampose/beampose:1",
    "service_account": "worker@my-project.iam.gserviceaccount.com",
    "network": "lab-net",
    "public_ips": False,
    "labels": {"team": "mice"},
}


def config_file(config):
    return str(Path(config.output).parent / f"{config.task}.yaml")


def write_cloud(folder, **changes):
    file = folder / "cloud.yaml"
    if "endpoint" in changes.get("vertex", {}):
        changes["vertex"] = {**VERTEX, **changes["vertex"]}
    file.write_text(yaml.safe_dump({**CLOUD, **changes}))
    return str(file)
