"""What the system refuses is named, and before the work where it can be known."""

import errno
import os
from pathlib import Path

import pytest

from beampose.core import disk, files, storage


@pytest.fixture
def denied(monkeypatch):
    """A folder in which nothing may be written, also by root."""
    real = os.access

    def access(path, mode, **options):
        return real(path, mode, **options) and not (mode & os.W_OK and "shut" in str(path))

    monkeypatch.setattr(os, "access", access)


def test_a_folder_that_is_not_there_is_judged_by_the_one_above(tmp_path, denied):
    (tmp_path / "shut").mkdir()
    disk.check_writable(tmp_path / "new" / "deeper")
    with pytest.raises(PermissionError) as found:
        storage.check_writable(tmp_path / "new", str(tmp_path / "shut" / "new" / "deeper"))
    assert files.why(found.value) == (
        f"{tmp_path}/shut/new/deeper: Permission denied: choose a writable folder, or change its "
        "permissions"
    )


def test_a_file_where_a_folder_is_to_be_made_is_named(tmp_path):
    (tmp_path / "out").write_text("x")
    for folder in ("out", "out/store"):
        for check in (storage.check_folder, storage.check_writable):
            with pytest.raises(OSError, match=r"out is a file, where a folder is to be made"):
                check(str(tmp_path / folder))
    storage.check_folder(str(tmp_path / "new/deeper"))


def test_what_cannot_be_read_is_not_called_unwritable(tmp_path, monkeypatch):
    (tmp_path / "a.csv").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.R_OK)
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "a.csv"))
    assert files.why(error).endswith("it cannot be read: change its permissions")


def test_a_folder_that_went_away_under_a_command_is_said(tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")
    (tmp_path / "scratch").rmdir()
    with pytest.raises(FileNotFoundError) as found:
        os.path.abspath("my.yaml")
    assert files.why(found.value) == (
        "the folder that this runs in was removed: change to one that is there, with cd"
    )
    monkeypatch.undo()
    assert files.why(found.value).startswith("[Errno")


def test_temporary_names_are_not_told_where_the_path_is_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hidden = str(Path("a/.b-123.json").absolute())
    with pytest.raises(OSError, match="a/b.json"), disk.naming("a/b.json", "a/.b-"):
        raise PermissionError(errno.EACCES, "Permission denied", hidden)


def test_of_a_copy_onto_a_full_disk_the_copy_is_named(tmp_path):
    error = OSError(errno.ENOSPC, "No space left on device", "/tmp/x/model.onnx", None, "to/m.onnx")
    assert files.why(error).startswith("to/m.onnx: No space left on device: make room")
    made = tmp_path / ".onnx-1/model.onnx"
    with pytest.raises(OSError, match="out/onnx"), disk.naming("out/onnx", tmp_path / ".onnx-"):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x/m.onnx", None, str(made))


def test_words_of_a_library_on_permissions_name_the_file():
    with pytest.raises(PermissionError, match="run/logs"), disk.naming("run/logs", "x"):
        raise RuntimeError("function_node: x; Permission denied [Op:Writer]")


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.json").touch()
    assert [path.name for path in storage.whole_below(tmp_path, "*.json")] == ["b.json"]
    assert storage.whole_below(tmp_path / "none", "*.json") == []

    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(PermissionError):
        storage.whole_below(tmp_path, "*.json")
