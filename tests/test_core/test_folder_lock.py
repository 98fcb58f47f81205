"""One run at a time writes to a folder, on disks that know locks, on others, and in buckets."""

import datetime
import errno
import json
import os
import stat
import threading
import time

import pytest

from beampose.core import folder_lock, leftovers, storage
from beampose.core.writing_lock import WritingLock

FOLDER = "memory://lab/out"


def claim(by: str, renewed: float) -> None:
    storage.write_text(f"{FOLDER}/{folder_lock.FILE}", json.dumps({"by": by, "renewed": renewed}))


@pytest.fixture(autouse=True)
def empty():
    yield
    storage.remove(FOLDER)


def test_a_step_of_a_run_may_ask_again_and_another_thread_may_not(tmp_path):
    refused: list[str] = []

    def other() -> None:
        try:
            with folder_lock.experiment(str(tmp_path)):
                pass
        except OSError as error:
            refused.append(str(error))

    with folder_lock.experiment(str(tmp_path)), folder_lock.experiment(f"{tmp_path}/"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused == [
        f"Another run is writing to {tmp_path}. Wait until it has ended, or give this one another "
        "`output`."
    ]
    with folder_lock.experiment(str(tmp_path)):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_locks_is_said_and_used(tmp_path, monkeypatch, caplog, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    # Windows has other locks.
    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", refuse)
    with folder_lock.held(str(tmp_path)):
        pass
    if code != errno.ENOSYS:  # filelock may know a way without.
        assert "has no locks: start no second run there" in caplog.text
    lock = WritingLock(str(tmp_path))
    assert not lock.why
    lock.require()
    lock.release()


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_the_file_of_a_lock_can_be_taken_by_a_colleague(tmp_path):
    with folder_lock.held(str(tmp_path)):
        pass
    assert stat.S_IMODE((tmp_path / folder_lock.FILE).stat().st_mode) == 0o666


def test_a_claim_of_a_process_of_this_machine_that_has_ended_is_void_at_once():
    ended = f"{leftovers.own_mark().partition(' ')[0]} 999999999"
    claim(f"{ended} 1", time.time())
    with folder_lock.held(FOLDER):
        pass
    claim(f"{leftovers.own_mark()} 1", time.time())
    with pytest.raises(OSError, match="Another run is writing"), folder_lock.held(FOLDER):
        pass


def test_a_patient_run_waits_for_a_claim_that_nobody_renews(monkeypatch):
    monkeypatch.setattr(folder_lock, "_LOOK", 0.01)
    monkeypatch.setattr(folder_lock, "VOID_AFTER", 0.1)
    claim("machine 1 1", time.time())
    with folder_lock.held(FOLDER, patient=True):
        pass
    assert not storage.place(FOLDER, folder_lock.FILE).exists()


def test_a_patient_run_is_refused_as_soon_as_a_claim_is_renewed(monkeypatch):
    began = time.time()
    claim("machine 1 1", began)
    monkeypatch.setattr(time, "sleep", lambda _: claim("machine 1 1", began + 1))
    with (
        pytest.raises(OSError, match="Another run is writing"),
        folder_lock.held(FOLDER, patient=True),
    ):
        pass


def test_a_patient_run_goes_on_when_the_other_one_ends_meanwhile(monkeypatch):
    claim("machine 1 1", time.time())
    monkeypatch.setattr(time, "sleep", lambda _: storage.remove(f"{FOLDER}/{folder_lock.FILE}"))
    with folder_lock.held(FOLDER, patient=True):
        pass


def written_before(seconds: float) -> None:
    """Makes the claim so old by the storage's clock."""
    place = storage.place(FOLDER, folder_lock.FILE)
    found = place.fs.store[place.path]
    found.modified -= datetime.timedelta(seconds=seconds)


@pytest.mark.parametrize("wrong", [-40_000.0, -400.0, 0.0, 4_000.0])
def test_a_claim_is_as_old_as_the_bucket_says_whatever_a_computers_clock_says(wrong):
    claim("otherhost 123 456", time.time() + wrong)
    with pytest.raises(OSError, match="Another run is writing"), folder_lock.held(FOLDER):
        pass
    written_before(250)
    with pytest.raises(OSError, match="Another run is writing"), folder_lock.held(FOLDER):
        pass
    written_before(60)
    with folder_lock.held(FOLDER):
        pass
    assert storage.names(FOLDER) == set()


def test_a_storage_without_times_is_watched_for_a_change(monkeypatch):
    def none(*_):
        raise NotImplementedError

    place = storage.place(FOLDER, folder_lock.FILE)
    monkeypatch.setattr(type(place.fs), "modified", none)
    monkeypatch.setattr(folder_lock, "VOID_AFTER", 0.05)
    monkeypatch.setattr(folder_lock, "_LOOK", 0.01)
    claim("machine 1 1", time.time() - 400)
    with folder_lock.held(FOLDER):
        pass
    claim("machine 1 1", time.time() - 400)
    monkeypatch.setattr(time, "sleep", lambda _: claim("machine 1 1", time.time() - 399))
    with pytest.raises(OSError, match="Another run is writing"), folder_lock.held(FOLDER):
        pass


@pytest.mark.parametrize("text", ["<html>Please sign in</html>", "", '{"by": 1}', "[]"])
def test_a_claim_that_cannot_be_read_is_not_void(text):
    file = storage.place(FOLDER, folder_lock.FILE)
    storage.write_text(file, text)
    written_before(10_000)
    for patient in (False, True):
        with (
            pytest.raises(OSError, match="may be writing .* free the folder with removing memory:"),
            folder_lock.held(FOLDER, patient=patient),
        ):
            pass
    assert file.read_text() == text


def test_a_run_that_cannot_read_the_claim_does_not_renew_that_of_another():
    file = storage.place(FOLDER, folder_lock.FILE)
    storage.write_text(file, "<html>")
    with pytest.raises(ValueError, match="is a web page"):
        folder_lock._renew(file, "me")


def test_a_claim_that_cannot_be_released_does_not_lose_the_work(caplog):
    caplog.set_level("INFO")
    with folder_lock.held(FOLDER):
        storage.write_text(storage.place(FOLDER, folder_lock.FILE), "<html>")
    assert "could not be released" in caplog.text


def test_the_sentence_says_how_to_free_a_folder_of_a_bucket(buckets):
    buckets.put(f"gs://lab/out/{folder_lock.FILE}", b"<html>")
    with (
        pytest.raises(OSError, match="`gcloud storage rm gs://lab/out/.running`"),
        folder_lock.held("gs://lab/out"),
    ):
        pass
