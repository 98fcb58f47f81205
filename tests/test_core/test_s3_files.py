"""Questions to S3 that it refuses, or does not answer."""

import pytest
import s3fs
from botocore import exceptions

from beampose.core import files, storage, yaml_files
from beampose.core.answering import Unanswered

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


@pytest.mark.parametrize(
    "error", [PermissionError("AccessDenied"), OSError(5, "down"), TimeoutError("late")]
)
def test_what_is_refused_or_not_answered_is_told_from_a_broken_file(answer, error):
    answer(error)
    with pytest.raises(Unanswered, match=f"^{FILE}: ") as raised:
        files.read_bytes(FILE)
    assert isinstance(raised.value, PermissionError) == isinstance(error, PermissionError)


def test_a_web_page_is_no_answer_of_s3(monkeypatch):
    async def call(*_, **__):
        return {"ResponseMetadata": {"HTTPHeaders": {"content-type": "text/html; charset=utf-8"}}}

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)
    with pytest.raises(Unanswered, match=f"{FILE}: S3 answered with a web page"):
        files.read_bytes(FILE)


def test_a_config_in_a_bucket_that_is_not_there_names_the_bucket(answer):
    answer(FileNotFoundError("NoSuchBucket"))
    with pytest.raises(FileNotFoundError, match="There is no bucket s3://lab, or this account"):
        yaml_files.read(FILE, "config file")
