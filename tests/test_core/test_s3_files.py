"""Questions to S3 that it refuses, or does not answer."""

import pytest
import s3fs
from botocore import exceptions

from beampose.core import files, storage

FILE = "s3://lab/out/COMPLETED"


@pytest.fixture
def answer(monkeypatch):
    """Sets what each call of S3 raises."""

    def set_to(error):
        async def call(*_, **__):
            raise error

        monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)

    return set_to


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.NoCredentialsError(), "run `aws configure`"),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), "try it again later"),
        (PermissionError("Forbidden"), "Forbidden"),
        (OSError(5, "Slow down"), "Slow down"),
    ],
)
def test_a_file_that_cannot_be_asked_for_is_not_taken_for_missing(answer, error, said):
    place = storage.place(FILE)
    answer(error)
    for ask in (place.is_file, place.is_dir, place.exists, place.read_bytes):
        with pytest.raises(OSError, match=said) as raised:
            ask()
        assert "s3://lab/out" in files.why(raised.value)
    for ask in (files.exists, files.is_folder, files.read_bytes):
        with pytest.raises(OSError, match=said):
            ask(FILE)


def test_a_bucket_that_is_not_there_holds_no_file(answer):
    answer(FileNotFoundError("The specified bucket does not exist"))
    assert not storage.place(FILE).is_file() and not files.exists(FILE)
    with pytest.raises(FileNotFoundError, match=f"{FILE}: The specified bucket"):
        files.read_bytes(FILE)


def test_listings_are_not_from_memory():
    found, _ = files.system(FILE)
    assert found.dircache.use_listings_cache is False
