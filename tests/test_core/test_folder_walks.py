"""Folders are walked as they lie there, whatever links lead where."""

import os

import pytest

from beampose.core import folder_walks, storage

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"xx")


def walked(root, *rest):
    return {
        path.removeprefix(f"{root}/"): size for path, size in folder_walks.walk(str(root), *rest)
    }


def test_a_folder_is_walked_under_its_own_name_and_not_that_of_a_link(tmp_path):
    put(tmp_path, "cards/siteA/1.jpg", "cards/z.jpg", "cards/.hidden/2.jpg", "away/3.jpg")
    for link, target in {
        "latest": "siteA",
        "a/here": "../siteA",
        "up": "..",
        "away": "../away",
        "more": "../away",
    }.items():
        (tmp_path / "cards" / link).parent.mkdir(exist_ok=True)
        (tmp_path / "cards" / link).symlink_to(target)
    (tmp_path / "cards/file.jpg").symlink_to("z.jpg")
    found = walked(tmp_path / "cards")
    assert list(found) == ["away/3.jpg", "file.jpg", "siteA/1.jpg", "z.jpg"]
    assert set(found.values()) == {2}


def test_links_that_lead_nowhere_are_files_without_a_byte(tmp_path):
    put(tmp_path, "1.jpg")
    (tmp_path / "2.jpg").symlink_to(".git/annex/objects/x")
    (tmp_path / "3.jpg").symlink_to("3.jpg")
    os.mkfifo(tmp_path / "4.jpg")
    assert walked(tmp_path) == {"1.jpg": 2, "2.jpg": 0, "3.jpg": 0}


def test_folders_may_be_passed_over(tmp_path, buckets):
    names = ["a/1.jpg", "a/b/2.jpg", "c/a/3.jpg", "d.jpg"]
    put(tmp_path, *names)
    for name in names:
        storage.write_bytes(f"gs://lab/cards/{name}", b"xx")
    for root in (tmp_path, "gs://lab/cards"):
        asked = []

        def enters(path, asked=asked):
            asked.append(path)
            return not path.endswith("/a")

        assert list(walked(root, enters)) == ["d.jpg"]
        assert sorted(asked) == [f"{root}/a", f"{root}/c", f"{root}/c/a"]
