"""What stands where a file is not whole is named, with how to fetch the file."""

import errno
import os

import pytest

from beampose.core import files, placeholders, yaml_files


@pytest.mark.parametrize(
    ("placeholder", "how"),
    [
        (".a.csv.icloud", "Download Now in Finder"),
        ("a.csv.nextcloud", "available offline"),
        ("a.csv.dvc", "`dvc pull`"),
        ("a.csv.crdownload", "its download has not ended"),
    ],
)
def test_a_placeholder_beside_a_missing_file_is_named(tmp_path, placeholder, how):
    (tmp_path / placeholder).touch()
    (tmp_path / ".b.csv.icloud").touch()
    error = placeholders.missing("file", tmp_path / "a.csv")
    assert f"No file {tmp_path}/a.csv. There is only its placeholder {placeholder}: " in str(error)
    assert how in str(error)
    with pytest.raises(FileNotFoundError) as found:
        files.read_bytes(str(tmp_path / "a.csv"))
    assert f"placeholder {placeholder}" in files.why(found.value)
    with pytest.raises(FileNotFoundError, match="No table .*placeholder"):
        yaml_files.read(tmp_path / "a.csv", "table")


def test_nothing_is_said_where_no_placeholder_is(tmp_path):
    (tmp_path / ".icloud").touch()
    assert placeholders.beside(str(tmp_path / "a.csv")) == ""
    assert placeholders.beside(str(tmp_path / "none/a.csv")) == ""
    assert placeholders.stands_for("a.csv") == placeholders.stands_for(".icloud") == ("", "")


def test_a_link_that_leads_nowhere_is_one(tmp_path):
    link = tmp_path / "a.png"
    link.symlink_to(".git/annex/objects/f00/key.png")
    assert placeholders.beside(str(link)) == (
        "It is a link to .git/annex/objects/f00/key.png, which is not there: `git annex get` "
        "fetches it"
    )


def test_links_in_a_circle_lead_to_no_missing_file(tmp_path):
    (tmp_path / "1.mp4").symlink_to("2.mp4")
    (tmp_path / "2.mp4").symlink_to("1.mp4")
    led = "It is a link to 2.mp4, and links lead in a circle from there"
    assert placeholders.beside(str(tmp_path / "1.mp4")) == led
    assert "leads nowhere, to 2.mp4" in placeholders.lost_link(str(tmp_path / "1.mp4"))


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes among files")
def test_a_pipe_is_told_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "link").symlink_to("pipe.yaml")
    what = "is a pipe or a device, and no file"
    for path in (str(tmp_path / "pipe.yaml"), str(tmp_path / "link")):
        for read in (
            files.read_bytes,
            files.open_file,
            lambda p: [*files.read_pieces(p, [(0, 1)])],
        ):
            with pytest.raises(files.NotAFile, match=f"{path} {what}"):
                read(path)
        with pytest.raises(FileNotFoundError, match=f"No config file {path}. It {what}"):
            yaml_files.read(path, "config file")
        assert placeholders.lost_link(path) == what
    assert placeholders.special(str(tmp_path)) == placeholders.special(str(tmp_path / "no")) == ""


def test_a_drive_that_does_not_answer_is_named():
    error = OSError(errno.EDEADLK, "Resource deadlock avoided", "/drive/a.mp4")
    assert "a cloud drive has not downloaded it" in files.why(error)
