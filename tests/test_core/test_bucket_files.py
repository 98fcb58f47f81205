"""Questions to a bucket that refuses, or does not answer."""

import logging

import pytest
from cloud.server import PAGE, Answer, error
from fsspec import config
from google.auth import exceptions

from beampose.core import bucket_files, files, storage, yaml_files
from beampose.core import buckets as addresses
from beampose.core.answering import Unanswered

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


def test_what_is_down_is_told_while_it_is_tried_and_refused_credentials_are_tried_twice(
    buckets, impatient, caplog
):
    for code, tries in ((503, 6), (401, 2)):
        buckets.refusal = error(code, "X", "Invalid Credentials")
        before = len(buckets.server.requests)
        with pytest.raises(Unanswered):
            files.read_bytes("gs://lab/a")
        assert len(buckets.server.requests) - before == tries
    (record,) = caplog.records
    assert "NOTE gs://lab/a: " in record.getMessage() and "tried again" in record.getMessage()


def test_a_bucket_or_an_object_that_is_not_there_is_named(buckets, monkeypatch):
    for ask in (
        lambda: storage.write_text("gs://none/a", "a"),
        lambda: files.children("gs://none/a"),
        lambda: yaml_files.read("gs://none/a.yaml", "config file"),
    ):
        with pytest.raises(FileNotFoundError, match="There is no bucket gs://none, or this acc"):
            ask()
    with pytest.raises(FileNotFoundError, match="^gs://lab/a b is not there, or not any more"):
        files.read_bytes("gs://lab/a b")
    with pytest.raises(FileNotFoundError, match="^No config file gs://lab/a.yaml.$"):
        yaml_files.read("gs://lab/a.yaml", "config file")
    changed = error(412, "X", "another generation")
    monkeypatch.setattr(buckets, "_put_if", lambda *_: changed)
    with pytest.raises(FileExistsError, match="^gs://lab/a was changed .* meanwhile: run it again"):
        storage.write_text("gs://lab/a", "a")


def test_what_is_refused_is_named_with_the_role_that_allows_it(buckets):
    buckets.refusal = error(403, "X", "no way")
    for ask, what in (
        (lambda: storage.write_text("gs://lab/out/a", "a"), "gs://lab/out/a: no way; .* written"),
        (lambda: files.children("gs://lab/out"), "gs://lab/out: no way; .* listed"),
        (lambda: files.read_bytes("gs://lab/out/a"), "gs://lab/out/a: no way; .* read"),
    ):
        with pytest.raises(PermissionError, match=f"{what}: .* roles/storage.objectUser"):
            ask()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PAGE, "a web page"),
        (Answer(b""), "nothing"),
        (Answer(b'{"items": ["'), "something that cannot be read"),
        (Answer(bytes(40)), "something that cannot be read"),
    ],
)
def test_an_answer_that_is_none_is_told_with_the_address(buckets, answer, said):
    buckets.refusal = answer
    for ask in (
        lambda: files.children("gs://lab/out"),
        lambda: storage.write_text("gs://lab/out", "a"),
    ):
        with pytest.raises(Unanswered, match=f"^gs://lab/out: .* answered with {said}: does this"):
            ask()


def test_a_web_page_that_a_bucket_keeps_is_read(buckets, monkeypatch):
    buckets.put("gs://lab/report.html", b"<html>")
    whole = buckets._media

    def kept(*words):
        answer = whole(*words)
        return answer._replace(headers={**answer.headers, "Content-Type": "text/html"})

    monkeypatch.setattr(buckets, "_media", kept)
    assert files.read_bytes("gs://lab/report.html") == b"<html>"


def test_an_address_that_lost_a_slash_is_told_so():
    with pytest.raises(ValueError, match="^gs:/lab/a.yaml: a slash is .* gs://lab/a.yaml$"):
        storage.place("gs:/lab/a.yaml")


def test_libraries_say_nothing_of_errors_that_are_told_anyway():
    assert not logging.getLogger("fsspec.prefetcher").isEnabledFor(logging.ERROR)
