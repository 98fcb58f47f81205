"""The JSON schema of settings files, and the page of the docs that lists all settings."""

import json
import runpy
from pathlib import Path

import jsonschema
import pytest

from beampose.core import yaml_files
from beampose.core.settings import messages, reference
from beampose.core.settings.experiment import Config
from beampose.pipelines import cli
from beampose.pipelines.cloud.cloud_settings import Cloud
from beampose.pipelines.search_spec import Spec

ROOT = Path(__file__).parents[2]
KINDS = {"cloud.yaml": Cloud, "search.yaml": Spec}
FILES = sorted(f for f in (ROOT / "configs").glob("*.yaml") if f.name != "prices.yaml")


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_the_shipped_configs_are_valid_by_the_schema(file):
    schema = reference.schema(KINDS.get(file.name, Config))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml_files.read(file, "config"), schema)


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("train", {"steps": 0}),
        ("train", {"stepz": 3}),
        ("split", {"by": "vidio"}),
        ("split", {"test": 1.5}),
        ("boxes", {"pad": 3}),
        ("predict", {"crop": [1, 2, 3]}),
    ],
)
def test_the_schema_refuses_what_the_command_refuses(section, values):
    whole = {"task": "pose", "source": {"format": "coco", "path": "x"}, "output": "o"}
    jsonschema.validate(whole, reference.schema(Config))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**whole, section: values}, reference.schema(Config))


def test_every_setting_has_a_sentence_and_says_what_it_takes():
    for kind in (Config, Cloud, Spec):
        schema = kind.model_json_schema()
        for section in (schema, *schema.get("$defs", {}).values()):
            for key, one in section["properties"].items():
                assert "$ref" in one or one["description"].endswith("."), key
                assert "$ref" in one or messages.expected(one) != "a value", key


def test_the_page_of_all_settings_is_up_to_date():
    text = runpy.run_path(str(ROOT / "scripts/settings_reference"))["text"]()
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert page == text, "Run scripts/settings_reference."


def test_the_schema_is_printed_or_written(tmp_path, capsys):
    assert cli.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["train"]
    assert cli.main(["schema", "--cloud", "--to", str(tmp_path / "cloud.json")]) == 0
    assert "bucket" in json.loads((tmp_path / "cloud.json").read_text())["required"]
