"""`configs/cloud.yaml`: the project, machines and limits of a lab, checked before use."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from beampose.core import yaml_files
from beampose.core.settings.section import (
    LIKE_A_NUMBER,
    Number,
    Section,
    from_dict,
    problems,
    setting,
)
from beampose.pipelines.cloud import gpu_machines

REGIONS = (  # noqa: SIM905  A list of 43 lines otherwise.
    "africa-south1 asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 "
    "asia-south1 asia-south2 asia-southeast1 asia-southeast2 australia-southeast1 "
    "australia-southeast2 europe-central2 europe-north1 europe-north2 europe-southwest1 "
    "europe-west1 europe-west2 europe-west3 europe-west4 europe-west6 europe-west8 europe-west9 "
    "europe-west10 europe-west12 me-central1 me-central2 me-west1 northamerica-northeast1 "
    "northamerica-northeast2 northamerica-south1 southamerica-east1 southamerica-west1 "
    "us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2 us-west3 us-west4"
).split()
LABEL_KEY, LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
# Google takes 64 labels, of which one of a model is ours, and names of files of 1,024 bytes.
_MOST_LABELS, _LONGEST_FOLDER = 63, 500
_NETWORK = "[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
_BOARD = r"projects/[^/\s]+/locations/([a-z0-9-]+)/tensorboards/[^/\s]+"
_IMAGE = r"^[a-z0-9.-]+(:\d+)?/[a-z0-9._/-]+(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$"


def _region(value: str) -> str:
    if value not in REGIONS:
        raise ValueError("must be a region of Google Cloud such as us-central1")
    return value


def _bucket(value: str) -> str:
    name, _, folder = value.removeprefix("gs://").partition("/")
    words = name.split(".")
    if name.startswith("goog") or "google" in name or not all(words):
        raise ValueError(
            "must have a name that Google allows, without google and without empty parts"
        )
    if any(len(word) > 63 for word in words):
        raise ValueError("must have a name of at most 63 characters")
    if {".", ".."} & set(folder.split("/")) or not folder.isprintable():
        raise ValueError("must have a folder without . and .. and without unprintable characters")
    if len(folder.encode()) > _LONGEST_FOLDER:
        raise ValueError(f"must have a folder of at most {_LONGEST_FOLDER} bytes")
    return value


def _labels(value: dict[str, str]) -> dict[str, str]:
    if len(value) > _MOST_LABELS:
        raise ValueError(f"must be at most {_MOST_LABELS} labels, not {len(value)}")
    for word in value:
        if word.startswith("goog"):
            raise ValueError(f"must not begin with goog, Google's own, as {word!r} does")
        if not LABEL_KEY.fullmatch(word):
            raise ValueError(
                "must be words of lowercase letters, digits, - and _ that begin with a letter, "
                f"which {word!r} does not"
            )
    for word in value.values():
        if not LABEL_VALUE.fullmatch(word):
            raise ValueError(
                "must have values of at most 63 lowercase letters, digits, - and _, which "
                f"{word!r} is not"
            )
    return value


# How the tags of images without NVIDIA's libraries end, as the build names them.
_WITHOUT_GPU = "-cpu"


def _texts(value: object) -> object:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else value


# Machine series that Dataflow workers and Vertex AI training have, with what follows the series.
Machine = Annotated[
    str,
    Field(
        pattern=r"^((n1|n2|n2d|n4|c2|c2d|c3|c3d|c4|e2|t2d|m1|a2|a3|g2)-"
        r"(standard|highmem|highcpu|highgpu|megagpu|ultragpu|megamem|ultramem|custom)"
        r"(-\d+)*g?|custom-\d+-\d+)$",
        examples=["n2-standard-4"],
        description="Machine type.",
    ),
]
Accelerator = Literal[
    "NVIDIA_TESLA_T4",
    "NVIDIA_L4",
    "NVIDIA_TESLA_V100",
    "NVIDIA_TESLA_P100",
    "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB",
    "NVIDIA_H100_80GB",
]
AcceleratorCount = Annotated[int, Field(ge=1, description="GPUs of a machine.")]
Endpoint = Annotated[str | None, Field(description="Another address of the service.")]


class Dataflow(Section):
    """Workers of Beam jobs."""

    machine_type: Machine = "n2-standard-4"
    max_workers: int = setting(10, "The most workers of a job.", ge=1)
    disk_gb: int = setting(50, "Disk of a worker.", ge=20)
    flexrs: bool = setting(
        False, "Wait up to six hours for cheaper workers, some of which may be taken away."
    )
    accelerator: Accelerator | None = setting(
        None, "A GPU for the steps that run a network, no other."
    )
    accelerator_count: AcceleratorCount = 1
    endpoint: Endpoint = None

    @model_validator(mode="after")
    def _check(self) -> "Dataflow":
        if self.flexrs and self.accelerator:
            raise ValueError(
                "dataflow.flexrs and dataflow.accelerator cannot be used together: FlexRS has no "
                "GPUs for single steps. Drop one of them."
            )
        gpu_machines.check("dataflow", self.machine_type, self.accelerator, self.accelerator_count)
        return self


class Vertex(Section):
    """The machine of a training."""

    machine_type: Machine = "n1-standard-8"
    accelerator: Accelerator | None = setting(None, "A GPU.")
    accelerator_count: AcceleratorCount = 1
    disk_gb: int = setting(100, "Disk of the machine.", ge=100)
    spot: bool = setting(
        False, "A machine that costs less than half and may be taken away: see `restarts`."
    )
    restarts: bool = setting(True, "Restart a training that was interrupted, from its checkpoint.")
    timeout_hours: Number = setting(12.0, "The longest that a training may take.", gt=0)
    tensorboard: str | None = setting(None, "A TensorBoard of Vertex AI to write to.")
    serving_image: str = setting(
        "docker.io/tensorflow/serving:2.19.1",
        "The image that runs registered models.",
        pattern=_IMAGE,
        examples=["host/path/name:tag"],
    )
    network: str | None = setting(
        None,
        "A network that is peered with Vertex AI; unset: trainings are in none.",
        pattern=r"^projects/\d+/global/networks/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        examples=["projects/123456789/global/networks/default"],
    )
    endpoint: Endpoint = None

    @model_validator(mode="after")
    def _check(self) -> "Vertex":
        gpu_machines.check("vertex", self.machine_type, self.accelerator, self.accelerator_count)
        return self


class Cloud(Section):
    """Settings of cloud jobs: docs/cloud.md."""

    whole_file: ClassVar[bool] = True

    project: str = Field(
        pattern=r"^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$",
        examples=["my-project-123"],
        description="The Google Cloud project.",
    )
    region: Annotated[str, AfterValidator(_region)] = Field(
        json_schema_extra={"enum": list(REGIONS)},
        examples=["us-central1"],
        description="Where jobs run.",
    )
    bucket: Annotated[str, AfterValidator(_bucket)] = Field(
        pattern=r"^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^\s*?\[\]#/]+)*/?$",
        examples=["gs://my-bucket/folder"],
        description="A bucket, or a folder of one; results go below it.",
    )
    image: str = Field(
        pattern=_IMAGE,
        examples=["REGION-docker.pkg.dev/PROJECT/REPOSITORY/beampose:1"],
        description="The container image of workers and trainings.",
    )
    service_account: str | None = setting(
        None,
        "The account that jobs run as.",
        pattern=r"^[^@\s:]+@[^@\s]+\.[^@\s]+$",
        examples=["name@my-project.iam.gserviceaccount.com"],
    )
    network: str | None = setting(
        None,
        "Of Dataflow's workers; unset: the project's default.",
        pattern=f"^{_NETWORK}$",
        examples=["lab-net"],
    )
    subnetwork: str | None = setting(
        None,
        "Of Dataflow's workers, in the jobs' region.",
        pattern=f"^((https://www.googleapis.com/compute/v1/)?(projects/[^/]+/)?"
        f"regions/[a-z0-9-]+/subnetworks/)?{_NETWORK}$",
        examples=["lab-subnet", "regions/us-central1/subnetworks/lab-subnet"],
    )
    kms_key: str | None = setting(
        None,
        "A key of your own, in the jobs' region, that disks of jobs and models are encrypted with; "
        "the bucket's is set at the bucket.",
        pattern=r"^projects/[^/\s]+/locations/[a-z0-9-]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+$",
        examples=["projects/my-project-123/locations/us-central1/keyRings/lab/cryptoKeys/beampose"],
    )
    public_ips: bool = setting(True, "Whether workers have public addresses.")
    labels: Annotated[dict[str, str], BeforeValidator(_texts), AfterValidator(_labels)] = Field(
        default_factory=dict, description="Labels of jobs and models, as bills show them."
    )
    max_cost: Annotated[float, Field(ge=0), LIKE_A_NUMBER] | None = setting(
        None, "Refuse jobs whose estimate is above it, in the currency of the price table."
    )
    dataflow: Dataflow = Field(default_factory=Dataflow)
    vertex: Vertex = Field(default_factory=Vertex)

    @model_validator(mode="after")
    def _check(self) -> "Cloud":
        if self.vertex.tensorboard and not self.service_account:
            raise ValueError(
                "vertex.tensorboard needs a service_account, as which the job writes its curves: "
                "set it, or drop vertex.tensorboard."
            )
        board = re.fullmatch(_BOARD, self.vertex.tensorboard or "")
        if self.vertex.tensorboard and (board is None or board[1] != self.region):
            raise ValueError(
                "vertex.tensorboard must look like projects/123456789/locations/"
                f"{self.region}/tensorboards/987654321, of the jobs' region. Received: "
                f"{self.vertex.tensorboard!r}."
            )
        there = re.search("regions/([^/]+)/", self.subnetwork or "")
        if there and there[1] != self.region:
            raise ValueError(
                f"subnetwork is in {there[1]} and the jobs are in {self.region}: choose one of "
                f"{self.region}, or change region."
            )
        key = re.search("locations/([^/]+)/", self.kms_key or "")
        if key and key[1] != self.region:
            raise ValueError(
                f"kms_key is in {key[1]} and the jobs are in {self.region}, where a key of that "
                "region is needed: choose one, or change region."
            )
        for section in ("dataflow", "vertex"):
            gpu = getattr(self, section).accelerator
            if gpu and self.image.endswith(_WITHOUT_GPU):
                raise ValueError(
                    f"image {self.image} has no libraries of NVIDIA: the {gpu} of "
                    f"{section}.accelerator would be billed and not used. Take the image that ends "
                    f"in -gpu, or drop {section}.accelerator."
                )
        return self

    @property
    def encryption(self) -> dict[str, dict[str, str]]:
        """The part of a request to Vertex AI that names the key; empty without one."""
        return {"encryption_spec": {"kms_key_name": self.kms_key}} if self.kms_key else {}

    @property
    def root(self) -> str:
        return self.bucket.rstrip("/")


def load(path: str) -> Cloud:
    """Reads the settings.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not YAML, an unknown key, or a value that the services would refuse.
    """
    values = yaml_files.read(path, "file of cloud settings (as configs/cloud.yaml)")
    try:
        return from_dict(Cloud, values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def refusals(path: str) -> list[str]:
    """All for which `load` would raise, not only the first; none if there is nothing."""
    try:
        values = yaml_files.read(path, "file of cloud settings (as configs/cloud.yaml)")
    except (OSError, ValueError) as error:
        return [str(error)]
    return [f"{path}: {problem}" for problem in problems(Cloud, values)]


def is_stand_in(endpoint: str | None) -> bool:
    """Returns True if an endpoint is a service on this machine, which takes no credentials."""
    return endpoint is not None and endpoint.startswith(("http://localhost:", "http://127.0.0.1:"))
