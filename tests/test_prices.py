"""The price table: complete where a job may ask, and honest about each number."""

import datetime
import os

import pytest
import yaml

from beampose.core import files
from beampose.pipelines import planning
from beampose.pipelines.cloud import idle_costs

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
