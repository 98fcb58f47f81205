"""Questions to a bucket that refuses, or does not answer."""

import logging

import pytest
from cloud.server import error
from fsspec import config
from google.auth import exceptions

from beampose.core import bucket_files, files, storage
from beampose.core import buckets as addresses

# isort: split
import gcsfs
from gcsfs import retry

PAYS = "Bucket is a requester pays bucket but no user project provided."


def test_a_file_that_may_not_be_asked_for_is_not_taken_for_missing(buckets):
    buckets.put("gs://lab/out/COMPLETED", b"")
    place = storage.place("gs://lab/out/COMPLETED")
    assert place.is_file() and not storage.place("gs://lab/out/INFO").is_file()
    assert files.is_folder("gs://lab/out") and not files.exists("gs://none/out")
    for refusal, what in [
        (error(403, "FORBIDDEN", "no access"), "Forbidden: gs://lab.*: no access"),
        (error(400, "required", PAYS), "gs://lab/out/COMPLETED: whoever reads this bucket pays"),
    ]:
        buckets.refusal = refusal
        for ask in (place.is_file, place.is_dir, place.exists, place.read_bytes):
            with pytest.raises(OSError, match=what):
                ask()
        for ask in (files.exists, files.is_folder, files.read_bytes):
            with pytest.raises(OSError, match=what):
                ask(str(place))


def test_a_bucket_that_its_readers_pay_for_is_read_at_the_cost_of_a_project(buckets, monkeypatch):
    # What fsspec makes of FSSPEC_GS_REQUESTER_PAYS.
    monkeypatch.setitem(config.conf, "gs", {**config.conf["gs"], "requester_pays": "my-project"})
    buckets.put("gs://lab/a.txt", b"a")
    assert storage.place("gs://lab/a.txt").is_file() and files.read_bytes("gs://lab/a.txt") == b"a"
    assert {one.query["userProject"] for one in buckets.server.requests} == {"my-project"}


def test_errors_of_googles_libraries_are_sentences():
    refused = retry.HttpError({"code": 401, "message": "Invalid Credentials"})
    for cause in (exceptions.RefreshError("Reauthentication is needed"), refused):
        assert "gcloud auth application-default login" in bucket_files.sentence(cause)
    down = retry.HttpError({"code": 503, "message": "Service Unavailable"})
    assert "try it again later" in bucket_files.sentence(down)
    assert bucket_files.sentence(FileNotFoundError("gs://lab/a")) == ""
    # By these gcsfs knows the end of a file.
    assert bucket_files.sentence(retry.HttpError({"code": 416, "message": "no range"})) == ""


def test_a_folder_that_was_made_in_the_console_holds_no_folder_of_its_name(buckets):
    for name in ("videos/", "videos/a.mp4", "videos/day/", "videos/day/b.mp4"):
        buckets.put(f"gs://lab/{name}", b"")
    for folder in ("gs://lab/videos", "gs://lab/videos/"):
        found = ["gs://lab/videos/a.mp4", "gs://lab/videos/day"]
        assert files.children(folder) == found
        assert files.listed(folder) == [(found[0], False), (found[1], True)]
        assert storage.names(folder) == {"a.mp4", "day"}


@pytest.mark.parametrize("name", ["cam [1]", "cam*", "cam?", "cam #1", "cam%231", "{a,b}", "~cam"])
def test_names_of_a_bucket_stand_for_themselves(buckets, name, tmp_path):
    """Patterns and generations to gcsfs: the claims of an upload were not seen, and `cam*` took
    other folders away with itself."""
    folder, other = f"gs://lab/models/{name}", "gs://lab/models/cam [1] and more"
    for one in (folder, other):
        storage.write_text(f"{one}/claims/0001.json", "{}")
        storage.write_text(f"{one}/COMPLETED", "")
    assert storage.names(folder) == {"claims", "COMPLETED"}
    assert [one.name for one in storage.whole(f"{folder}/claims", "*.json")] == ["0001.json"]
    assert [str(one) for one in storage.whole_below(folder, "*.json")] == [
        f"{folder}/claims/0001.json"
    ]
    assert list(storage.read_all(f"{folder}/claims", ["0001.json"])) == [b"{}"]
    storage.download(folder, tmp_path / "copy")
    assert {one.name for one in (tmp_path / "copy").iterdir()} == {"claims", "COMPLETED"}
    storage.remove(folder)
    assert storage.names(folder) == set()
    assert storage.names(other) == {"claims", "COMPLETED"}


def test_errors_of_a_bucket_are_told_once_and_without_a_traceback(buckets, caplog):
    with pytest.raises(FileNotFoundError):
        files.read_bytes("gs://lab/none")
    assert not logging.getLogger("gcsfs").isEnabledFor(logging.ERROR)
    assert not caplog.records


def test_without_credentials_it_says_how_to_get_some(monkeypatch):
    def nobody(*_, **__):
        raise exceptions.DefaultCredentialsError("Your default credentials were not found.")

    monkeypatch.setattr(gcsfs.core, "GoogleCredentials", nobody)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(
        OSError, match="gcloud auth application-default login.*FSSPEC_GS_TOKEN=anon"
    ):
        bucket_files.Bucket(skip_instance_cache=True)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/keys/lab.json")
    with pytest.raises(OSError, match="names /keys/lab.json, which holds no usable credentials"):
        bucket_files.Bucket(skip_instance_cache=True)


@pytest.mark.parametrize("opens", [storage.place, files.exists, files.read_bytes])
def test_an_address_that_nothing_opens_is_told_with_what_would(opens, monkeypatch):
    with pytest.raises(ValueError, match="foo://a/b: there is no storage of the name 'foo'"):
        opens("foo://a/b")
    addresses._lack.cache_clear()
    monkeypatch.setitem(addresses._PACKAGES, "az", "no_such_package")
    with pytest.raises(ValueError, match="az://a/b: .* pip install no_such_package"):
        opens("az://a/b")
    addresses._lack.cache_clear()
