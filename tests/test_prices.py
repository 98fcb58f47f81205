"""The price table: complete where a job may ask, and honest about each number."""

import datetime
import os
from pathlib import Path

import pytest
import yaml

from beampose.core import files
from beampose.pipelines import planning
from beampose.pipelines.cloud import cloud_settings, idle_costs, pricing

TABLE = yaml.safe_load(files.read_bytes(planning.PRICES_FILE))
SURE = {"page", "derived", "memory", "rule"}


def numbers(table, path=""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from numbers(value, f"{path}{key}.")
        elif isinstance(value, (int, float)):
            yield f"{path}{key}", value


PRICES = dict(numbers({k: v for k, v in TABLE.items() if k != "sources"}))


def test_every_number_has_a_source_and_every_source_a_number():
    used = set()
    for path, value in PRICES.items():
        assert value >= 0
        found = [key for key in TABLE["sources"] if path.startswith(key)]
        assert found, f"{path} has no source"
        used.add(max(found, key=len))
    assert used == TABLE["sources"].keys()
    assert {one["sure"] for one in TABLE["sources"].values()} == SURE
    assert isinstance(TABLE["date"], datetime.date)


def test_machines_and_accelerators_are_the_same_on_both_services():
    for name, shape in TABLE["dataflow"]["machines"].items():
        on_vertex = TABLE["vertex"]["machines"].get(name, shape)
        assert {key: on_vertex[key] for key in shape} == shape
    assert TABLE["dataflow"]["accelerators"].keys() == TABLE["vertex"]["accelerators"].keys()


@pytest.mark.parametrize("name", TABLE["vertex"]["machines"])
def test_a_training_hour_costs_about_what_its_processors_and_memory_do(name):
    machine = TABLE["vertex"]["machines"][name]
    # Compute Engine's n1 parts and the fee: no family is far from them without its accelerators.
    parts = 1.15 * (machine["vcpu"] * 0.0316 + machine["gb"] * 0.0042)
    assert 0.6 * parts < machine["hour"] < 1.1 * parts


def test_factors_lower_the_price():
    assert 0 < TABLE["dataflow"]["flexrs_factor"] < 1
    assert 0 < TABLE["vertex"]["spot_factor"] < 1


def test_the_plan_says_what_idles_and_what_an_upload_costs():
    table = planning.read_prices(planning.PRICES_FILE)
    found = planning.Plan(100, 0, 80, 20, 0, 10**10, True, 60.0, 600.0, None)
    idle, upload = idle_costs.lines(found, table)
    assert idle.startswith("idle          0.45 USD  a month, for 10.00 GB of features")
    assert "a job of 4 vCPU and 16 GB on Cloud Run" in upload
    cores = os.cpu_count() or 1
    seconds = 660 * cores / 4 + 120
    one = idle_costs.upload(found, table)
    assert one.hours * 3600 == pytest.approx(seconds)
    assert one.amount == pytest.approx(seconds * (4 * 0.000018 + 16 * 0.000002))
    del table["cloud_run"]
    assert idle_costs.lines(found, table) == [idle]


def simulated(step, monkeypatch, **dataflow):
    """Cost of the docs' million crops or 100,000 films, by figures of one core."""
    monkeypatch.setattr(pricing.os, "cpu_count", lambda: 1)
    nothing = planning.Plan(0, 0, 0, 0, 0, 0, True, 0.0, 60.0, None)
    crop, frame = 1 / 13, 0.028
    plans = {
        "features": nothing._replace(
            images=10**6, features_seconds=10**6 * (crop + 0.002), seconds_each=crop
        ),
        "predict": nothing._replace(
            frames=10**5 * 18_000,
            seconds_each=frame,
            pixels=640 * 480,
            videos=10**5,
            video_bytes=10**5 * 60_000_000,
        ),
    }
    most = 10 if step == "features" else 100
    cloud = cloud_settings.Cloud(
        project="my-project-1",
        region="us-central1",
        bucket="gs://lab-1",
        image="us-central1-docker.pkg.dev/p/r/i:1",
        dataflow=cloud_settings.Dataflow(max_workers=most, **dataflow),
    )
    return pricing.costs(plans[step], cloud, planning.read_prices(planning.PRICES_FILE))[step]


@pytest.mark.parametrize(
    ("row", "dataflow"),
    [
        ("n1-standard-4", {"machine_type": "n1-standard-4"}),
        ("the same with `flexrs`", {"machine_type": "n1-standard-4", "flexrs": True}),
        (
            "n1-standard-4 with a T4",
            {"machine_type": "n1-standard-4", "accelerator": "NVIDIA_TESLA_T4"},
        ),
        ("g2-standard-8 with an L4", {"machine_type": "g2-standard-8", "accelerator": "NVIDIA_L4"}),
    ],
)
def test_the_simulation_in_the_docs_is_what_the_tool_computes(row, dataflow, monkeypatch):
    page = (Path(__file__).parent.parent / "docs/cloud.md").read_text(encoding="utf-8")
    crops, films = (simulated(s, monkeypatch, **dataflow) for s in ("features", "predict"))
    cells = f"{crops.hours:.1f} | {crops.amount:.0f} | {films.hours:.1f} | {films.amount:,.0f} |"
    assert f"| {row} | {cells} {round(films.requests / 1e6)} million" in page
