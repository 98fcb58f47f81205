import fakes
import pytest


@pytest.fixture
def root(tmp_path):
    return fakes.project(tmp_path / "reach-Ann")
