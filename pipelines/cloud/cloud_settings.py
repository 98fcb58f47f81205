"""`configs/cloud.yaml`: the project, machines and limits of a lab, checked before use."""

import dataclasses
import difflib
import re

from beampose.core.settings import experiment

# Machine series that Dataflow workers and Vertex AI training have, with what follows the series.
MACHINE = re.compile(
    r"(?:(?:n1|n2|n2d|n4|c2|c2d|c3|c3d|c4|e2|t2d|m1|a2|a3|g2)-"
    r"(?:standard|highmem|highcpu|highgpu|megagpu|ultragpu|megamem|ultramem|custom)"
    r"(?:-\d+)*(?:g)?|custom-\d+-\d+)"
)
REGIONS = [
    "africa-south1",
    "asia-east1",
    "asia-east2",
    "asia-northeast1",
    "asia-northeast2",
    "asia-northeast3",
    "asia-south1",
    "asia-south2",
    "asia-southeast1",
    "asia-southeast2",
    "australia-southeast1",
    "australia-southeast2",
    "europe-central2",
    "europe-north1",
    "europe-southwest1",
    "europe-west1",
    "europe-west2",
    "europe-west3",
    "europe-west4",
    "europe-west6",
    "europe-west8",
    "europe-west9",
    "europe-west10",
    "europe-west12",
    "me-central1",
    "me-central2",
    "me-west1",
    "northamerica-northeast1",
    "northamerica-northeast2",
    "southamerica-east1",
    "southamerica-west1",
    "us-central1",
    "us-east1",
    "us-east4",
    "us-east5",
    "us-south1",
    "us-west1",
    "us-west2",
    "us-west3",
    "us-west4",
]
ACCELERATORS = (
    "NVIDIA_TESLA_T4",
    "NVIDIA_L4",
    "NVIDIA_TESLA_V100",
    "NVIDIA_TESLA_P100",
    "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB",
    "NVIDIA_H100_80GB",
)
IMAGE = re.compile(
    r"[a-z0-9.-]+(?::\d+)?/[a-z0-9._/-]+(?::[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})"
)
PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](?:/[^\s*?\[\]#]+)?/?")
ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataflow:
    """Workers of Beam jobs.

    `accelerator` is a GPU for the steps that run a network, no other; `flexrs` waits up to six
    hours for cheaper workers, some of which may be taken away. `endpoint` is another address of the
    service.
    """

    machine_type: str = "n2-standard-4"
    max_workers: int = 10
    disk_gb: int = 50
    flexrs: bool = False
    accelerator: str | None = None
    accelerator_count: int = 1
    endpoint: str | None = None

    def __post_init__(self):
        _machine("dataflow.machine_type", self.machine_type)
        _at_least("dataflow.max_workers", self.max_workers, 1)
        _at_least("dataflow.disk_gb", self.disk_gb, 20)
        _accelerator("dataflow", self.accelerator, self.accelerator_count)
        if self.flexrs and self.accelerator:
            raise ValueError(
                "dataflow.flexrs and dataflow.accelerator cannot be used together: FlexRS has no "
                "GPUs for single steps. Drop one of them."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vertex:
    """The machine of a training.

    `spot` machines cost a third and may be taken away: the training is restarted up to `restarts`
    times and goes on at its checkpoint. `serving_image` runs registered models.
    """

    machine_type: str = "n1-standard-8"
    accelerator: str | None = None
    accelerator_count: int = 1
    disk_gb: int = 100
    spot: bool = False
    restarts: bool = True
    timeout_hours: float = 12.0
    tensorboard: str | None = None
    serving_image: str = "docker.io/tensorflow/serving:2.19.1"
    endpoint: str | None = None

    def __post_init__(self):
        _machine("vertex.machine_type", self.machine_type)
        _accelerator("vertex", self.accelerator, self.accelerator_count)
        _at_least("vertex.disk_gb", self.disk_gb, 100)
        _matches("vertex.serving_image", self.serving_image, IMAGE, "host/path/name:tag")
        if self.timeout_hours <= 0:
            raise ValueError(
                f"vertex.timeout_hours must be above 0. Received: {self.timeout_hours:g}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cloud:
    """Settings of cloud jobs. `bucket` may name a folder of a bucket; results go below it.

    `max_cost` refuses jobs whose estimate is above it, in the currency of the price table.
    """

    project: str
    region: str
    bucket: str
    image: str
    service_account: str | None = None
    network: str | None = None
    subnetwork: str | None = None
    public_ips: bool = True
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    max_cost: float | None = None
    dataflow: Dataflow = dataclasses.field(default_factory=Dataflow)
    vertex: Vertex = dataclasses.field(default_factory=Vertex)

    def __post_init__(self):
        _matches("project", self.project, PROJECT, "my-project-123")
        if self.region not in REGIONS:
            close = difflib.get_close_matches(self.region, REGIONS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"region must be a region of Google Cloud such as us-central1. Received: "
                f"{self.region!r}.{hint}"
            )
        _matches("bucket", self.bucket, BUCKET, "gs://my-bucket/folder")
        _matches("image", self.image, IMAGE, "REGION-docker.pkg.dev/PROJECT/REPOSITORY/beampose:1")
        if self.service_account is not None:
            _matches("service_account", self.service_account, ACCOUNT, "name@project.iam…")
        for name, value in self.labels.items():
            _matches(f"labels.{name}", name, LABEL, "small letters, digits, - and _")
            if value:
                _matches(f"labels.{name}", value, LABEL, "small letters, digits, - and _")

    @property
    def root(self) -> str:
        return self.bucket.rstrip("/")


def load(path: str) -> Cloud:
    """Reads the settings.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not YAML, an unknown key, or a value that the services would refuse.
    """
    values = experiment.read(path, "file of cloud settings (as configs/cloud.yaml)")
    try:
        return experiment.from_dict(Cloud, values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def is_stand_in(endpoint: str | None) -> bool:
    """Returns True if an endpoint is a service on this machine, which takes no credentials."""
    return endpoint is not None and endpoint.startswith(("http://localhost:", "http://127.0.0.1:"))


def _matches(name: str, value: str, pattern: re.Pattern, example: str) -> None:
    if not pattern.fullmatch(value):
        raise ValueError(f"{name} must look like {example}. Received: {value!r}.")


def _machine(name: str, value: str) -> None:
    if not MACHINE.fullmatch(value):
        raise ValueError(
            f"{name} must be a machine type such as n2-standard-4. Received: {value!r}."
        )


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be {least} or more. Received: {value}.")


def _accelerator(section: str, name: str | None, count: int) -> None:
    if name is not None and name not in ACCELERATORS:
        close = difflib.get_close_matches(name.upper().replace("-", "_"), ACCELERATORS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"{section}.accelerator must be one of {', '.join(ACCELERATORS)}. Received: "
            f"{name!r}.{hint}"
        )
    _at_least(f"{section}.accelerator_count", count, 1)
