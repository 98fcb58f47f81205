"""The price table: complete where a job may ask, and honest about each number."""

import datetime

import pytest
import yaml

from beampose.core import files
from beampose.pipelines import planning

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
