import shutil

import pytest

from beampose.core import made_here


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv(made_here.HOME, str(tmp_path / "home"))
    folder = tmp_path / "saved_model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables/variables.data").write_bytes(b"weights")
    return folder


def test_a_model_made_here_is_known_wherever_it_moves(model, tmp_path):
    assert not made_here.knows(model)
    made_here.remember(model)
    made_here.remember(model)
    assert made_here.knows(shutil.copytree(model, tmp_path / "elsewhere"))
    assert len((tmp_path / "home/models").read_text().split()) == 1


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.data", "assets.txt"])
def test_a_model_that_was_changed_is_a_strangers(model, name):
    made_here.remember(model)
    (model / name).write_bytes(b"another")
    assert not made_here.knows(model)


def test_without_a_home_nothing_is_known_and_nothing_fails(model, monkeypatch):
    monkeypatch.setenv(made_here.HOME, "/dev/null/nowhere")
    made_here.remember(model)
    assert not made_here.knows(model)
