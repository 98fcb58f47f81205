"""The notebooks run from top to bottom, and what they show is what they give."""

import ast
import json
import runpy
from importlib import util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
NEEDED = pytest.mark.skipif(util.find_spec("nbclient") is None, reason="needs beampose[docs]")


def cells(file, kind="code"):
    found = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return [one for one in found if one["cell_type"] == kind]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_notebook_begins_with_pip_is_valid_and_is_kept_with_its_outputs(file):
    code = cells(file)
    assert "".join(code[0]["source"]).startswith("%pip install -q 'beampose[all]'")
    for cell in code[1:]:
        ast.parse("".join(cell["source"]))
    assert sum(bool(cell["outputs"]) for cell in code) >= 4
    assert not [one for cell in code for one in cell["outputs"] if one["output_type"] == "error"]
    assert file.stat().st_size < 200_000


@pytest.mark.slow
@NEEDED
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_notebook_runs_from_top_to_bottom(file, tmp_path):
    executed = runpy.run_path(str(ROOT / "scripts/notebooks"))["executed"]
    found = executed(file, str(tmp_path))
    assert [one.source for one in found.cells if one.cell_type == "code"] == [
        "".join(cell["source"]) for cell in cells(file)
    ]
    assert sum(bool(one.outputs) for one in found.cells if one.cell_type == "code") >= 4
