"""The README is true: its configs load, its verbs exist, its Python runs."""

import re
from pathlib import Path

import numpy as np
import pytest

from beampose.core.settings import experiment
from beampose.pipelines import cli, verbs

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_its_configs_load(tmp_path):
    found = blocks("yaml")
    assert len(found) == 2
    for text in found:
        (tmp_path / "my.yaml").write_text(text)
        assert experiment.load(tmp_path / "my.yaml").output.startswith(tmp_path.as_posix())


OTHERS = {"cloud.yaml", "search.yaml"}
EXPERIMENTS = sorted(f for f in (ROOT / "configs").glob("*.yaml") if f.name not in OTHERS)


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda f: f.name)
def test_the_shipped_configs_load_and_say_how_to_run_them(file):
    experiment.load(file)
    assert "beampose run " in file.read_text(encoding="utf-8")


def test_its_commands_are_understood():
    lines = [line.split("#")[0].split() for block in blocks("bash") for line in block.splitlines()]
    for words in lines:
        if words and words[0] == "beampose":
            assert cli.parser().parse_args(words[1:]).verb in verbs.VERBS
        elif words and words[0].startswith("./"):
            assert (ROOT / words[0]).stat().st_mode & 0o111


def test_its_python_runs_on_a_trained_model(trained, tmp_path, monkeypatch):
    (code,) = blocks("python")
    (tmp_path / "runs/mouse").mkdir(parents=True)
    (tmp_path / "runs/mouse/model").symlink_to(trained["pose"].model)
    monkeypatch.chdir(tmp_path)
    names = {"frames": np.zeros((2, 40, 60, 3), np.uint8)}
    exec(code, names)
    assert names["found"].keypoints.shape == (2, 1, 3, 2)
