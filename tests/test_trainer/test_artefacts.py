"""Paths and bucket addresses alike, against a Cloud Storage of our own that gcsfs talks to."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from beampose.core import artefacts, disk, storage
from beampose.core.infos import AuditInfo, DatasetInfo


@pytest.fixture(params=["disk", "bucket"])
def folder(request, tmp_path, buckets):
    return str(tmp_path) if request.param == "disk" else "gs://lab/runs"


def test_a_folder_is_whole_only_once_it_was_completed(folder):
    with pytest.raises(FileNotFoundError, match="does not exist. Run `beampose features` first"):
        artefacts.require(f"{folder}/dataset", DatasetInfo)
    artefacts.begin(f"{folder}/dataset")
    storage.write_json(f"{folder}/dataset/other.json", 1)
    with pytest.raises(FileNotFoundError, match="was not finished"):
        artefacts.require(f"{folder}/dataset", DatasetInfo)
    artefacts.complete(f"{folder}/dataset", AuditInfo(suspicious=1, labels=2))
    assert artefacts.require(f"{folder}/dataset", AuditInfo).labels == 2


def test_a_file_that_fails_half_way_leaves_the_old_one(folder):
    storage.write_text(f"{folder}/file.txt", "old")
    with (
        pytest.raises(RuntimeError, match="half way"),
        storage.replacing(f"{folder}/file.txt") as temporary,
    ):
        temporary.write_text("ne")
        raise RuntimeError("half way")
    assert storage.place(folder, "file.txt").read_text() == "old"
    assert [path.name for path in storage.place(folder).iterdir()] == ["file.txt"]


def test_a_folder_takes_the_place_of_another(folder):
    for name in ("old", "new"):
        with storage.replacing_folder(f"{folder}/model") as temporary:
            (temporary / "variables").mkdir()
            (temporary / "variables" / name).write_bytes(bytes(3_000_000))
    with storage.local(f"{folder}/model") as copy:
        found = [path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()]
        assert found == ["variables/new"]
        assert (copy / "variables" / "new").stat().st_size == 3_000_000
    storage.remove(f"{folder}/model")
    storage.remove(f"{folder}/model")
    assert not storage.place(folder, "model").exists()


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
@pytest.mark.parametrize("mask", [0o077, 0o002, 0o022])
def test_files_and_folders_have_the_rights_that_their_user_chose(tmp_path, mask):
    before = os.umask(mask)
    disk._umask.cache_clear()
    try:
        storage.write_text(tmp_path / "file", "")
        with storage.replacing_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
        disk._umask.cache_clear()
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~mask


def test_hidden_files_of_killed_writers_are_no_files_of_the_folder(folder):
    for name in ("b.json", "a.json", ".c.json", "d.txt"):
        storage.write_text(f"{folder}/shards/{name}", "{}")
    found = storage.whole(f"{folder}/shards", "*.json")
    assert [path.name for path in found] == ["a.json", "b.json"]
    assert storage.whole(f"{folder}/nothing", "*.json") == []


def test_a_bucket_that_is_not_there_is_an_error_that_names_it(buckets):
    with pytest.raises(OSError, match="nowhere"):
        storage.write_text("gs://nowhere/file.txt", "text")


def test_of_many_who_create_a_file_one_does(folder):
    with ThreadPoolExecutor(8) as threads:
        created = list(
            threads.map(
                lambda i: storage.create_text(f"{folder}/claims/1.json", f"mine {i}"), range(8)
            )
        )
    assert created.count(True) == 1
    winner = created.index(True)
    assert storage.place(folder, "claims/1.json").read_text() == f"mine {winner}"
