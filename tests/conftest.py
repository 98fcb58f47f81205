"""Fixtures of all tests."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud.storage import Storage

from beampose.core import leftovers

# Storage that is not there would be asked for at Google's, and credentials at a metadata server.
os.environ["STORAGE_EMULATOR_HOST"] = "http://localhost:1"
os.environ["NO_GCE_CHECK"] = "true"
# What libraries leave in the temporary folder goes with the tests; pytest keeps its own beside it.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
_SCRATCH = leftovers.own_folder()
_SCRATCH.__enter__()
# Models that tests make are not noted in anybody's home.
os.environ.setdefault("BEAMPOSE_HOME", tempfile.gettempdir() + "/home")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real projects, crops and videos, which are not part of the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    return folder


@pytest.fixture
def buckets(monkeypatch) -> Iterator[Storage]:
    """Cloud Storage with the empty buckets `lab` and `other`, for this process and its children."""
    from upath import UPath

    fake = Storage("lab", "other")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake.url)
    # File systems are kept by their arguments, and so would be the last fake's.
    UPath("gs://lab").fs.clear_instance_cache()
    yield fake
    UPath("gs://lab").fs.clear_instance_cache()
    fake.close()


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Asks Cloud Storage again at once, and tells of it the first time."""
    from beampose.core import bucket_files

    monkeypatch.setattr(bucket_files, "_WAIT", 0.0)
    monkeypatch.setattr(bucket_files, "_told", -1e9)
