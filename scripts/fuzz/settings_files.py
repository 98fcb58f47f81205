"""Readers of settings, searches and prices, and of what arrives by the network."""

from pathlib import Path

import fakes  # pyright: ignore[reportMissingImports]
from reader import Reader, as_json, as_yaml

from beampose.core import yaml_files
from beampose.core.settings import experiment
from beampose.pipelines import planning, search_spec
from beampose.pipelines.cloud import cloud_settings, event_service, upload_recipe, upload_run

EXPERIMENT = {"task": "pose", "source": {"format": "deeplabcut", "path": "p"}, "output": "o"}
SPEC = {"trials": 3, "parameters": {"train.steps": {"values": [1, 2]}}}
CLOUD = {"project": "my-lab-123", "region": "us-central1", "bucket": "gs://lab"}
EVENT = {"bucket": "lab", "name": "incoming/a.zip", "generation": "1"}
HEADERS = {"ce-type": event_service.FINALIZED, "ce-id": "1", "ce-specversion": "1.0",
           "ce-source": "x", "Content-Type": "application/json"}  # fmt: skip


def _answers(path: Path) -> None:
    """A request as bytes of HTTP, to the event service itself."""
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    told = {name.decode("latin-1"): value.decode("latin-1") for name, _, value in lines}
    service = event_service.Service(upload_run.Settings(), bucket="nobody")
    answer = service.answer(told, body)
    if answer.status >= 500:
        raise AssertionError(answer)


def readers(folder: Path) -> dict[str, Reader]:
    """Readers by name; see `readers.readers`."""
    fakes.project(folder / "settings")
    config = (folder / "settings/config.yaml").read_bytes()
    own = b"train: {steps: 5, seed: 1}\nfeatures: {copies: 2}\n"
    prices = Path(planning.PRICES_FILE).read_bytes()
    http = b"\r\n".join(f"{name}: {value}".encode() for name, value in HEADERS.items())
    request = b"POST / HTTP/1.1\r\n" + http + b"\r\n\r\n" + as_json(EVENT)
    return {
        "experiment": Reader("a.yaml", [as_yaml(EXPERIMENT)], lambda p: experiment.load(p)),
        "own settings": Reader("beampose.yaml", [own], lambda p: upload_recipe._own(p, {})),
        "yaml": Reader("a.yaml", [config], lambda p: yaml_files.read(p, "file")),
        "spec": Reader("a.yaml", [as_yaml(SPEC)], lambda p: search_spec.read(str(p))),
        "prices": Reader("a.yaml", [prices], lambda p: planning.read_prices(str(p))),
        "cloud": Reader("cloud.yaml", [as_yaml(CLOUD)], lambda p: cloud_settings.load(str(p))),
        "event": Reader(
            "a.json", [as_json(EVENT)], lambda p: event_service.parse(HEADERS, p.read_bytes())
        ),
        "http": Reader("a", [request], _answers),
    }
